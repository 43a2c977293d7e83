//! Which files are raw disks: apart because raw has no magic, and "anything else" would take every text file.

use super::{MAX_VIRTUAL_BYTES, MIN_RAW_BYTES, Refusal};

/// How much of the beginning is looked at.
pub(super) const HEAD_BYTES: u64 = MIN_RAW_BYTES;

/// A raw disk has whole sectors and begins with a partition table, or with nothing at all for its first MiB.
///
/// A blank disk is a disk: that there is nothing to boot on it shows when it is booted.
pub(super) fn judge(head: &[u8], bytes: u64) -> Result<(), Refusal> {
    let has_mbr = head.get(510..512) == Some(&[0x55, 0xaa]);
    let has_gpt = [512, 4096].iter().any(|at| head.get(*at..).is_some_and(|rest| rest.starts_with(b"EFI PART")));
    let blank = head.iter().all(|byte| *byte == 0);
    if !(has_mbr || has_gpt || blank) {
        return Err(if is_text(head) { Refusal::Text } else { Refusal::NotADisk });
    }
    match bytes {
        _ if !bytes.is_multiple_of(512) => Err(Refusal::OddSize { bytes }),
        ..MIN_RAW_BYTES => Err(Refusal::TooSmall { bytes }),
        _ if bytes > MAX_VIRTUAL_BYTES => Err(Refusal::TooLarge { bytes }),
        _ => Ok(()),
    }
}

fn is_text(head: &[u8]) -> bool {
    let start = &head[..head.len().min(4096)];
    let whole = match std::str::from_utf8(start) {
        Ok(_) => true,
        // A character cut by the end of what was looked at is no proof against text.
        Err(error) => error.error_len().is_none(),
    };
    whole && !start.contains(&0)
}
