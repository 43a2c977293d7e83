//! How much room an export takes at most: known before it begins, from the tables of the image alone.

use std::io;

use super::Target;
use crate::image::Disk;

/// What the formats write as one piece at least, in bytes: a cluster of qcow2, a grain of VMDK.
const UNIT: u64 = 64 << 10;
/// Headers, descriptors, logs: less than this in every format.
const FIXED: u64 = 8 << 20;

/// The most bytes that the files of these formats take of their file system, in all.
///
/// # Errors
/// What the system says of reading the image's tables.
pub(super) fn needed(disk: &mut Disk<'_>, targets: &[Target]) -> io::Result<u64> {
    let held = held(disk)?;
    let mut all: Vec<_> = targets.to_vec();
    if targets.contains(&Target::Ova) && !targets.contains(&Target::Vmdk) {
        // It is made of one, which has no name.
        all.push(Target::Vmdk);
    }
    Ok(all.iter().map(|target| bound(*target, held, disk.bytes())).fold(0, u64::saturating_add))
}

/// Tables take 24 bytes for 64 KiB of the disk at most; what does not compress grows by less than one part in 64.
fn bound(target: Target, held: u64, bytes: u64) -> u64 {
    let tables = match target {
        Target::Raw | Target::Vhd => 0,
        Target::Qcow2 | Target::Vmdk | Target::Vhdx | Target::Ova | Target::Gce => bytes / 2048,
    };
    held.saturating_add(held / 64).saturating_add(tables).saturating_add(FIXED)
}

/// The bytes of the disk that are in no hole, counted in whole units.
fn held(disk: &mut Disk<'_>) -> io::Result<u64> {
    let (mut at, mut counted, mut held) = (0, 0, 0);
    while at < disk.bytes() {
        let run = disk.run(at)?;
        let end = at.saturating_add(run.bytes).min(disk.bytes());
        if !run.hole {
            let first = (at / UNIT * UNIT).max(counted);
            counted = end.next_multiple_of(UNIT);
            held += counted.saturating_sub(first);
        }
        at = end;
    }
    Ok(held)
}
