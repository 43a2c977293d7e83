//! The serial console: kept, followed line by line, and read for what ends a wait.

use std::{
    collections::VecDeque,
    io::{PipeReader, PipeWriter},
    os::fd::OwnedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use kverify_checks::{boot::BootEnd, console};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::unix::pipe,
    sync::Mutex as AsyncMutex,
    task::JoinHandle,
};

use super::life::Life;

/// How much of the console is kept, in bytes. A guest that floods loses the middle, never the beginning or the end.
const KEPT_AT_BEGINNING: usize = 8 * 1024 * 1024;
const KEPT_AT_END: usize = 4 * 1024 * 1024;
/// A longer line is read in pieces of this many bytes.
const LONGEST_LINE: usize = 4096;

/// What a machine wrote to its serial console.
#[derive(Clone)]
pub struct Console {
    state: Arc<Mutex<State>>,
}

struct State {
    beginning: Vec<u8>,
    end: VecDeque<u8>,
    left_out: u64,
    line: Vec<u8>,
    last_line: String,
    last_heard: Instant,
    login_prompt: bool,
}

/// The keys of the terminal that a serial console is on.
pub(super) struct Terminal(AsyncMutex<pipe::Sender>);

impl Terminal {
    /// It, and the end of its pipe that QEMU reads.
    ///
    /// # Errors
    /// What the system says when no pipe can be made.
    pub(super) fn open() -> std::io::Result<(Self, PipeReader)> {
        let (reader, writer) = std::io::pipe()?;
        let sender = pipe::Sender::from_owned_fd(OwnedFd::from(writer))?;
        Ok((Self(AsyncMutex::new(sender)), reader))
    }

    /// Sends what its keys stand for.
    ///
    /// # Errors
    /// What the system says when nobody reads.
    pub(super) async fn send(&self, bytes: Vec<u8>) -> std::io::Result<()> {
        self.0.lock().await.write_all(&bytes).await
    }
}

impl Console {
    /// A console and the end of the pipe that QEMU has to open for writing.
    ///
    /// # Errors
    /// What the system says when no pipe can be made.
    pub(crate) fn open(life: Life) -> std::io::Result<(Self, PipeWriter, JoinHandle<()>)> {
        let (reader, writer) = std::io::pipe()?;
        let state = State {
            beginning: Vec::new(),
            end: VecDeque::new(),
            left_out: 0,
            line: Vec::new(),
            last_line: String::new(),
            last_heard: Instant::now(),
            login_prompt: false,
        };
        let console = Self { state: Arc::new(Mutex::new(state)) };
        let follower = tokio::spawn(follow(receiver(reader)?, console.clone(), life));
        Ok((console, writer, follower))
    }

    /// Everything kept, as bytes; where something was left out, a line says how much.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let state = self.lock();
        let mut all = state.beginning.clone();
        if state.left_out > 0 {
            all.extend(format!("\n[kverify: {} bytes left out here]\n", state.left_out).bytes());
        }
        all.extend(&state.end);
        all
    }

    /// How many bytes have come.
    pub(crate) fn heard(&self) -> u64 {
        let state = self.lock();
        (state.beginning.len() + state.end.len()) as u64 + state.left_out
    }

    /// What came after the first `heard` bytes, as far as it is kept.
    pub(crate) fn since(&self, heard: u64) -> Vec<u8> {
        let state = self.lock();
        let skip = |left: u64| usize::try_from(left).unwrap_or(usize::MAX);
        let beginning = state.beginning.iter().skip(skip(heard));
        let before_end = state.beginning.len() as u64 + state.left_out;
        beginning.chain(state.end.iter().skip(skip(heard.saturating_sub(before_end)))).copied().collect()
    }

    /// The last `count` lines that say something, made harmless.
    #[must_use]
    pub fn tail(&self, count: usize) -> Vec<String> {
        let bytes = self.bytes();
        let from = bytes.len().saturating_sub(64 * 1024);
        let text = String::from_utf8_lossy(&bytes[from..]).into_owned();
        let lines: Vec<_> = text.split(['\n', '\r']).map(|line| console::plain(line).trim_end().to_owned()).collect();
        let said: Vec<_> = lines.into_iter().filter(|line| !line.trim().is_empty()).collect();
        said[said.len().saturating_sub(count)..].to_vec()
    }

    /// The last line, made harmless.
    #[must_use]
    pub fn last_line(&self) -> String {
        self.lock().last_line.clone()
    }

    /// When it last said something.
    #[must_use]
    pub fn last_heard(&self) -> Instant {
        self.lock().last_heard
    }

    /// Whether it said anything at all.
    #[must_use]
    pub fn has_spoken(&self) -> bool {
        !self.lock().beginning.is_empty()
    }

    /// Whether it asked for a login.
    #[must_use]
    pub fn asks_for_login(&self) -> bool {
        self.lock().login_prompt
    }

    /// Forgets a prompt of a system that is about to boot again.
    pub(crate) fn begins_again(&self) {
        self.lock().login_prompt = false;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn receiver(reader: PipeReader) -> std::io::Result<pipe::Receiver> {
    pipe::Receiver::from_owned_fd(OwnedFd::from(reader))
}

async fn follow(mut pipe: pipe::Receiver, console: Console, life: Life) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length) = pipe.read(&mut buffer).await
        && length > 0
    {
        let ends = console.lock().take(&buffer[..length]);
        for end in ends {
            life.ended(end);
        }
    }
}

impl State {
    /// Keeps what came, and gives what its lines say of the end of the boot.
    fn take(&mut self, bytes: &[u8]) -> Vec<BootEnd> {
        self.last_heard = Instant::now();
        let room = KEPT_AT_BEGINNING.saturating_sub(self.beginning.len()).min(bytes.len());
        self.beginning.extend(&bytes[..room]);
        self.end.extend(&bytes[room..]);
        let over = self.end.len().saturating_sub(KEPT_AT_END);
        self.end.drain(..over);
        self.left_out += over as u64;
        let mut ends = Vec::new();
        for &byte in bytes {
            if byte == b'\n' || byte == b'\r' || self.line.len() >= LONGEST_LINE {
                ends.extend(self.finish_line());
            }
            if byte != b'\n' && byte != b'\r' {
                self.line.push(byte);
            }
        }
        // A prompt has no line end.
        if self.line.ends_with(b" ") {
            self.login_prompt |= self.line.ends_with(b" login: ");
            ends.extend(console::fatal(&String::from_utf8_lossy(&self.line)));
        }
        ends
    }

    fn finish_line(&mut self) -> Option<BootEnd> {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        let plain = console::plain(&line);
        let said = plain.trim();
        if !said.is_empty() {
            said.clone_into(&mut self.last_line);
        }
        console::fatal(&plain)
    }
}
