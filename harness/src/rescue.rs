//! A rescue system: the kernel of an installer medium beside a disk whose own system does not run.
//!
//! A root pool cannot be exported, nor its free blocks be given back to the last, by the system that runs from it. Here
//! it is one pool among others; and a sealed image is looked at without believing anything that stands on it.

mod cpio;
mod offline;

use std::{
    io,
    os::unix::net::UnixStream as StdStream,
    path::Path,
    time::{Duration, Instant},
};

use kverify_checks::{
    boot::BootEnd,
    seal::{WALK, WALK_NAME},
};
use tokio::{io::AsyncReadExt, net::UnixStream, time::sleep};

use crate::{
    image::{Medium, MediumError},
    machine::{Kernel, Machine, MachineError, Off, StartError, with_last_words},
    session::{PortShell, Session, SessionError},
};
use cpio::Cpio;
pub(crate) use offline::{DISK, How, Offline, assignments, devices};

const INIT: &str = include_str!("rescue/init.sh");
/// Where its first program stands.
const INIT_PATH: &str = "kverify-rescue";
/// What the first program says on the port once a shell listens there.
const GREETING: &[u8] = b"kverify-rescue-is-ready\n";
/// How many bytes may come before that.
const MOST_BEFORE: usize = 64 * 1024;

/// A running rescue system with a root shell.
pub(crate) struct Rescue {
    machine: Machine,
    session: Session,
}

/// Why a rescue system is none, or did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum RescueError {
    /// The medium has no kernel to start.
    #[error(transparent)]
    Medium(#[from] MediumError),
    /// The disk that it is to stand beside cannot be read.
    #[error("the disk cannot be read: {0}")]
    Disk(#[source] io::Error),
    /// No machine could be started for it.
    #[error(transparent)]
    Start(#[from] StartError),
    /// There is no memory for its kernel.
    #[error("no memory for the rescue system's kernel: {0}")]
    Memory(io::Error),
    /// Its shell was not there in time.
    #[error("no rescue system within {} s: {said}", .limit.as_secs())]
    Silent {
        /// The deadline.
        limit: Duration,
        /// What its console said last.
        said: String,
    },
    /// It ended.
    #[error("the rescue system ended while {doing}: {how}")]
    Ended {
        /// What it did then.
        doing: &'static str,
        /// How, and what its console said last.
        how: String,
    },
    /// A step did not end with 0.
    #[error("{doing} failed in the rescue system (exit {status}): {said}")]
    Failed {
        /// What it did then.
        doing: &'static str,
        /// The exit status.
        status: i32,
        /// The last lines that it said.
        said: String,
    },
    /// Its shell did not answer.
    #[error("{doing} in the rescue system: {source}")]
    Session {
        /// What it did then.
        doing: &'static str,
        /// Why there is no answer.
        source: SessionError,
    },
    /// QEMU ended.
    #[error(transparent)]
    Machine(#[from] MachineError),
}

/// One thing that a rescue system is told to do.
pub(crate) struct Job<'a> {
    /// What it does, for errors and for those who watch: `importing the pools`.
    pub(crate) doing: &'static str,
    /// A shell script, run by root.
    pub(crate) script: &'a str,
    /// How long it may take.
    pub(crate) limit: Duration,
}

impl Rescue {
    /// The kernel of the medium at `installer`, told to become a rescue system with that host ID (the four bytes of
    /// `/etc/hostid`): a pool that it writes to says afterwards that a system with this ID had it.
    ///
    /// # Errors
    /// [`RescueError::Medium`] where the medium has none.
    pub(crate) fn kernel(installer: &Path, hostid: [u8; 4]) -> Result<Kernel, RescueError> {
        let medium = Medium::read(installer)?;
        let initramfs = Cpio::behind(medium.initramfs)
            .file(INIT_PATH, 0o755, INIT.as_bytes())
            .file(&format!("usr/sbin/{WALK_NAME}"), 0o755, WALK.as_bytes())
            .file("etc/hostid", 0o644, &hostid)
            .finish();
        let words = format!("console=ttyS0,115200 quiet panic=-1 mitigations=off rdinit=/{INIT_PATH}");
        Kernel::new(&medium.kernel, &initramfs, words).map_err(RescueError::Memory)
    }

    /// Waits until the machine, which was started with such a kernel, has a shell.
    ///
    /// # Errors
    /// [`RescueError`] where it has none within the machine's deadline.
    pub(crate) async fn begin(mut machine: Machine) -> Result<Self, RescueError> {
        const DOING: &str = "it booted";
        let lost =
            |source: io::Error| RescueError::Session { doing: DOING, source: SessionError::Ended(source.to_string()) };
        let port = machine.take_port().ok_or_else(|| lost(io::Error::other("it has no port")))?;
        let (limit, begun) = (machine.deadline(), Instant::now());
        let greeted = tokio::select! {
            greeted = greeting(port) => greeted,
            end = machine.over() => {
                return Err(RescueError::Ended { doing: DOING, how: with_last_words(end?, &machine) });
            }
            () = sleep(limit.saturating_sub(begun.elapsed())) => {
                let said = with_last_words("its shell does not answer", &machine);
                return Err(RescueError::Silent { limit, said });
            }
        };
        // Its console speaks of nothing that decides anything from here on.
        machine.settle();
        let shell = greeted.and_then(PortShell::open).map_err(lost)?;
        Ok(Self { machine, session: Session::Port(shell) })
    }

    /// Runs a job and gives what it said.
    ///
    /// # Errors
    /// [`RescueError`] where it did not end with 0 in its time.
    pub(crate) async fn run(&self, job: &Job<'_>) -> Result<String, RescueError> {
        let doing = job.doing;
        let (status, said) = tokio::select! {
            ran = self.session.script(job.script, job.limit) => {
                ran.map_err(|source| RescueError::Session { doing, source })?
            }
            end = self.machine.over() => {
                return Err(self.ended(doing, end));
            }
        };
        if status != 0 {
            return Err(RescueError::Failed { doing, status, said: last_lines(&said) });
        }
        Ok(said)
    }

    fn ended(&self, doing: &'static str, end: Result<BootEnd, MachineError>) -> RescueError {
        match end {
            Ok(end) => RescueError::Ended { doing, how: with_last_words(end, &self.machine) },
            Err(error) => error.into(),
        }
    }

    /// Ends it. What it wrote is on the disk, as far as it has written it back itself.
    pub(crate) async fn end(self) -> Off {
        self.machine.switch_off().await
    }
}

/// Reads until the greeting: what was sent to a line that nobody has opened yet would be lost.
async fn greeting(port: StdStream) -> io::Result<StdStream> {
    port.set_nonblocking(true)?;
    let mut stream = UnixStream::from_std(port)?;
    let mut said = Vec::new();
    while !said.ends_with(GREETING) {
        if said.len() > MOST_BEFORE {
            return Err(io::Error::other("its port said anything but that it is ready"));
        }
        said.push(stream.read_u8().await?);
    }
    stream.into_std()
}

/// The end of what a job said, on one line.
pub(crate) fn last_lines(said: &str) -> String {
    let lines: Vec<_> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match &lines[lines.len().saturating_sub(4)..] {
        [] => "it said nothing".to_owned(),
        lines => lines.join(" | "),
    }
}

#[cfg(test)]
mod tests {
    use super::last_lines;

    #[test]
    fn an_error_shows_the_end_of_what_was_said() {
        assert_eq!(last_lines("\n \n"), "it said nothing");
        assert_eq!(last_lines("a\nb\n\n c \nd\ne\n"), "b | c | d | e");
    }
}
