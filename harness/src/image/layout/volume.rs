//! A part of the disk that is read as if it were all: nothing outside a partition can be reached through it.

use std::io;

use super::super::Disk;

/// Some bytes of a disk.
pub(super) struct Volume<'a, 'f> {
    disk: &'a mut Disk<'f>,
    start: u64,
    bytes: u64,
}

impl<'a, 'f> Volume<'a, 'f> {
    /// `bytes` bytes from byte `start` on, or as many of them as the disk has.
    pub(super) fn new(disk: &'a mut Disk<'f>, start: u64, bytes: u64) -> Self {
        let bytes = bytes.min(disk.bytes().saturating_sub(start));
        Self { disk, start, bytes }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Fills `buffer` from byte `offset`; `UnexpectedEof` if that is not all inside.
    pub(super) fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if offset.checked_add(buffer.len() as u64).is_none_or(|end| end > self.bytes) {
            let what = format!("{} bytes at byte {offset} of a volume of {}", buffer.len(), self.bytes);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
        }
        self.disk.read_at(self.start + offset, buffer)
    }
}
