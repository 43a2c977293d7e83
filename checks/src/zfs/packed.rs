//! Lists of names and values packed as they lie in memory: the form of `/etc/zfs/zpool.cache`.

use super::CachedPool;

/// What is left of a packed list, of a little-endian machine.
///
/// Each entry has its size, the size of its name, its count and its type in front, and its value at the next multiple of
/// 8; the entries of a list within follow the entry itself, up to a size of 0.
pub(super) struct Packed<'a>(pub(super) &'a [u8]);

/// The list ends before its end, or is none.
#[derive(Debug)]
pub(super) struct CutOff;

/// One entry, without the entries of lists within.
struct Entry<'a> {
    name: &'a [u8],
    count: u32,
    kind: u32,
    value: &'a [u8],
}

/// The types of `sys/nvpair.h` that are needed.
const NUMBER: u32 = 8;
const LIST: u32 = 19;
const LISTS: u32 = 20;

impl<'a> Packed<'a> {
    /// The pools of a cache file: one list each, with a GUID in it.
    pub(super) fn pools(mut self) -> Result<Vec<CachedPool>, CutOff> {
        // Version and flags.
        self.take(8)?;
        let mut pools = Vec::new();
        while let Some(pool) = self.entry()? {
            if pool.kind != LIST {
                return Err(CutOff);
            }
            let mut guid = None;
            while let Some(entry) = self.entry()? {
                if entry.name == b"pool_guid" && entry.kind == NUMBER {
                    guid = entry.value.first_chunk().copied().map(u64::from_le_bytes);
                }
                self.skip_within(&entry)?;
            }
            let name = String::from_utf8_lossy(pool.name).into_owned();
            pools.push(CachedPool { name, guid: guid.ok_or(CutOff)? });
        }
        Ok(pools)
    }

    fn take(&mut self, bytes: usize) -> Result<&'a [u8], CutOff> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or(CutOff)?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next entry, or nothing at the end of the list.
    fn entry(&mut self) -> Result<Option<Entry<'a>>, CutOff> {
        let size = usize::try_from(word(self.take(4)?, 0)?).map_err(|_| CutOff)?;
        if size == 0 {
            return Ok(None);
        }
        let entry = self.take(size.checked_sub(4).ok_or(CutOff)?)?;
        let name_size = usize::try_from(word(entry, 0)? & 0xffff).map_err(|_| CutOff)?;
        // The name has a zero at its end, which is counted.
        let name = entry.get(12..12 + name_size).and_then(|name| name.strip_suffix(b"\0")).ok_or(CutOff)?;
        let value = entry.get((16 + name_size).next_multiple_of(8) - 4..).ok_or(CutOff)?;
        Ok(Some(Entry { name, count: word(entry, 4)?, kind: word(entry, 8)?, value }))
    }

    /// Goes past the entries of the lists that an entry holds.
    fn skip_within(&mut self, entry: &Entry<'_>) -> Result<(), CutOff> {
        let lists = match entry.kind {
            LIST => 1,
            LISTS => entry.count,
            _ => 0,
        };
        for _ in 0..lists {
            while let Some(within) = self.entry()? {
                self.skip_within(&within)?;
            }
        }
        Ok(())
    }
}

fn word(bytes: &[u8], at: usize) -> Result<u32, CutOff> {
    let word = bytes.get(at..).and_then(|bytes| bytes.first_chunk()).ok_or(CutOff)?;
    Ok(u32::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::{LIST, NUMBER, Packed};

    fn entry(name: &str, kind: u32, value: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; (16 + name.len() + 1).next_multiple_of(8)];
        bytes[4] = u8::try_from(name.len() + 1).unwrap();
        bytes[8] = 1;
        bytes[12] = u8::try_from(kind).unwrap();
        bytes[16..16 + name.len()].copy_from_slice(name.as_bytes());
        bytes.extend(value);
        bytes[0] = u8::try_from(bytes.len()).unwrap();
        bytes
    }

    #[test]
    fn a_guid_of_a_list_within_is_not_the_pools() {
        let end = [0; 4];
        let mut bytes = [[0; 8].to_vec(), entry("tank", LIST, &[0; 24])].concat();
        bytes.extend([entry("vdev_tree", LIST, &[0; 24]), entry("pool_guid", NUMBER, &9_u64.to_le_bytes())].concat());
        bytes.extend(end);
        bytes.extend(entry("pool_guid", NUMBER, &7_u64.to_le_bytes()));
        bytes.extend([end, end].concat());
        let pools = Packed(&bytes).pools().unwrap();
        assert_eq!((pools[0].name.as_str(), pools[0].guid, pools.len()), ("tank", 7, 1));
        for cut in 0..bytes.len() {
            assert!(Packed(&bytes[..cut]).pools().is_err(), "{cut}");
        }
    }
}
