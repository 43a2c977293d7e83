//! Two disks held against each other, byte by byte: the image's, and that in a file which was made of it.
//!
//! What both readers call a hole is not read; what only one of them calls a hole has to be zeros in the other.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
    sync::atomic::{AtomicBool, Ordering},
};

use super::flaw::Flaw;
use crate::image::{Disk, Run, run_of_file};

/// How much is compared at once, in bytes.
const STEP: usize = 1 << 20;
pub(super) static ZEROS: [u8; STEP] = [0; STEP];

/// A disk as the reader of one format sees it.
pub(super) trait Content {
    /// Size of the disk, in bytes.
    fn bytes(&self) -> u64;
    /// The piece of one kind that begins at byte `at`, which lies inside the disk; it may go on behind its end.
    fn run(&mut self, at: u64) -> io::Result<Run>;
    /// Fills `buffer` from byte `at`; all of it lies inside the disk, and inside one run.
    fn read_at(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<()>;
}

impl Content for Disk<'_> {
    fn bytes(&self) -> u64 {
        Disk::bytes(self)
    }

    fn run(&mut self, at: u64) -> io::Result<Run> {
        Disk::run(self, at)
    }

    fn read_at(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        Disk::read_at(self, at, buffer)
    }
}

/// The first bytes of a file, as they stand there.
pub(super) struct Plain<'a> {
    /// The file.
    pub(super) file: &'a File,
    /// How many of its bytes are the disk.
    pub(super) bytes: u64,
}

impl Content for Plain<'_> {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn run(&mut self, at: u64) -> io::Result<Run> {
        run_of_file(self.file, at, self.bytes)
    }

    fn read_at(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, at)
    }
}

/// Whether `copy` is a disk of `want` bytes that begins with all of `source`, and goes on with zeros.
///
/// # Errors
/// [`Flaw`] names the first byte that differs, or what cannot be read.
pub(super) fn equal(source: &mut Disk<'_>, copy: &mut dyn Content, want: u64, cancel: &AtomicBool) -> Result<(), Flaw> {
    if copy.bytes() != want || want < source.bytes() {
        return Err(Flaw::Size { got: copy.bytes(), want });
    }
    let bytes = source.bytes();
    let (mut source, mut copy) = (Walk::over(source), Walk::over(copy));
    let mut at = 0;
    while at < want {
        go_on(cancel)?;
        let other = copy.run(at)?;
        let run = if at < bytes { source.run(at)? } else { Run { bytes: want - at, hole: true } };
        let both = run.bytes.min(other.bytes);
        if run.hole && other.hole {
            at += both;
            continue;
        }
        let length = step(both);
        let (left, right) = (source.piece(run, at, length)?, copy.piece(other, at, length)?);
        if let Some(place) = first_difference(left, right) {
            let at = at + place;
            return Err(if at < bytes { Flaw::Differs { at } } else { Flaw::NotZero { at } });
        }
        at += length as u64;
    }
    Ok(())
}

/// The same of a disk that can only be read from its beginning to its end.
pub(super) fn equal_stream(
    source: &mut Disk<'_>,
    copy: &mut dyn Read,
    want: u64,
    cancel: &AtomicBool,
) -> Result<(), Flaw> {
    let bytes = source.bytes();
    let mut source = Walk::over(source);
    let mut right = vec![0; STEP];
    let mut at = 0;
    while at < want {
        go_on(cancel)?;
        let run = if at < bytes { source.run(at)? } else { Run { bytes: want - at, hole: true } };
        let right = &mut right[..step(run.bytes)];
        copy.read_exact(right).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Flaw::Size { got: at, want },
            _ => error.into(),
        })?;
        if let Some(place) = first_difference(source.piece(run, at, right.len())?, right) {
            let at = at + place;
            return Err(if at < bytes { Flaw::Differs { at } } else { Flaw::NotZero { at } });
        }
        at += right.len() as u64;
    }
    match copy.read(&mut right[..1])? {
        0 => Ok(()),
        _ => Err(Flaw::metadata(format!("its disk goes on behind byte {want}"))),
    }
}

/// A disk read forward: a run is asked for once.
struct Walk<'a> {
    disk: &'a mut dyn Content,
    end: u64,
    hole: bool,
    buffer: Vec<u8>,
}

impl<'a> Walk<'a> {
    fn over(disk: &'a mut dyn Content) -> Self {
        Self { disk, end: 0, hole: false, buffer: vec![0; STEP] }
    }

    /// The rest of the run that byte `at` is in, as far as the disk goes.
    fn run(&mut self, at: u64) -> io::Result<Run> {
        if at >= self.end {
            let run = self.disk.run(at)?;
            self.hole = run.hole;
            self.end = at.saturating_add(run.bytes).min(self.disk.bytes());
        }
        Ok(Run { bytes: self.end - at, hole: self.hole })
    }

    /// A piece of a run; of a hole, zeros that nobody read.
    fn piece(&mut self, run: Run, at: u64, length: usize) -> io::Result<&[u8]> {
        if run.hole {
            return Ok(&ZEROS[..length]);
        }
        let buffer = &mut self.buffer[..length];
        self.disk.read_at(at, buffer)?;
        Ok(buffer)
    }
}

fn first_difference(left: &[u8], right: &[u8]) -> Option<u64> {
    if left == right {
        return None;
    }
    left.iter().zip(right).position(|(left, right)| left != right).map(|place| place as u64)
}

/// Whether all of it is zeros.
pub(super) fn is_zero(part: &[u8]) -> bool {
    part.chunks(STEP).all(|part| *part == ZEROS[..part.len()])
}

/// As much as is read at once.
pub(super) fn step(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(STEP).min(STEP)
}

pub(super) fn go_on(cancel: &AtomicBool) -> Result<(), Flaw> {
    if cancel.load(Ordering::Relaxed) { Err(Flaw::Cancelled) } else { Ok(()) }
}
