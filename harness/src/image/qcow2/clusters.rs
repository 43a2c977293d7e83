//! Reading the disk of a qcow2 file cluster by cluster.
//!
//! One L2 table and one decompressed cluster are kept, which is what reading forward needs.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
};

use super::{
    super::disk::Run,
    Header,
    bounds::{COMPRESSED, OFFSET, compressed},
    header::Compression,
    words,
};

/// Entry of an L2 table of version 3: the cluster reads as zeros.
const ZERO: u64 = 1;

/// Subclusters of a cluster, where tables are extended.
const SUBCLUSTERS: u64 = 32;

/// The most memory that a Zstandard frame may claim for its window, in bytes: four clusters of the largest size.
const MAX_WINDOW: u64 = 8 << 20;

/// The clusters of a file whose header and tables were found to be in bounds.
#[derive(Debug)]
pub(in crate::image) struct Clusters {
    header: Header,
    l1: Vec<u64>,
    l2: Option<(u64, Vec<u64>)>,
    inflated: Option<(u64, Vec<u8>)>,
}

/// Content that cannot be read as the format says.
fn malformed(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed qcow2: {}", what.into()))
}

impl Clusters {
    /// Reads the L1 table.
    pub(in crate::image) fn new(file: &File, header: &Header) -> io::Result<Self> {
        let used = header.virtual_bytes.div_ceil(header.l2_span());
        let l1 = table(file, header.l1_offset, used * 8)?;
        Ok(Self { header: header.clone(), l1, l2: None, inflated: None })
    }

    /// Fills `buffer` from byte `offset` of the disk; both lie inside the disk.
    pub(in crate::image) fn read(&mut self, file: &File, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            let inside = offset % self.header.cluster();
            let length = usize::try_from(self.header.cluster() - inside).map_or(buffer.len(), |n| n.min(buffer.len()));
            let (part, rest) = buffer.split_at_mut(length);
            self.read_cluster(file, offset, inside, part)?;
            offset += length as u64;
            buffer = rest;
        }
        Ok(())
    }

    /// The clusters of one kind from that of byte `offset` on, as far as one L2 table tells.
    pub(in crate::image) fn run(&mut self, file: &File, offset: u64) -> io::Result<Run> {
        let (span, cluster) = (self.header.l2_span(), self.header.cluster());
        let table_end = (offset / span + 1) * span;
        if self.l1_entry(offset)? == 0 {
            return Ok(Run { bytes: table_end - offset, hole: true });
        }
        let hole = self.is_hole(file, offset)?;
        let mut end = (offset / cluster + 1) * cluster;
        while end < table_end && self.is_hole(file, end)? == hole {
            end += cluster;
        }
        Ok(Run { bytes: end - offset, hole })
    }

    /// Whether the tables alone say that all of a cluster reads as zeros.
    fn is_hole(&mut self, file: &File, offset: u64) -> io::Result<bool> {
        let (entry, bitmap) = self.entry(file, offset)?;
        let zero = self.header.version >= 3 && entry & ZERO != 0;
        Ok(entry & COMPRESSED == 0
            && match bitmap {
                // The lower half says what is allocated.
                Some(bitmap) => bitmap & u64::from(u32::MAX) == 0,
                None => entry & OFFSET == 0 || zero,
            })
    }

    fn read_cluster(&mut self, file: &File, offset: u64, inside: u64, part: &mut [u8]) -> io::Result<()> {
        let (entry, bitmap) = self.entry(file, offset)?;
        let start = entry & OFFSET;
        if entry & COMPRESSED != 0 {
            let cluster = self.inflate(file, entry)?;
            let from = usize::try_from(inside).unwrap_or(usize::MAX);
            let bytes = cluster.get(from..).and_then(|rest| rest.get(..part.len()));
            part.copy_from_slice(bytes.ok_or_else(|| malformed("a short compressed cluster"))?);
            return Ok(());
        }
        if let Some(bitmap) = bitmap {
            return self.read_subclusters(file, start, bitmap, inside, part);
        }
        if start == 0 || (self.header.version >= 3 && entry & ZERO != 0) {
            part.fill(0);
            return Ok(());
        }
        read_to_end(file, start + inside, part)
    }

    fn read_subclusters(
        &self,
        file: &File,
        start: u64,
        bitmap: u64,
        mut inside: u64,
        mut part: &mut [u8],
    ) -> io::Result<()> {
        let size = self.header.cluster() / SUBCLUSTERS;
        while !part.is_empty() {
            let number = inside / size;
            let length = usize::try_from(size - inside % size).map_or(part.len(), |n| n.min(part.len()));
            let (piece, rest) = part.split_at_mut(length);
            let allocated = bitmap >> number & 1 == 1;
            let zero = bitmap >> (SUBCLUSTERS + number) & 1 == 1;
            match (allocated, zero) {
                (true, true) => return Err(malformed("a subcluster both allocated and zero")),
                (true, false) if start == 0 => return Err(malformed("a subcluster allocated nowhere")),
                (true, false) => read_to_end(file, start + inside, piece)?,
                (false, _) => piece.fill(0),
            }
            inside += length as u64;
            part = rest;
        }
        Ok(())
    }

    /// Where the L2 table for byte `offset` is; 0 where there is none.
    fn l1_entry(&self, offset: u64) -> io::Result<u64> {
        let entry = usize::try_from(offset / self.header.l2_span()).ok().and_then(|index| self.l1.get(index));
        Ok(entry.ok_or_else(|| malformed("an L1 table that is too short"))? & OFFSET)
    }

    /// The entry of the L2 table for byte `offset`, and its bitmap where tables are extended.
    fn entry(&mut self, file: &File, offset: u64) -> io::Result<(u64, Option<u64>)> {
        let span = self.header.l2_span();
        let at = self.l1_entry(offset)?;
        if at == 0 {
            return Ok((0, None));
        }
        if self.l2.as_ref().is_none_or(|(kept, _)| *kept != at) {
            self.l2 = Some((at, table(file, at, self.header.cluster())?));
        }
        let words_each = self.header.l2_entry() / 8;
        let index = usize::try_from(((offset % span) >> self.header.cluster_bits) * words_each).unwrap_or(usize::MAX);
        let l2 = self.l2.as_ref().map_or(&[][..], |(_, l2)| l2);
        let word = |index: usize| l2.get(index).copied().ok_or_else(|| malformed("an L2 table that is too short"));
        let bitmap = if self.header.extended_l2 { Some(word(index + 1)?) } else { None };
        Ok((word(index)?, bitmap))
    }

    fn inflate(&mut self, file: &File, entry: u64) -> io::Result<&[u8]> {
        if self.inflated.as_ref().is_none_or(|(kept, _)| *kept != entry) {
            let (start, bytes) = compressed(entry, self.header.cluster_bits);
            let mut packed = vec![0; usize::try_from(bytes).unwrap_or(0)];
            read_to_end(file, start, &mut packed)?;
            let mut cluster = vec![0; usize::try_from(self.header.cluster()).unwrap_or(0)];
            match self.header.compression {
                Compression::Zlib => inflate_zlib(&packed, &mut cluster)?,
                Compression::Zstd => inflate_zstd(&packed, &mut cluster)?,
            }
            self.inflated = Some((entry, cluster));
        }
        Ok(self.inflated.as_ref().map_or(&[], |(_, cluster)| cluster))
    }
}

fn inflate_zlib(packed: &[u8], cluster: &mut [u8]) -> io::Result<()> {
    let mut stream = flate2::Decompress::new(false);
    let ended = stream.decompress(packed, cluster, flate2::FlushDecompress::Finish);
    // What follows the stream in its last sector belongs to the next cluster.
    match ended {
        Ok(_) if stream.total_out() == cluster.len() as u64 => Ok(()),
        _ => Err(malformed("a compressed cluster that does not inflate")),
    }
}

fn inflate_zstd(packed: &[u8], cluster: &mut [u8]) -> io::Result<()> {
    let wrong = |_| malformed("a compressed cluster that does not inflate");
    let mut stream = ruzstd::decoding::StreamingDecoder::new_with_max_window_size(packed, MAX_WINDOW)
        .map_err(|_| malformed("a compressed cluster that does not inflate"))?;
    stream.read_exact(cluster).map_err(wrong)
}

/// The words of a table of `bytes` bytes at byte `at` of the file.
fn table(file: &File, at: u64, bytes: u64) -> io::Result<Vec<u64>> {
    let mut table = vec![0; usize::try_from(bytes).unwrap_or(0)];
    file.read_exact_at(&mut table, at)?;
    Ok(words(&table).collect())
}

/// Reads like QEMU: what lies behind the end of the file is zeros.
fn read_to_end(file: &File, at: u64, buffer: &mut [u8]) -> io::Result<()> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], at + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer[done..].fill(0);
    Ok(())
}
