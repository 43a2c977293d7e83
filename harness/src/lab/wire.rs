//! A stream of frames to one QEMU: each frame after its length in four bytes, as `-netdev stream` has it.

use std::{
    collections::VecDeque,
    io,
    os::{fd::OwnedFd, unix::net::UnixStream as StdStream},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UnixStream,
};

/// The longest frame that QEMU sends, in bytes.
const LONGEST: usize = 4096 + 65_536;
/// How much may wait to be sent before frames are dropped, in bytes: a card that is not read loses them.
const MOST: usize = 1 << 20;
/// How much is read at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// Our end.
pub(super) struct Wire {
    stream: UnixStream,
    /// What was read and is no whole frame yet, from `start` on.
    arrived: Vec<u8>,
    start: usize,
    leaving: VecDeque<u8>,
}

impl Wire {
    /// Both ends; the second one is for QEMU.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = StdStream::pair()?;
        ours.set_nonblocking(true)?;
        let stream = UnixStream::from_std(ours)?;
        let wire = Self { stream, arrived: Vec::new(), start: 0, leaving: VecDeque::new() };
        Ok((wire, theirs.into()))
    }

    /// The next frame, once it is whole; nothing when QEMU has gone, or spoke otherwise than it does.
    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        loop {
            if let Some(length) = self.arrived.get(self.start..self.start + 4) {
                let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
                if length > LONGEST {
                    return Poll::Ready(None);
                }
                let from = self.start + 4;
                if let Some(frame) = self.arrived.get(from..from + length) {
                    let frame = frame.to_vec();
                    self.start = from + length;
                    return Poll::Ready(Some(frame));
                }
            }
            self.arrived.drain(..self.start);
            self.start = 0;
            let held = self.arrived.len();
            self.arrived.resize(held + CHUNK, 0);
            let mut buffer = ReadBuf::new(&mut self.arrived[held..]);
            let read = Pin::new(&mut self.stream).poll_read(cx, &mut buffer);
            let length = buffer.filled().len();
            self.arrived.truncate(held + length);
            match ready!(read) {
                Ok(()) if length > 0 => {}
                _ => return Poll::Ready(None),
            }
        }
    }

    /// Puts a frame among those that are to be sent.
    pub(super) fn send(&mut self, frame: &[u8]) {
        let Ok(length) = u32::try_from(frame.len()) else { return };
        if self.leaving.len() + frame.len() <= MOST {
            self.leaving.extend(length.to_be_bytes());
            self.leaving.extend(frame);
        }
    }

    /// Sends what QEMU takes, and says whether it took anything.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        while !self.leaving.is_empty() {
            let (front, _) = self.leaving.as_slices();
            match Pin::new(&mut self.stream).poll_write(cx, front) {
                Poll::Ready(Ok(length)) => {
                    self.leaving.drain(..length);
                    moved = true;
                }
                // Its end is seen where it is read.
                Poll::Ready(Err(_)) => self.leaving.clear(),
                Poll::Pending => break,
            }
        }
        moved
    }

    /// Whether it takes no more for now.
    pub(super) fn is_full(&self) -> bool {
        self.leaving.len() > MOST / 2
    }
}
