//! The frames of a network in a file that tcpdump and Wireshark read: pcap, in microseconds, as smoltcp writes it
//! (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html>).

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use smoltcp::{
    phy::{PcapLinkType, PcapSink},
    time::Instant,
};

/// How long a capture may become, in bytes.
pub const MOST: u64 = 256 << 20;
/// What stands before each frame, in bytes.
const HEAD: u64 = 16;

/// A file that frames are written to. Clones write to the same one.
#[derive(Clone, Debug)]
pub struct Capture(Arc<Mutex<Tape>>);

/// What came of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Captured {
    /// How many frames are in the file.
    pub frames: u64,
    /// How many came when it was full.
    pub left_out: u64,
}

#[derive(Debug)]
struct Tape {
    file: BufWriter<File>,
    /// How much of the file is left, in bytes.
    room: u64,
    captured: Captured,
    /// Nothing is written any more.
    ended: bool,
    /// Why a write failed.
    failed: Option<io::Error>,
}

impl Capture {
    /// A capture that begins now, into an empty file.
    #[must_use]
    pub fn begin(file: File) -> Self {
        Self::of(file, MOST)
    }

    fn of(file: File, room: u64) -> Self {
        let captured = Captured { frames: 0, left_out: 0 };
        let mut tape = Tape { file: BufWriter::new(file), room, captured, ended: false, failed: None };
        tape.global_header(PcapLinkType::Ethernet);
        Self(Arc::new(Mutex::new(tape)))
    }

    /// A frame was seen.
    pub(super) fn frame(&self, frame: &[u8]) {
        let mut tape = self.tape();
        if tape.ended || tape.failed.is_some() {
            return;
        }
        // One that is shorter than the first that does not fit is left out as well: what is there has no gaps.
        if tape.captured.left_out > 0 || tape.room < HEAD + frame.len() as u64 {
            tape.captured.left_out += 1;
            return;
        }
        tape.captured.frames += 1;
        tape.packet(Instant::from_micros(Timestamp::now().as_microsecond()), frame);
    }

    /// Ends it, for all clones; the file is whole then.
    ///
    /// # Errors
    /// What a write failed with, where one did.
    pub fn end(&self) -> io::Result<Captured> {
        let mut tape = self.tape();
        tape.ended = true;
        match tape.failed.take() {
            Some(error) => Err(error),
            None => Write::flush(&mut tape.file).map(|()| tape.captured),
        }
    }

    fn tape(&self) -> MutexGuard<'_, Tape> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PcapSink for Tape {
    fn write(&mut self, data: &[u8]) {
        if self.failed.is_none() {
            self.failed = self.file.write_all(data).err();
            self.room = self.room.saturating_sub(data.len() as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use jiff::Timestamp;
    use pcap_parser::{Linktype, PcapCapture};

    use super::{Capture, Captured};

    #[test]
    fn another_reader_finds_each_frame_and_when_it_was_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lab.pcap");
        let capture = Capture::begin(File::create(&path).unwrap());
        let frames = [vec![1; 14], vec![2; 1514], vec![3; 69_000]];
        let before = Timestamp::now().as_second();
        for frame in &frames {
            capture.clone().frame(frame);
        }
        assert_eq!(capture.end().unwrap(), Captured { frames: 3, left_out: 0 });
        capture.frame(b"after the end");
        drop(capture);
        let bytes = fs::read(&path).unwrap();
        let read = PcapCapture::from_file(&bytes).unwrap();
        assert!(!read.header.is_nanosecond_precision() && !read.header.is_bigendian());
        assert_eq!((read.header.network, read.header.snaplen), (Linktype::ETHERNET, 256 * 1024));
        assert_eq!(read.blocks.iter().map(|block| block.data).collect::<Vec<_>>(), frames);
        for block in &read.blocks {
            assert_eq!((block.data.len(), block.origlen), (block.caplen as usize, block.caplen), "whole");
            assert!((before..=before + 60).contains(&i64::from(block.ts_sec)) && block.ts_usec < 1_000_000);
        }
    }

    #[test]
    fn one_that_is_full_ends_and_counts_what_it_leaves_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lab.pcap");
        let capture = Capture::of(File::create(&path).unwrap(), 24 + 2 * (16 + 100) + 20);
        for length in [100, 100, 100, 2, 100] {
            capture.frame(&vec![7; length]);
        }
        assert_eq!(capture.end().unwrap(), Captured { frames: 2, left_out: 3 }, "the short ones that came later too");
        let bytes = fs::read(&path).unwrap();
        assert_eq!(PcapCapture::from_file(&bytes).unwrap().blocks.len(), 2);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_told_at_the_end() {
        let capture = Capture::begin(File::options().write(true).open("/dev/full").unwrap());
        for _ in 0..100 {
            capture.frame(&[0; 1500]);
        }
        assert_eq!(capture.end().unwrap_err().raw_os_error(), Some(28));
    }
}
