//! A stream-optimized VMDK, read back: what vSphere and VirtualBox take inside an OVA.
//!
//! After VMware's "Virtual Disk Format 5.0", sections "Hosted Sparse Extents" and "Stream-Optimized Compressed Sparse
//! Extents". Written here because imago reads flat extents only. All numbers are little-endian, places are sectors.

use std::{fs::File, io, os::unix::fs::FileExt};

use flate2::{Decompress, FlushDecompress};

use super::{compare::Content, flaw};
use crate::image::{
    Run,
    little_endian::{u32_at, u64_at},
};

const SECTOR: u64 = 512;
/// The place of the grain directory in the header of a file whose footer has it.
const AT_END: u64 = u64::MAX;
/// Footer and end-of-stream marker: the last two sectors.
const TAIL: u64 = 2 * SECTOR;
/// Grains are compressed, and marked.
const COMPRESSED: u32 = 1 << 16;
const MARKED: u32 = 1 << 17;
/// An entry of 1 in a grain table stands for zeros.
const ZERO_GRAINS: u32 = 1 << 2;
/// Compression by deflate.
const DEFLATE: u16 = 1;
/// The largest grain, in sectors, and the most entries of a table; 128 and 512 are what everybody writes.
const MAX_GRAIN: u64 = 4096;
const MAX_ENTRIES: u32 = 1 << 16;
/// The largest descriptor, in sectors.
const MAX_DESCRIPTOR: u64 = 128;
/// The most grain tables: 64 TiB in grains of 64 KiB.
const MAX_TABLES: u64 = 1 << 22;

/// The disk in such a file, which may lie inside another file.
pub(super) struct Vmdk<'a> {
    file: &'a File,
    base: u64,
    end: u64,
    header: Header,
    directory: Vec<u32>,
    table: Option<(u32, Vec<u32>)>,
    grain: Option<(u32, Vec<u8>)>,
}

/// What a header or a footer says.
#[derive(Clone, Debug)]
struct Header {
    flags: u32,
    /// Size of the disk, in sectors.
    capacity: u64,
    /// Size of a grain, in sectors.
    grain: u64,
    descriptor_at: u64,
    descriptor: u64,
    /// Entries of a grain table.
    entries: u32,
    directory_at: u64,
}

fn malformed(what: impl AsRef<str>) -> io::Error {
    flaw::malformed("vmdk", what)
}

impl Header {
    fn read(file: &File, at: u64) -> io::Result<Self> {
        let mut bytes = [0; 512];
        file.read_exact_at(&mut bytes, at)?;
        if !bytes.starts_with(b"KDMV") {
            return Err(malformed(format!("no header at byte {at}")));
        }
        if bytes[73..77] != *b"\n \r\n" {
            return Err(malformed("its line ends were changed on the way, as by a transfer as text"));
        }
        let header = Self {
            flags: u32_at(&bytes, 8),
            capacity: u64_at(&bytes, 12),
            grain: u64_at(&bytes, 20),
            descriptor_at: u64_at(&bytes, 28),
            descriptor: u64_at(&bytes, 36),
            entries: u32_at(&bytes, 44),
            directory_at: u64_at(&bytes, 56),
        };
        let (version, algorithm) = (u32_at(&bytes, 4), u16::from_le_bytes([bytes[77], bytes[78]]));
        if !(1..=3).contains(&version) {
            return Err(malformed(format!("version {version}")));
        }
        if header.flags & (COMPRESSED | MARKED) != COMPRESSED | MARKED || algorithm != DEFLATE {
            return Err(malformed("its grains are not compressed and marked, as those of a stream are"));
        }
        if bytes[72] != 0 {
            return Err(malformed("it was not closed after writing"));
        }
        if !header.grain.is_power_of_two() || !(8..=MAX_GRAIN).contains(&header.grain) {
            return Err(malformed(format!("grains of {} sectors", header.grain)));
        }
        if header.entries == 0 || header.entries > MAX_ENTRIES {
            return Err(malformed(format!("grain tables of {} entries", header.entries)));
        }
        if header.descriptor > MAX_DESCRIPTOR {
            return Err(malformed(format!("a descriptor of {} sectors", header.descriptor)));
        }
        Ok(header)
    }

    /// How many sectors one grain table stands for.
    fn span(&self) -> u64 {
        self.grain * u64::from(self.entries)
    }
}

impl<'a> Vmdk<'a> {
    /// Opens what stands in `bytes` bytes of `file` from byte `base` on.
    ///
    /// # Errors
    /// `InvalidData` where it is no such file, or what the system says.
    pub(super) fn open(file: &'a File, base: u64, bytes: u64) -> io::Result<Self> {
        let end = base.saturating_add(bytes);
        if bytes < SECTOR || end > file.metadata()?.len() {
            return Err(malformed(format!("{bytes} bytes hold no header")));
        }
        let mut header = Header::read(file, base)?;
        if header.directory_at == AT_END {
            let at = end.checked_sub(TAIL).filter(|at| *at > base).ok_or_else(|| malformed("no footer"))?;
            let footer = Header::read(file, at)?;
            if (footer.capacity, footer.grain) != (header.capacity, header.grain) || footer.directory_at == AT_END {
                return Err(malformed("its footer contradicts its header"));
            }
            header = footer;
        }
        let tables = header.capacity.div_ceil(header.span());
        if tables > MAX_TABLES {
            return Err(malformed(format!("a disk of {} sectors", header.capacity)));
        }
        let mut vmdk = Self { file, base, end, header, directory: Vec::new(), table: None, grain: None };
        vmdk.directory = vmdk.numbers(vmdk.header.directory_at, tables)?;
        Ok(vmdk)
    }

    /// The text that describes the disk.
    ///
    /// # Errors
    /// `InvalidData` where it is no text or not there.
    pub(super) fn descriptor(&self) -> io::Result<String> {
        let mut text = vec![0; usize::try_from(self.header.descriptor * SECTOR).unwrap_or_default()];
        self.read(self.header.descriptor_at, 0, &mut text)?;
        let length = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
        text.truncate(length);
        String::from_utf8(text).map_err(|_| malformed("a descriptor that is no text"))
    }

    /// Where the descriptor begins in the file, and the most bytes that it can have.
    pub(super) fn descriptor_place(&self) -> (u64, usize) {
        let bytes = usize::try_from(self.header.descriptor * SECTOR).unwrap_or_default();
        (self.base.saturating_add(self.header.descriptor_at.saturating_mul(SECTOR)), bytes)
    }

    /// Where the entry for the grain of byte `at` of the disk leads; 0 where to nothing.
    fn entry(&mut self, at: u64) -> io::Result<u32> {
        let sector = at / SECTOR;
        let table = usize::try_from(sector / self.header.span()).ok().and_then(|index| self.directory.get(index));
        let table = *table.ok_or_else(|| malformed("a grain directory that is too short"))?;
        if table == 0 {
            return Ok(0);
        }
        if self.table.as_ref().is_none_or(|(kept, _)| *kept != table) {
            self.table = Some((table, self.numbers(u64::from(table), u64::from(self.header.entries))?));
        }
        let index = usize::try_from(sector % self.header.span() / self.header.grain).unwrap_or(usize::MAX);
        let entries = self.table.as_ref().map_or(&[][..], |(_, entries)| entries);
        let entry = entries.get(index).copied().ok_or_else(|| malformed("a grain table that is too short"))?;
        Ok(if entry == 1 && self.header.flags & ZERO_GRAINS != 0 { 0 } else { entry })
    }

    /// The grain at sector `at` of the file, which has to be that of sector `sector` of the disk.
    fn inflate(&mut self, at: u32, sector: u64) -> io::Result<&[u8]> {
        if self.grain.as_ref().is_none_or(|(kept, _)| *kept != at) {
            let mut marker = [0; 12];
            self.read(u64::from(at), 0, &mut marker)?;
            let (says, packed) = (u64_at(&marker, 0), u32_at(&marker, 8));
            if says != sector {
                return Err(malformed(format!("the grain of sector {sector} says that it is of sector {says}")));
            }
            let whole = usize::try_from(self.header.grain * SECTOR).unwrap_or_default();
            let length = usize::try_from(packed).unwrap_or(usize::MAX);
            if length > whole * 2 {
                return Err(malformed(format!("a compressed grain of {length} bytes")));
            }
            let mut bytes = vec![0; length];
            self.read(u64::from(at), 12, &mut bytes)?;
            let mut grain = vec![0; whole];
            let mut stream = Decompress::new(true);
            let ended = stream.decompress(&bytes, &mut grain, FlushDecompress::Finish);
            // The last grain may be as short as what is left of the disk.
            let left = (self.header.capacity - sector).min(self.header.grain) * SECTOR;
            if ended.is_err() || stream.total_out() < left {
                return Err(malformed(format!("the grain of sector {sector} does not inflate")));
            }
            self.grain = Some((at, grain));
        }
        Ok(self.grain.as_ref().map_or(&[], |(_, grain)| grain))
    }

    /// Fills `buffer` from `skip` bytes behind the beginning of a sector of the file.
    fn read(&self, sector: u64, skip: u64, buffer: &mut [u8]) -> io::Result<()> {
        let at = sector.checked_mul(SECTOR).and_then(|at| at.checked_add(self.base)?.checked_add(skip));
        match at.and_then(|at| Some((at, at.checked_add(buffer.len() as u64)?))) {
            Some((at, end)) if end <= self.end => self.file.read_exact_at(buffer, at),
            _ => Err(malformed(format!("{} bytes at sector {sector}, behind its end", buffer.len()))),
        }
    }

    fn numbers(&self, sector: u64, count: u64) -> io::Result<Vec<u32>> {
        let mut bytes = vec![0; usize::try_from(count * 4).unwrap_or_default()];
        self.read(sector, 0, &mut bytes)?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect())
    }
}

impl Content for Vmdk<'_> {
    fn bytes(&self) -> u64 {
        self.header.capacity * SECTOR
    }

    fn run(&mut self, at: u64) -> io::Result<Run> {
        let grain = self.header.grain * SECTOR;
        let hole = self.entry(at)? == 0;
        let mut end = (at / grain + 1) * grain;
        // One table at a time is kept.
        let table_end = (at / SECTOR / self.header.span() + 1) * self.header.span() * SECTOR;
        while end < self.bytes().min(table_end) && (self.entry(end)? == 0) == hole {
            end += grain;
        }
        Ok(Run { bytes: end - at, hole })
    }

    fn read_at(&mut self, mut at: u64, mut buffer: &mut [u8]) -> io::Result<()> {
        let grain = self.header.grain * SECTOR;
        while !buffer.is_empty() {
            let inside = usize::try_from(at % grain).unwrap_or_default();
            let length = (usize::try_from(grain).unwrap_or_default() - inside).min(buffer.len());
            let (part, rest) = buffer.split_at_mut(length);
            match self.entry(at)? {
                0 => part.fill(0),
                entry => {
                    let sector = at / grain * self.header.grain;
                    part.copy_from_slice(&self.inflate(entry, sector)?[inside..][..length]);
                }
            }
            at += length as u64;
            buffer = rest;
        }
        Ok(())
    }
}
