//! A fixed VHD, read back: the disk as it is, and a footer of one sector that says so.
//!
//! After Microsoft's "Virtual Hard Disk Image Format Specification", version 1.0. Azure takes nothing but fixed ones of
//! whole MiB.

use std::{fs::File, os::unix::fs::FileExt};

use super::{compare::Plain, flaw::Flaw};

const FOOTER: u64 = 512;
/// Type of a disk: fixed.
const FIXED: u32 = 2;
/// Where the checksum stands in the footer.
const CHECKSUM: std::ops::Range<usize> = 64..68;
/// What Azure counts in, in bytes.
pub(super) const UNIT: u64 = 1 << 20;

/// The disk before the footer, if the footer is sound.
///
/// # Errors
/// [`Flaw`] says what is wrong with the footer.
pub(super) fn open(file: &File) -> Result<Plain<'_>, Flaw> {
    let length = file.metadata()?.len();
    let Some(bytes) = length.checked_sub(FOOTER) else {
        return Err(Flaw::metadata(format!("{length} bytes hold no footer of a VHD")));
    };
    let mut footer = [0; 512];
    file.read_exact_at(&mut footer, bytes)?;
    if !footer.starts_with(b"conectix") {
        return Err(Flaw::metadata("its last sector is no footer of a VHD"));
    }
    let (says, sum) = (u32_at(&footer, CHECKSUM.start), checksum(&footer));
    if says != sum {
        return Err(Flaw::metadata(format!(
            "its footer's checksum is {says:#010x}, and its bytes add up to {sum:#010x}"
        )));
    }
    let (version, kind) = (u32_at(&footer, 12), u32_at(&footer, 60));
    if version != 0x0001_0000 {
        return Err(Flaw::metadata(format!("its footer is of version {version:#x}, not 1.0")));
    }
    if kind != FIXED {
        return Err(Flaw::metadata(format!("it is a VHD of type {kind}, not a fixed one (type {FIXED})")));
    }
    if u64_at(&footer, 16) != u64::MAX {
        return Err(Flaw::metadata("its footer names a header, which a fixed VHD has not"));
    }
    let size = u64_at(&footer, 48);
    if size != bytes {
        return Err(Flaw::metadata(format!("its footer says {size} bytes, and {bytes} stand before it")));
    }
    if !size.is_multiple_of(UNIT) {
        return Err(Flaw::metadata(format!("its disk of {size} bytes is no whole number of MiB")));
    }
    Ok(Plain { file, bytes })
}

/// The ones' complement of the sum of all bytes but those of the checksum.
fn checksum(footer: &[u8; 512]) -> u32 {
    let counted = footer.iter().enumerate().filter(|(at, _)| !CHECKSUM.contains(at));
    !counted.map(|(_, byte)| u32::from(*byte)).sum::<u32>()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |field| u32::from_be_bytes(*field))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |field| u64::from_be_bytes(*field))
}
