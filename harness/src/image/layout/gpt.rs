//! The GUID partition table, both copies, by their checksums.
//!
//! Read here and not by a library, because a check wants to know all that is wrong, not only whether a table opens.

use std::io;

use kverify_checks::image::Partition;

use super::{super::Disk, readable};
use crate::image::{
    escaped,
    little_endian::{u32_at, u64_at},
};

/// Type of an EFI system partition.
pub(super) const ESP: &str = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";

/// The most entries that are read; 128 is what every tool writes.
const MAX_ENTRIES: u32 = 1024;
const MAX_ENTRY_BYTES: u32 = 4096;
const MAX_TABLE_BYTES: usize = 1 << 20;

/// What was found.
pub(super) struct Table {
    /// The partitions, from the first copy that is sound.
    pub(super) partitions: Option<Vec<Partition>>,
    /// What is wrong, in words.
    pub(super) problems: Vec<String>,
}

/// A header whose checksum is right.
#[derive(PartialEq, Eq)]
struct Header {
    sector: u64,
    at: u64,
    other: u64,
    first_usable: u64,
    last_usable: u64,
    guid: [u8; 16],
    entries_at: u64,
    entries: u32,
    entry_bytes: u32,
    entries_crc: u32,
}

/// A sound copy of the table.
struct Copy {
    header: Header,
    partitions: Vec<Partition>,
}

/// Why a copy cannot be used.
enum Flaw {
    /// Nothing in its place claims to be one.
    Absent,
    /// What is wrong with it, in words.
    Wrong(String),
}

/// Reads both copies, for sectors of 512 and of 4096 bytes.
pub(super) fn read(disk: &mut Disk<'_>) -> io::Result<Table> {
    let mut none = Table { partitions: None, problems: Vec::new() };
    for sector in [512, 4096] {
        let last = (disk.bytes() / sector).saturating_sub(1);
        let primary = copy(disk, sector, 1)?;
        let backup_at = primary.as_ref().map_or(last, |copy| copy.header.other);
        let backup = copy(disk, sector, backup_at)?;
        match (primary, backup) {
            (Ok(primary), backup) => {
                let mut problems = protective(disk)?;
                problems.extend(compare(&primary.header, &backup, last));
                return Ok(Table { partitions: Some(primary.partitions), problems });
            }
            (Err(Flaw::Wrong(why)), Ok(backup)) => {
                let mut problems = protective(disk)?;
                problems.push(format!("the first header: {why}"));
                return Ok(Table { partitions: Some(backup.partitions), problems });
            }
            (Err(Flaw::Absent), Ok(backup)) => {
                let problems = vec!["no first header, only the backup at the end of the disk".to_owned()];
                return Ok(Table { partitions: Some(backup.partitions), problems });
            }
            (Err(Flaw::Wrong(why)), Err(_)) => {
                none.problems.push(format!("the first header: {why}; no sound backup"));
            }
            (Err(Flaw::Absent), Err(_)) => {}
        }
    }
    Ok(none)
}

/// What the backup and its place say against the first copy.
fn compare(header: &Header, backup: &Result<Copy, Flaw>, last: u64) -> Vec<String> {
    let mut problems = Vec::new();
    match backup {
        Err(Flaw::Wrong(why)) => problems.push(format!("the backup header: {why}")),
        Err(Flaw::Absent) => problems.push(format!("no backup header in sector {}", header.other)),
        Ok(Copy { header: backup, .. }) => {
            let same = backup.entries_crc == header.entries_crc
                && backup.guid == header.guid
                && (backup.first_usable, backup.last_usable) == (header.first_usable, header.last_usable);
            if !same {
                problems.push("the backup differs from the first copy".to_owned());
            }
            if backup.other != header.at {
                problems.push("the backup header does not point to the first one".to_owned());
            }
        }
    }
    if header.other != last {
        problems.push(format!("the backup header is in sector {}, the disk ends with sector {last}", header.other));
    }
    problems
}

/// The MBR before a GPT, which keeps old tools away from the disk.
fn protective(disk: &mut Disk<'_>) -> io::Result<Vec<String>> {
    let mut mbr = [0; 512];
    disk.read_at(0, &mut mbr)?;
    let signed = mbr[510..] == [0x55, 0xaa];
    let kept = mbr[446..510].as_chunks::<16>().0.iter().any(|entry| entry[4] == 0xee);
    Ok(if signed && kept { Vec::new() } else { vec!["no protective MBR".to_owned()] })
}

/// The copy whose header is in sector `at`.
fn copy(disk: &mut Disk<'_>, sector: u64, at: u64) -> io::Result<Result<Copy, Flaw>> {
    let mut bytes = vec![0; usize::try_from(sector).unwrap_or(512)];
    let Some(offset) = at.checked_mul(sector) else { return Ok(Err(Flaw::Absent)) };
    if readable(disk.read_at(offset, &mut bytes))?.is_err() || !bytes.starts_with(b"EFI PART") {
        return Ok(Err(Flaw::Absent));
    }
    let wrong = |why| Ok(Err(Flaw::Wrong(why)));
    let header = match header(&bytes, sector, at) {
        Ok(header) => header,
        Err(why) => return wrong(why),
    };
    let size = usize::try_from(u64::from(header.entries) * u64::from(header.entry_bytes)).unwrap_or(usize::MAX);
    if size > MAX_TABLE_BYTES {
        return wrong(format!("a table of {size} bytes, more than {MAX_TABLE_BYTES}"));
    }
    let mut table = vec![0; size];
    if let Err(why) = readable(disk.read_at(header.entries_at.saturating_mul(sector), &mut table))? {
        return wrong(format!("its table is not on the disk: {why}"));
    }
    if crc32fast::hash(&table) != header.entries_crc {
        return wrong("the checksum of its table is wrong".to_owned());
    }
    Ok(Ok(Copy { partitions: partitions(&table, &header), header }))
}

fn header(bytes: &[u8], sector: u64, at: u64) -> Result<Header, String> {
    let size = u32_at(bytes, 12);
    let length = usize::try_from(size).unwrap_or(usize::MAX);
    if length < 92 || length > bytes.len() {
        return Err(format!("a header of {size} bytes"));
    }
    let mut summed = bytes[..length].to_vec();
    summed[16..20].fill(0);
    if crc32fast::hash(&summed) != u32_at(bytes, 16) {
        return Err("its checksum is wrong".to_owned());
    }
    let revision = u32_at(bytes, 8);
    if revision >> 16 != 1 {
        return Err(format!("revision {revision:#x}"));
    }
    if u64_at(bytes, 24) != at {
        return Err(format!("says it is in sector {}, is in sector {at}", u64_at(bytes, 24)));
    }
    let (entries, entry_bytes) = (u32_at(bytes, 80), u32_at(bytes, 84));
    if entries > MAX_ENTRIES || !(128..=MAX_ENTRY_BYTES).contains(&entry_bytes) {
        return Err(format!("{entries} entries of {entry_bytes} bytes"));
    }
    let mut guid = [0; 16];
    guid.copy_from_slice(&bytes[56..72]);
    Ok(Header {
        sector,
        at,
        other: u64_at(bytes, 32),
        first_usable: u64_at(bytes, 40),
        last_usable: u64_at(bytes, 48),
        guid,
        entries_at: u64_at(bytes, 72),
        entries,
        entry_bytes,
        entries_crc: u32_at(bytes, 88),
    })
}

fn partitions(table: &[u8], header: &Header) -> Vec<Partition> {
    let entries = table.chunks_exact(header.entry_bytes as usize).zip(1..);
    entries
        .filter(|(entry, _)| entry[..16] != [0; 16])
        .map(|(entry, number)| partition(entry, number, header))
        .collect()
}

fn partition(entry: &[u8], number: u32, header: &Header) -> Partition {
    let (first, last) = (u64_at(entry, 32), u64_at(entry, 40));
    let sectors = last.saturating_add(1).saturating_sub(first);
    let units: Vec<u16> = entry[56..128].as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    let name = String::from_utf16_lossy(&units);
    Partition {
        number,
        type_guid: guid(entry),
        name: escaped(name.trim_end_matches('\0')),
        start: first.saturating_mul(header.sector),
        bytes: sectors.saturating_mul(header.sector),
    }
}

/// The first three groups of a GUID on a disk are little-endian numbers, the others are bytes.
fn guid(bytes: &[u8]) -> String {
    let short = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let long = bytes[8..16].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    let (fourth, fifth) = (long >> 48, long & 0xffff_ffff_ffff);
    format!("{:08X}-{:04X}-{:04X}-{fourth:04X}-{fifth:012X}", u32_at(bytes, 0), short(4), short(6))
}
