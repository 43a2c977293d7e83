//! The qcow2 format, read by ourselves: QEMU follows what a header says, and a header may name any file of the host.
//!
//! Every number in the file is held against the file's size before it is used.

mod bounds;
mod clusters;
mod header;

pub(super) use bounds::bounds;
pub(super) use clusters::Clusters;
pub(super) use header::Header;

/// What every qcow2 file begins with.
pub(super) const MAGIC: &[u8; 4] = b"QFI\xfb";

/// Size of a cluster of compressed data's unit, and of what raw disks count in.
const SECTOR: u64 = 512;

/// Whether a file that begins so claims to be qcow2, of version 2 or later.
pub(super) fn is(head: &[u8]) -> bool {
    head.starts_with(MAGIC) && !head[4..].starts_with(&[0, 0, 0, 1])
}

/// The big-endian numbers of a table.
fn words(table: &[u8]) -> impl Iterator<Item = u64> {
    table.as_chunks::<8>().0.iter().map(|bytes| u64::from_be_bytes(*bytes))
}
