//! The header of a qcow2 file: what it claims, refused where it points outside the file or to another one.

use std::{fs::File, os::unix::fs::FileExt};

use super::super::{MAX_VIRTUAL_BYTES, Refusal, Trouble, escaped};

/// The most that the tables of the header may take, as in QEMU.
const MAX_L1_BYTES: u64 = 32 << 20;
const MAX_REFCOUNT_TABLE_BYTES: u64 = 8 << 20;
const MAX_SNAPSHOTS: u32 = 65_536;
const MAX_EXTENSIONS: usize = 64;

const DIRTY: u64 = 1 << 0;
const CORRUPT: u64 = 1 << 1;
const EXTERNAL_DATA: u64 = 1 << 2;
const COMPRESSION_TYPE: u64 = 1 << 3;
const EXTENDED_L2: u64 = 1 << 4;

const EXTENSION_END: u32 = 0;
const EXTENSION_LUKS: u32 = 0x0537_be77;
const EXTENSION_DATA_FILE: u32 = 0x4441_5441;

/// How compressed clusters are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::image) enum Compression {
    /// Raw deflate.
    Zlib,
    /// Zstandard.
    Zstd,
}

/// What the header says, as far as reading needs it.
#[derive(Clone, Debug)]
pub(in crate::image) struct Header {
    pub(in crate::image) version: u32,
    pub(in crate::image) cluster_bits: u32,
    pub(in crate::image) virtual_bytes: u64,
    pub(in crate::image) l1_offset: u64,
    pub(in crate::image) l1_entries: u64,
    pub(in crate::image) refcount_offset: u64,
    pub(in crate::image) refcount_bytes: u64,
    pub(in crate::image) snapshots: u32,
    pub(in crate::image) snapshots_offset: u64,
    pub(in crate::image) compression: Compression,
    pub(in crate::image) extended_l2: bool,
}

/// The first cluster of a file, which the header and its extensions must not leave.
struct Fields<'a> {
    bytes: &'a [u8],
}

impl Fields<'_> {
    fn u32(&self, at: usize) -> Result<u32, Refusal> {
        let field = self.bytes.get(at..).and_then(|rest| rest.first_chunk());
        field.map(|bytes| u32::from_be_bytes(*bytes)).ok_or_else(|| self.cut(at + 4))
    }

    fn u64(&self, at: usize) -> Result<u64, Refusal> {
        let field = self.bytes.get(at..).and_then(|rest| rest.first_chunk());
        field.map(|bytes| u64::from_be_bytes(*bytes)).ok_or_else(|| self.cut(at + 8))
    }

    fn cut(&self, end: usize) -> Refusal {
        Refusal::Truncated { what: "the header", end: end as u64, bytes: self.bytes.len() as u64 }
    }

    /// A name in the file, for people.
    fn name(&self, at: u64, bytes: u64) -> String {
        let start = usize::try_from(at).unwrap_or(usize::MAX).min(self.bytes.len());
        let end = start.saturating_add(usize::try_from(bytes.min(1023)).unwrap_or(0)).min(self.bytes.len());
        escaped(&String::from_utf8_lossy(&self.bytes[start..end]))
    }
}

impl Header {
    /// Reads the header of a file of `bytes` bytes.
    pub(in crate::image) fn read(file: &File, bytes: u64) -> Result<Self, Trouble> {
        // A cluster has 2 MiB at most, but no tool puts the name of a backing file beyond this.
        let mut start = vec![0; usize::try_from(bytes.min(64 << 10)).unwrap_or(0)];
        file.read_exact_at(&mut start, 0)?;
        Ok(Self::parse(&start, bytes)?)
    }

    fn parse(start: &[u8], file_bytes: u64) -> Result<Self, Refusal> {
        let fields = Fields { bytes: start };
        let version = fields.u32(4)?;
        if !(2..=3).contains(&version) {
            return Err(Refusal::Version(version));
        }
        let (features, header_bytes) = if version == 2 { (0, 72) } else { (fields.u64(72)?, fields.u32(100)?) };
        refuse_dependence(&fields, features)?;
        let known = DIRTY | CORRUPT | EXTERNAL_DATA | COMPRESSION_TYPE | EXTENDED_L2;
        if features & !known != 0 {
            return Err(Refusal::Features(features & !known));
        }
        if features & (DIRTY | CORRUPT) != 0 {
            return Err(Refusal::Marked(if features & CORRUPT == 0 {
                "dirty: not closed after writing"
            } else {
                "corrupt"
            }));
        }
        let cluster_bits = fields.u32(20)?;
        let extended_l2 = features & EXTENDED_L2 != 0;
        within("cluster_bits", cluster_bits, if extended_l2 { 14 } else { 9 }, 21)?;
        let cluster = 1_u64 << cluster_bits;
        let least = if version == 2 { 72 } else { 104 };
        within("header_length", header_bytes, least, 1 << cluster_bits)?;
        refuse_extensions(&fields, u64::from(header_bytes), cluster)?;
        if version == 3 {
            within("refcount_order", fields.u32(96)?, 0, 6)?;
        }
        let header = Self {
            version,
            cluster_bits,
            virtual_bytes: fields.u64(24)?,
            l1_offset: fields.u64(40)?,
            l1_entries: u64::from(fields.u32(36)?),
            refcount_offset: fields.u64(48)?,
            refcount_bytes: u64::from(fields.u32(56)?) << cluster_bits,
            snapshots: fields.u32(60)?,
            snapshots_offset: fields.u64(64)?,
            compression: compression(&fields, features, header_bytes)?,
            extended_l2,
        };
        header.hold_against(file_bytes)?;
        Ok(header)
    }

    /// Size of a cluster, in bytes.
    pub(in crate::image) fn cluster(&self) -> u64 {
        1 << self.cluster_bits
    }

    /// Size of an entry of an L2 table, in bytes.
    pub(in crate::image) fn l2_entry(&self) -> u64 {
        if self.extended_l2 { 16 } else { 8 }
    }

    /// How many bytes of the disk one L2 table maps.
    pub(in crate::image) fn l2_span(&self) -> u64 {
        (self.cluster() / self.l2_entry()) << self.cluster_bits
    }

    fn hold_against(&self, file_bytes: u64) -> Result<(), Refusal> {
        match self.virtual_bytes {
            0 => return Err(Refusal::Malformed("a disk of 0 bytes".to_owned())),
            bytes if bytes > MAX_VIRTUAL_BYTES => return Err(Refusal::TooLarge { bytes }),
            bytes if !bytes.is_multiple_of(super::SECTOR) => {
                return Err(Refusal::Malformed(format!("a disk of {bytes} bytes, which is not a multiple of 512")));
            }
            _ => {}
        }
        let needed = self.virtual_bytes.div_ceil(self.l2_span());
        if self.l1_entries < needed {
            let why = format!("an L1 table of {} entries where the disk needs {needed}", self.l1_entries);
            return Err(Refusal::Malformed(why));
        }
        let l1_bytes = self.l1_entries * 8;
        self.table("the L1 table", self.l1_offset, l1_bytes, MAX_L1_BYTES, file_bytes)?;
        let most = MAX_REFCOUNT_TABLE_BYTES.max(self.cluster());
        self.table("the refcount table", self.refcount_offset, self.refcount_bytes, most, file_bytes)?;
        if self.snapshots > MAX_SNAPSHOTS {
            return Err(Refusal::Malformed(format!("{} snapshots, more than {MAX_SNAPSHOTS}", self.snapshots)));
        }
        if self.snapshots > 0 {
            let least = u64::from(self.snapshots) * 40;
            self.table("the snapshot table", self.snapshots_offset, least, u64::MAX, file_bytes)?;
        }
        Ok(())
    }

    fn table(&self, what: &'static str, at: u64, bytes: u64, most: u64, file_bytes: u64) -> Result<(), Refusal> {
        if bytes > most {
            return Err(Refusal::Malformed(format!("{what} of {bytes} bytes, more than {most}")));
        }
        if bytes == 0 || at == 0 || !at.is_multiple_of(self.cluster()) {
            return Err(Refusal::Malformed(format!("{what} of {bytes} bytes at byte {at}")));
        }
        match at.checked_add(bytes) {
            Some(end) if end <= file_bytes => Ok(()),
            end => Err(Refusal::Truncated { what, end: end.unwrap_or(u64::MAX), bytes: file_bytes }),
        }
    }
}

/// Refuses what makes the file depend on another one, or on a secret, before anything else is looked at.
fn refuse_dependence(fields: &Fields<'_>, features: u64) -> Result<(), Refusal> {
    let backing = fields.u64(8)?;
    if backing != 0 {
        return Err(Refusal::Backing(fields.name(backing, u64::from(fields.u32(16)?))));
    }
    match fields.u32(32)? {
        0 => {}
        1 => return Err(Refusal::Encrypted("AES")),
        2 => return Err(Refusal::Encrypted("LUKS")),
        _ => return Err(Refusal::Encrypted("an unknown method")),
    }
    // With the feature set, the name may be missing: then whoever opens the image has to give it.
    if features & EXTERNAL_DATA != 0 {
        let name = extensions(fields, u64::from(fields.u32(100)?))
            .flatten()
            .find(|(kind, ..)| *kind == EXTENSION_DATA_FILE)
            .map_or_else(|| "unnamed".to_owned(), |(_, at, bytes)| fields.name(at, bytes));
        return Err(Refusal::ExternalData(name));
    }
    Ok(())
}

fn refuse_extensions(fields: &Fields<'_>, from: u64, cluster: u64) -> Result<(), Refusal> {
    for extension in extensions(fields, from) {
        let (kind, at, bytes) = extension?;
        if at + bytes > cluster {
            return Err(Refusal::Malformed(format!("header extension {kind:#x} of {bytes} bytes at byte {at}")));
        }
        match kind {
            EXTENSION_DATA_FILE => return Err(Refusal::ExternalData(fields.name(at, bytes))),
            EXTENSION_LUKS => return Err(Refusal::Encrypted("LUKS")),
            _ => {}
        }
    }
    Ok(())
}

/// The extensions from byte `from` on: kind, first byte and size of the data of each.
fn extensions(fields: &Fields<'_>, from: u64) -> impl Iterator<Item = Result<(u32, u64, u64), Refusal>> {
    let mut at = Some(from);
    let mut count = 0;
    std::iter::from_fn(move || {
        let start = usize::try_from(at.take()?).ok()?;
        count += 1;
        if count > MAX_EXTENSIONS {
            return Some(Err(Refusal::Malformed(format!("more than {MAX_EXTENSIONS} header extensions"))));
        }
        let (kind, bytes) = match (fields.u32(start), fields.u32(start.saturating_add(4))) {
            (Ok(EXTENSION_END), _) => return None,
            (Ok(kind), Ok(bytes)) => (kind, u64::from(bytes)),
            // Clusters of 512 bytes can be filled to their end, and then no end mark fits.
            (Err(_), _) if start.is_multiple_of(512) => return None,
            (Err(why), _) | (_, Err(why)) => return Some(Err(why)),
        };
        let data = start as u64 + 8;
        at = Some(data + bytes.next_multiple_of(8));
        Some(Ok((kind, data, bytes)))
    })
}

fn compression(fields: &Fields<'_>, features: u64, header_bytes: u32) -> Result<Compression, Refusal> {
    let kind = if header_bytes > 104 { fields.bytes.get(104).copied().unwrap_or(0) } else { 0 };
    match (features & COMPRESSION_TYPE != 0, kind) {
        (false, 0) => Ok(Compression::Zlib),
        (true, 1) => Ok(Compression::Zstd),
        (set, kind) => Err(Refusal::Malformed(format!(
            "compression type {kind} with its feature bit {}",
            if set { "set" } else { "not set" }
        ))),
    }
}

fn within(what: &str, value: u32, least: u32, most: u32) -> Result<(), Refusal> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Refusal::Malformed(format!("{what} {value} is not within {least} to {most}")))
}
