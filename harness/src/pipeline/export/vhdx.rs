//! A dynamic VHDX, read back, as Hyper-V takes it.
//!
//! After Microsoft's [MS-VHDX], "Virtual Hard Disk v2 (VHDX) File Format". Read-only and strict: no differencing disk, no
//! log that is still to be replayed. All numbers are little-endian.

use std::{fs::File, io, os::unix::fs::FileExt};

use super::{compare::Content, crc32c::crc32c, flaw};
use crate::image::{
    Run,
    little_endian::{u32_at, u64_at, u128_at},
    run_of_file,
};

const MIB: u64 = 1 << 20;
/// Both headers, and both copies of the table of regions.
const HEADERS: [u64; 2] = [64 << 10, 128 << 10];
const REGIONS: [u64; 2] = [192 << 10, 256 << 10];
const HEADER_BYTES: usize = 4 << 10;
const TABLE_BYTES: usize = 64 << 10;
/// The regions and items that are read, as their GUIDs stand in a file.
const BAT: u128 = guid(0x2dc2_7766, 0xf623, 0x4200, 0x9d64_115e_9bfd_4a08);
const METADATA: u128 = guid(0x8b7c_a206, 0x4790, 0x4b9a, 0xb8fe_575f_050f_886e);
const FILE_PARAMETERS: u128 = guid(0xcaa1_6737, 0xfa36, 0x4d43, 0xb3b6_33f0_aa44_e76b);
const DISK_SIZE: u128 = guid(0x2fa5_4224, 0xcd1b, 0x4876, 0xb211_5dbe_d83b_f4b8);
const SECTOR_SIZE: u128 = guid(0x8141_bf1d, 0xa96f, 0x4709, 0xba47_f233_a8fa_ab5f);
/// A flag of the file's parameters: the disk is a difference to another one.
const HAS_PARENT: u32 = 2;
/// States of a block: it has content in the file; it reads as zeros, or as anything.
const PRESENT: u64 = 6;
const ABSENT: std::ops::RangeInclusive<u64> = 0..=3;
/// The largest table of blocks, in bytes: a disk of 64 TiB in blocks of 1 MiB, twice over.
const MAX_BAT: u64 = 1 << 30;

/// The disk in such a file.
pub(super) struct Vhdx<'a> {
    file: &'a File,
    bytes: u64,
    block: u64,
    /// Blocks of content before each block of bitmaps in the table.
    chunk: u64,
    bat: (u64, u64),
    kept: Option<(u64, u64)>,
}

const fn guid(first: u32, second: u16, third: u16, rest: u64) -> u128 {
    let (second, third) = ((second as u128) << 32, (third as u128) << 48);
    first as u128 | second | third | (rest.swap_bytes() as u128) << 64
}

fn malformed(what: impl AsRef<str>) -> io::Error {
    flaw::malformed("vhdx", what)
}

impl<'a> Vhdx<'a> {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// `InvalidData` where it is no such file, or what the system says.
    pub(super) fn open(file: &'a File) -> io::Result<Self> {
        let mut magic = [0; 8];
        file.read_exact_at(&mut magic, 0)?;
        if magic != *b"vhdxfile" {
            return Err(malformed("no identifier at its beginning"));
        }
        header(file)?;
        let regions = regions(file)?;
        let region = |wanted: u128, what: &str| {
            let found = regions.iter().find(|(id, ..)| *id == wanted);
            found.map(|(_, at, bytes)| (*at, *bytes)).ok_or_else(|| malformed(format!("no region for {what}")))
        };
        let bat = region(BAT, "the table of blocks")?;
        if bat.1 > MAX_BAT {
            return Err(malformed(format!("a table of blocks of {} bytes", bat.1)));
        }
        let metadata = Metadata::read(file, region(METADATA, "metadata")?)?;
        let (parameters, flags) = (metadata.u32(FILE_PARAMETERS, 0)?, metadata.u32(FILE_PARAMETERS, 4)?);
        let (bytes, sector) = (metadata.u64(DISK_SIZE, 0)?, u64::from(metadata.u32(SECTOR_SIZE, 0)?));
        let block = u64::from(parameters);
        if flags & HAS_PARENT != 0 {
            return Err(malformed("it is a difference to another file"));
        }
        if !block.is_power_of_two() || !(MIB..=256 * MIB).contains(&block) {
            return Err(malformed(format!("blocks of {block} bytes")));
        }
        if ![512, 4096].contains(&sector) || bytes == 0 || !bytes.is_multiple_of(sector) {
            return Err(malformed(format!("a disk of {bytes} bytes in sectors of {sector}")));
        }
        let chunk = (1 << 23) * sector / block;
        let blocks = bytes.div_ceil(block);
        let entries = blocks + (blocks - 1) / chunk;
        if entries.checked_mul(8).is_none_or(|needed| needed > bat.1) {
            return Err(malformed(format!("a table of {} bytes for {blocks} blocks", bat.1)));
        }
        Ok(Self { file, bytes, block, chunk, bat, kept: None })
    }

    /// Where in the file block `number` of the disk begins; `None` where it reads as zeros.
    fn block(&mut self, number: u64) -> io::Result<Option<u64>> {
        let index = number + number / self.chunk;
        let entry = match self.kept {
            Some((kept, entry)) if kept == index => entry,
            _ => {
                let mut bytes = [0; 8];
                self.file.read_exact_at(&mut bytes, self.bat.0 + index * 8)?;
                u64::from_le_bytes(bytes)
            }
        };
        self.kept = Some((index, entry));
        match entry & 7 {
            PRESENT => Ok(Some((entry >> 20) * MIB)),
            state if ABSENT.contains(&state) => Ok(None),
            state => Err(malformed(format!("block {number} in state {state}"))),
        }
    }
}

impl Content for Vhdx<'_> {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn run(&mut self, at: u64) -> io::Result<Run> {
        let left = self.block - at % self.block;
        let Some(start) = self.block(at / self.block)? else { return Ok(Run { bytes: left, hole: true }) };
        let place = start + at % self.block;
        // What was never written of a block is a hole of the file.
        run_of_file(self.file, place, place + left)
    }

    fn read_at(&mut self, mut at: u64, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            let left = usize::try_from(self.block - at % self.block).unwrap_or(usize::MAX);
            let (part, rest) = buffer.split_at_mut(left.min(buffer.len()));
            match self.block(at / self.block)? {
                Some(start) => self.file.read_exact_at(part, start + at % self.block)?,
                None => part.fill(0),
            }
            at += part.len() as u64;
            buffer = rest;
        }
        Ok(())
    }
}

/// Holds the newer of the headers whose checksum is right against what is read here.
fn header(file: &File) -> io::Result<()> {
    let mut newest: Option<Vec<u8>> = None;
    for at in HEADERS {
        let bytes = summed(file, at, HEADER_BYTES, *b"head")?;
        let newer = |bytes: &Vec<u8>| newest.as_ref().is_none_or(|newest| u64_at(newest, 8) < u64_at(bytes, 8));
        newest = bytes.filter(newer).or(newest);
    }
    let header = newest.ok_or_else(|| malformed("no header with a right checksum"))?;
    if header[48..64] != [0; 16] {
        return Err(malformed("a log that is still to be replayed: it was not closed after writing"));
    }
    match u16::from_le_bytes([header[66], header[67]]) {
        1 => Ok(()),
        version => Err(malformed(format!("version {version}"))),
    }
}

/// The regions of the first sound table: ID, first byte and size of each.
fn regions(file: &File) -> io::Result<Vec<(u128, u64, u64)>> {
    let length = file.metadata()?.len();
    for at in REGIONS {
        let Some(table) = summed(file, at, TABLE_BYTES, *b"regi")? else { continue };
        let count = usize::try_from(u32_at(&table, 8)).unwrap_or(usize::MAX).min(2047);
        let entries = table[16..].chunks_exact(32).take(count);
        let regions: Vec<_> =
            entries.map(|entry| (u128_at(entry, 0), u64_at(entry, 16), u64::from(u32_at(entry, 24)))).collect();
        if let Some((_, at, _)) = regions.iter().find(|(_, at, bytes)| at.saturating_add(*bytes) > length) {
            return Err(malformed(format!("a region at byte {at}, behind its end")));
        }
        return Ok(regions);
    }
    Err(malformed("no table of regions with a right checksum"))
}

/// A piece with this signature and a right CRC-32C, which stands behind the signature and counts as zeros.
fn summed(file: &File, at: u64, bytes: usize, signature: [u8; 4]) -> io::Result<Option<Vec<u8>>> {
    let mut piece = vec![0; bytes];
    file.read_exact_at(&mut piece, at)?;
    let says = u32_at(&piece, 4);
    let mut counted = piece.clone();
    counted[4..8].fill(0);
    Ok((piece.starts_with(&signature) && crc32c(&counted) == says).then_some(piece))
}

/// The items of the region of metadata.
struct Metadata(Vec<u8>);

impl Metadata {
    fn read(file: &File, (at, bytes): (u64, u64)) -> io::Result<Self> {
        let length = usize::try_from(bytes.min(2 * MIB)).unwrap_or_default();
        let mut region = vec![0; length];
        file.read_exact_at(&mut region, at)?;
        if length < TABLE_BYTES || !region.starts_with(b"metadata") {
            return Err(malformed("its metadata has no signature"));
        }
        Ok(Self(region))
    }

    /// `count` bytes from byte `at` of an item on.
    fn item(&self, wanted: u128, at: usize, count: usize) -> io::Result<&[u8]> {
        let entries = usize::from(u16::from_le_bytes([self.0[10], self.0[11]])).min(2047);
        let mut table = self.0[32..].chunks_exact(32).take(entries);
        let place = table.find(|entry| u128_at(entry, 0) == wanted).map(|entry| u32_at(entry, 16) as usize);
        let bytes = place.and_then(|place| self.0.get(place.checked_add(at)?..)?.get(..count));
        bytes.ok_or_else(|| malformed(format!("no item {wanted:#034x} in its metadata")))
    }

    fn u32(&self, item: u128, at: usize) -> io::Result<u32> {
        Ok(u32_at(self.item(item, at, 4)?, 0))
    }

    fn u64(&self, item: u128, at: usize) -> io::Result<u64> {
        Ok(u64_at(self.item(item, at, 8)?, 0))
    }
}
