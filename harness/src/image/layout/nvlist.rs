//! Name-value lists in XDR, as ZFS writes them into its labels: strictly, and only the kinds that a label needs.

/// The most lists within lists.
const MAX_DEPTH: u32 = 8;

const UINT64: u32 = 8;
const STRING: u32 = 9;
const NVLIST: u32 = 19;

/// A list: names with values, other kinds left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct NvList(Vec<(String, Value)>);

#[derive(Debug, PartialEq, Eq)]
enum Value {
    Number(u64),
    Text(String),
    List(NvList),
}

/// Bytes that are read from their front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(front)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
    }

    fn u64(&mut self) -> Option<u64> {
        self.take(8)?.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.u32()?).ok()?;
        let bytes = self.take(length)?;
        self.take(length.next_multiple_of(4) - length)?;
        String::from_utf8(bytes.to_vec()).ok()
    }
}

impl NvList {
    /// Reads a packed list with its header of four bytes; `None` if it is not one from end to end.
    pub(super) fn unpack(bytes: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(bytes);
        let encoding = bytes.take(4)?;
        // XDR; the second byte is the order of the writer's machine, which XDR does not depend on.
        if encoding[0] != 1 {
            return None;
        }
        Self::read(&mut bytes, MAX_DEPTH)
    }

    fn read(bytes: &mut Bytes<'_>, depth: u32) -> Option<Self> {
        let version = bytes.u32()?;
        let _flags = bytes.u32()?;
        if version != 0 || depth == 0 {
            return None;
        }
        let mut list = Self::default();
        loop {
            let encoded = usize::try_from(bytes.u32()?).ok()?;
            let _decoded = bytes.u32()?;
            if encoded == 0 {
                return Some(list);
            }
            // The size counts its own two words.
            let mut pair = Bytes(bytes.take(encoded.checked_sub(8)?)?);
            let name = pair.text()?;
            let (kind, count) = (pair.u32()?, pair.u32()?);
            let value = match (kind, count) {
                (UINT64, 1) => Value::Number(pair.u64()?),
                (STRING, 1) => Value::Text(pair.text()?),
                (NVLIST, 1) => Value::List(Self::read(&mut pair, depth - 1)?),
                _ => continue,
            };
            list.0.push((name, value));
        }
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        match self.value(name)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.value(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn list(&self, name: &str) -> Option<&Self> {
        match self.value(name)? {
            Value::List(list) => Some(list),
            _ => None,
        }
    }
}
