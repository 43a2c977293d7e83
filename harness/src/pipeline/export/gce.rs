//! What Google Compute Engine imports: a gzipped tar archive in GNU tar's old format with the one sparse member
//! `disk.raw`, a disk of whole GiB.
//!
//! After Google's "Manually import boot disks": `tar --format=oldgnu -Sczf name.tar.gz disk.raw`. It is written in one
//! pass over the image, without the raw disk ever being a file; the `tar` crate and flate2 read it back.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    sync::atomic::AtomicBool,
};

use flate2::{Compression, bufread::GzDecoder, write::GzEncoder};
use tar::Archive;

use super::{
    compare::{equal_stream, go_on, is_zero, step},
    flaw::Flaw,
    tape::{self, Piece},
};
use crate::image::Disk;

/// The name of the member.
const MEMBER: &str = "disk.raw";
/// What a disk is counted in, in bytes.
pub(super) const UNIT: u64 = 1 << 30;
/// Zeros in whole blocks of this size are left out, in bytes.
const GRAIN: u64 = 4096;
/// Zeros between two pieces that are less than this are stored: each piece takes room too.
const GAP: u64 = 32 << 10;

/// Writes the archive of a disk that is made `bytes` bytes long, and gives how many of them it stores.
///
/// # Errors
/// What the system says of reading or writing, or [`Flaw::Cancelled`].
pub(super) fn write(disk: &mut Disk<'_>, bytes: u64, to: &File, cancel: &AtomicBool) -> Result<u64, Flaw> {
    let pieces = pieces(disk, cancel)?;
    let stored = pieces.iter().map(|(_, length)| length).sum();
    let mut out = GzEncoder::new(BufWriter::with_capacity(1 << 18, to), Compression::fast());
    out.write_all(&tape::sparse(MEMBER, bytes, &pieces)?)?;
    let mut buffer = vec![0; step(u64::MAX)];
    for (mut at, mut left) in pieces {
        while left > 0 {
            go_on(cancel)?;
            let part = &mut buffer[..step(left)];
            disk.read_at(at, part)?;
            out.write_all(part)?;
            at += part.len() as u64;
            left -= part.len() as u64;
        }
    }
    out.write_all(&vec![0; tape::padding(stored)])?;
    out.write_all(&tape::END)?;
    out.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok(stored)
}

/// The pieces of a disk that are not zeros.
fn pieces(disk: &mut Disk<'_>, cancel: &AtomicBool) -> Result<Vec<Piece>, Flaw> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut buffer = vec![0; step(u64::MAX)];
    let mut at = 0;
    while at < disk.bytes() {
        go_on(cancel)?;
        let run = disk.run(at)?;
        let left = run.bytes.min(disk.bytes() - at);
        if run.hole {
            at += left;
            continue;
        }
        let part = &mut buffer[..step(left)];
        disk.read_at(at, part)?;
        for (number, block) in (0..).zip(part.chunks(step(GRAIN))) {
            if is_zero(block) {
                continue;
            }
            let (start, length) = (at + number * GRAIN, block.len() as u64);
            match pieces.last_mut() {
                Some((first, held)) if start - (*first + *held) < GAP => *held = start + length - *first,
                _ => pieces.push((start, length)),
            }
        }
        at += part.len() as u64;
    }
    Ok(pieces)
}

/// Reads the archive back, and holds its disk, which has to be of `want` bytes, against the image's.
///
/// # Errors
/// [`Flaw`] says what is wrong with it.
pub(super) fn prove(source: &mut Disk<'_>, file: &File, want: u64, cancel: &AtomicBool) -> Result<(), Flaw> {
    let mut cursor = file;
    cursor.seek(SeekFrom::Start(0))?;
    let mut archive = Archive::new(GzDecoder::new(BufReader::with_capacity(1 << 18, cursor)));
    let mut entries = archive.entries()?;
    let mut entry = entries.next().ok_or_else(|| Flaw::metadata("its archive is empty"))??;
    let name = entry.path_bytes().into_owned();
    if name != MEMBER.as_bytes() {
        let name = String::from_utf8_lossy(&name).escape_debug().to_string();
        return Err(Flaw::metadata(format!("its archive's member is `{name}`, not `{MEMBER}`")));
    }
    let header = entry.header();
    if header.as_gnu().is_none() || !header.entry_type().is_gnu_sparse() {
        return Err(Flaw::metadata(format!("its {MEMBER} is no sparse member of GNU tar's old format")));
    }
    let size = entry.size();
    if !size.is_multiple_of(UNIT) {
        return Err(Flaw::metadata(format!("its {MEMBER} of {size} bytes is no whole number of GiB")));
    }
    if size != want {
        return Err(Flaw::Size { got: size, want });
    }
    equal_stream(source, &mut entry, want, cancel)?;
    drop(entry);
    if entries.next().transpose()?.is_some() {
        return Err(Flaw::metadata(format!("its archive holds more than {MEMBER}")));
    }
    // What follows the archive, and the checksum that the gzip stream ends with.
    let mut stream = archive.into_inner();
    io::copy(&mut stream.by_ref(), &mut io::sink())?;
    match stream.into_inner().read(&mut [0])? {
        0 => Ok(()),
        _ => Err(Flaw::metadata("something follows its gzip stream")),
    }
}
