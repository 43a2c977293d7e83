//! A FAT file system, read-only and distrusted.
//!
//! The `fatfs` crate, which writes our own volumes, is not used: it follows chains in circles, computes with cluster
//! numbers that it has not looked at, and refuses the small FAT32 volumes that firmware and Linux accept.

use std::io;

use super::volume::Volume;
use crate::image::{
    escaped,
    little_endian::{u16_at, u32_at},
};

/// The most files, folders within folders, and bytes of folders that are read.
const MAX_FILES: usize = 2048;
const MAX_DEPTH: usize = 16;
const MAX_FOLDER_BYTES: u64 = 8 << 20;

const READ_ONLY_TO_ARCHIVE: u8 = 0x3f;
const LONG_NAME: u8 = 0x0f;
const VOLUME_ID: u8 = 0x08;
const FOLDER: u8 = 0x10;

/// Why a file system cannot be read.
#[derive(Debug)]
pub(super) enum FatError {
    Malformed(String),
    Io(io::Error),
}

impl From<io::Error> for FatError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn malformed<T>(why: impl Into<String>) -> Result<T, FatError> {
    Err(FatError::Malformed(why.into()))
}

/// A file, by its path from the root.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) bytes: u32,
    cluster: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Fat12,
    Fat16,
    Fat32,
}

/// An opened file system.
pub(super) struct Fat<'v, 'd, 'f> {
    volume: &'v mut Volume<'d, 'f>,
    width: Width,
    table: u64,
    data: u64,
    cluster_bytes: u64,
    clusters: u32,
    root: Root,
    folder_bytes: u64,
}

#[derive(Clone, Copy)]
enum Root {
    Region { at: u64, bytes: u64 },
    Cluster(u32),
}

impl<'v, 'd, 'f> Fat<'v, 'd, 'f> {
    /// Reads the first sector.
    pub(super) fn open(volume: &'v mut Volume<'d, 'f>) -> Result<Self, FatError> {
        let mut boot = [0; 512];
        volume.read_at(0, &mut boot)?;
        let byte = |at: usize| u64::from(boot[at]);
        let short = |at: usize| u64::from(u16_at(&boot, at));
        let long = |at: usize| u64::from(u32_at(&boot, at));
        let either = |short: u64, long: u64| if short == 0 { long } else { short };
        let (sector, per_cluster, reserved, copies) = (short(11), byte(13), short(14), byte(16));
        if boot[510..] != [0x55, 0xaa] || ![512, 1024, 2048, 4096].contains(&sector) {
            return malformed("no FAT file system");
        }
        let (table_sectors, sectors) = (either(short(22), long(36)), either(short(19), long(32)));
        let root_sectors = (short(17) * 32).div_ceil(sector);
        let data_sector = reserved + copies * table_sectors + root_sectors;
        let sound = per_cluster.is_power_of_two()
            && reserved > 0
            && (1..=2).contains(&copies)
            && table_sectors > 0
            && data_sector < sectors;
        if !sound || sectors * sector > volume.bytes() {
            return malformed(format!("a FAT file system of {sectors} sectors on {} bytes", volume.bytes()));
        }
        let clusters = (sectors - data_sector) / per_cluster;
        let width = match clusters {
            _ if short(22) == 0 => Width::Fat32,
            0..4085 => Width::Fat12,
            4085..65525 => Width::Fat16,
            _ => return malformed(format!("{clusters} clusters, too many for FAT16")),
        };
        let bits = match width {
            Width::Fat12 => 12,
            Width::Fat16 => 16,
            Width::Fat32 => 32,
        };
        if clusters > 0x0fff_fff5 || (clusters + 2) * bits > table_sectors * sector * 8 {
            return malformed(format!("{clusters} clusters, more than its table holds"));
        }
        let region = Root::Region { at: (data_sector - root_sectors) * sector, bytes: short(17) * 32 };
        Ok(Self {
            root: if width == Width::Fat32 { Root::Cluster(u32_at(&boot, 44)) } else { region },
            width,
            table: reserved * sector,
            data: data_sector * sector,
            cluster_bytes: per_cluster * sector,
            clusters: u32::try_from(clusters).unwrap_or(0),
            folder_bytes: 0,
            volume,
        })
    }

    /// Every file, folders in the order of the disk.
    pub(super) fn files(&mut self) -> Result<Vec<Entry>, FatError> {
        let mut files = Vec::new();
        let mut folders = vec![(String::new(), self.root, 0)];
        while let Some((path, root, depth)) = folders.pop() {
            if depth > MAX_DEPTH {
                return malformed(format!("folders more than {MAX_DEPTH} deep"));
            }
            let content = self.folder(root)?;
            for (name, is_folder, cluster, bytes) in entries(&content) {
                // The upper half of the number means something else before FAT32.
                let cluster = if self.width == Width::Fat32 { cluster } else { cluster & 0xffff };
                let path = if path.is_empty() { name } else { format!("{path}/{name}") };
                if is_folder {
                    folders.push((path, Root::Cluster(cluster), depth + 1));
                } else {
                    files.push(Entry { path, bytes, cluster });
                }
                if files.len() + folders.len() > MAX_FILES {
                    return malformed(format!("more than {MAX_FILES} files"));
                }
            }
        }
        Ok(files)
    }

    /// `N` bytes of a file from byte `at` on; `None` if it is shorter.
    pub(super) fn start_of<const N: usize>(&mut self, file: &Entry, at: u32) -> Result<Option<[u8; N]>, FatError> {
        let (at, end) = (u64::from(at), u64::from(at) + N as u64);
        if end > u64::from(file.bytes) {
            return Ok(None);
        }
        let mut cluster = file.cluster;
        for _ in 0..at / self.cluster_bytes {
            cluster = match self.next(cluster)? {
                Some(next) => next,
                None => return malformed(format!("{} ends before its size", file.path)),
            };
        }
        let mut bytes = [0; N];
        let mut inside = at % self.cluster_bytes;
        let mut rest = &mut bytes[..];
        loop {
            let room = usize::try_from(self.cluster_bytes - inside).unwrap_or(N).min(rest.len());
            let (part, more) = rest.split_at_mut(room);
            let start = self.place(cluster)? + inside;
            self.volume.read_at(start, part)?;
            if more.is_empty() {
                return Ok(Some(bytes));
            }
            (rest, inside) = (more, 0);
            cluster = match self.next(cluster)? {
                Some(next) => next,
                None => return malformed(format!("{} ends before its size", file.path)),
            };
        }
    }

    /// All of a file that is no longer than `most` bytes; `None` if it is.
    pub(super) fn whole(&mut self, file: &Entry, most: u32) -> Result<Option<Vec<u8>>, FatError> {
        if file.bytes > most {
            return Ok(None);
        }
        let mut content = vec![0; usize::try_from(file.bytes).unwrap_or(0)];
        let step = usize::try_from(self.cluster_bytes).unwrap_or(usize::MAX);
        let mut cluster = Some(file.cluster);
        for part in content.chunks_mut(step) {
            let Some(here) = cluster else { return malformed(format!("{} ends before its size", file.path)) };
            let start = self.place(here)?;
            self.volume.read_at(start, part)?;
            cluster = self.next(here)?;
        }
        Ok(Some(content))
    }

    fn folder(&mut self, root: Root) -> Result<Vec<u8>, FatError> {
        let mut content = Vec::new();
        let (mut at, mut bytes, mut cluster) = match root {
            Root::Region { at, bytes } => (at, bytes, None),
            Root::Cluster(cluster) => (self.place(cluster)?, self.cluster_bytes, Some(cluster)),
        };
        loop {
            // Also what ends chains that go in circles.
            self.folder_bytes += bytes;
            if self.folder_bytes > MAX_FOLDER_BYTES {
                return malformed(format!("folders of more than {MAX_FOLDER_BYTES} bytes"));
            }
            let from = content.len();
            content.resize(from + usize::try_from(bytes).unwrap_or(0), 0);
            self.volume.read_at(at, &mut content[from..])?;
            cluster = match cluster {
                Some(cluster) => self.next(cluster)?,
                None => None,
            };
            let Some(next) = cluster else { return Ok(content) };
            (at, bytes) = (self.place(next)?, self.cluster_bytes);
        }
    }

    /// The byte at which a cluster begins.
    fn place(&self, cluster: u32) -> Result<u64, FatError> {
        match cluster.checked_sub(2) {
            Some(number) if number < self.clusters => Ok(self.data + u64::from(number) * self.cluster_bytes),
            _ => malformed(format!("cluster {cluster} of {}", self.clusters)),
        }
    }

    /// The cluster after one that has a place; `None` at the end of its chain.
    fn next(&mut self, cluster: u32) -> Result<Option<u32>, FatError> {
        self.place(cluster)?;
        let number = u64::from(cluster);
        let (at, end) = match self.width {
            Width::Fat12 => (number + number / 2, 0xff8),
            Width::Fat16 => (number * 2, 0xfff8),
            Width::Fat32 => (number * 4, 0x0fff_fff8),
        };
        let mut entry = [0; 4];
        let length = if self.width == Width::Fat32 { 4 } else { 2 };
        self.volume.read_at(self.table + at, &mut entry[..length])?;
        let word = u32::from_le_bytes(entry);
        let next = match self.width {
            Width::Fat12 if cluster.is_multiple_of(2) => word & 0xfff,
            Width::Fat12 => word >> 4,
            Width::Fat16 => word,
            Width::Fat32 => word & 0x0fff_ffff,
        };
        Ok((next < end).then_some(next))
    }
}

/// Name, whether a folder, first cluster and size of each entry of a folder.
fn entries(content: &[u8]) -> Vec<(String, bool, u32, u32)> {
    let mut found = Vec::new();
    let mut long: Vec<[u16; 13]> = Vec::new();
    let mut sum = 0;
    for entry in content.as_chunks::<32>().0 {
        let kind = entry[11] & READ_ONLY_TO_ARCHIVE;
        match entry[0] {
            0 => break,
            0xe5 => long.clear(),
            first if kind == LONG_NAME => {
                // The last part comes first, marked.
                if first & 0x40 != 0 || sum != entry[13] {
                    long.clear();
                }
                sum = entry[13];
                if long.len() < 20 {
                    long.push(units(entry));
                }
            }
            _ => {
                let name = if long.is_empty() || sum != checksum(entry) { short_name(entry) } else { long_name(&long) };
                long.clear();
                if kind & VOLUME_ID == 0 && name != "." && name != ".." {
                    let cluster = u32::from(u16_at(entry, 20)) << 16 | u32::from(u16_at(entry, 26));
                    found.push((name, kind & FOLDER != 0, cluster, u32_at(entry, 28)));
                }
            }
        }
    }
    found
}

fn units(entry: &[u8; 32]) -> [u16; 13] {
    let places = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
    places.map(|at| u16_at(entry, at))
}

fn long_name(parts: &[[u16; 13]]) -> String {
    let units: Vec<u16> = parts.iter().rev().flatten().copied().take_while(|unit| *unit != 0).collect();
    harmless(&String::from_utf16_lossy(&units))
}

fn short_name(entry: &[u8; 32]) -> String {
    // Windows NT keeps the case of names that fit eight and three.
    let part = |bytes: &[u8], lower: bool| {
        let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        let text = text.trim_end_matches(' ');
        if lower { text.to_ascii_lowercase() } else { text.to_owned() }
    };
    let (base, ending) = (part(&entry[..8], entry[12] & 8 != 0), part(&entry[8..11], entry[12] & 16 != 0));
    harmless(&if ending.is_empty() { base } else { format!("{base}.{ending}") })
}

/// A name with nothing in it that could be taken for a path or that acts on a terminal.
fn harmless(name: &str) -> String {
    escaped(name).replace('/', "\\u{2f}")
}

fn checksum(entry: &[u8; 32]) -> u8 {
    entry[..11].iter().fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte))
}
