//! What `qemu-img check` says of an image: only QEMU knows all that its format can hold.
//!
//! It is started on the open file, after our own reading found nothing in the header that could lead elsewhere.

use std::{
    io::{self, Read},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use kverify_checks::{Exit, Output, Probe};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};

use super::Image;

/// Why there is no answer of `qemu-img check`, not even a bad one.
#[derive(Debug, thiserror::Error)]
pub enum ConsistencyError {
    /// The program is not there.
    #[error("{program}: no such program; Debian's package qemu-utils has it")]
    Missing {
        /// What was to be started.
        program: String,
    },
    /// It could not be started or watched.
    #[error("{program}: cannot be run")]
    Run {
        /// What was to be started.
        program: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Image {
    /// Runs `qemu-img check --output=json` on the open file, within the limits of `probe`, which names the question.
    ///
    /// The exit status is that of qemu-img: 0 sound, 2 corrupt, 3 leaks, 63 for formats without tables such as raw.
    ///
    /// # Errors
    /// [`ConsistencyError`] if qemu-img could not be run.
    pub fn consistency(&self, probe: &Probe) -> Result<Output, ConsistencyError> {
        self.checked_by("qemu-img", probe)
    }

    fn checked_by(&self, program: &str, probe: &Probe) -> Result<Output, ConsistencyError> {
        let mut command = Command::new(program);
        command.args(["check", "--output=json", "-f", &self.format().to_string()]).arg(self.fd_path());
        command.env_clear().env("LC_ALL", "C").env("TZ", "UTC");
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        bounded(&mut command, probe).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => ConsistencyError::Missing { program: program.to_owned() },
            _ => ConsistencyError::Run { program: program.to_owned(), source },
        })
    }
}

/// Runs a program to its end or its time limit, and keeps the beginning of what it says.
fn bounded(command: &mut Command, probe: &Probe) -> io::Result<Output> {
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let stdout = kept(child.stdout.take(), probe.bound);
    let stderr = kept(child.stderr.take(), probe.bound);
    let ended = ended_within(&mut child, probe.limit);
    if !matches!(ended, Ok(Some(_))) {
        child.kill()?;
        child.wait()?;
    }
    let (stdout, cut_stdout) = stdout.join().unwrap_or_default();
    let (stderr, cut_stderr) = stderr.join().unwrap_or_default();
    let exit = ended?.map_or(Exit::TimedOut, |status| match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or(0)),
    });
    Ok(Output { exit, stdout, stderr, truncated: cut_stdout || cut_stderr, took: begun.elapsed() })
}

/// Waits for the end of `child`; `None` if it did not end in time.
fn ended_within(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&left)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Reads a stream to its end, so that its writer never waits, and keeps the first `bound` bytes.
fn kept(stream: Option<impl Read + Send + 'static>, bound: usize) -> thread::JoinHandle<(String, bool)> {
    thread::spawn(move || {
        let Some(mut stream) = stream else { return (String::new(), false) };
        let mut text = Vec::new();
        let _ = stream.by_ref().take(bound as u64).read_to_end(&mut text);
        let more = io::copy(&mut stream, &mut io::sink()).unwrap_or(0);
        (String::from_utf8_lossy(&text).into_owned(), more > 0)
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use kverify_checks::{Exit, Fact, Probe, image::Consistency};

    use super::super::{
        Image,
        samples::{Samples, patch},
    };

    fn probe() -> Probe {
        Consistency::probes().remove(0)
    }

    fn found(image: &Image) -> Consistency {
        let output = image.consistency(&probe()).unwrap();
        Consistency::parse(std::slice::from_ref(&output)).unwrap_or_else(|why| panic!("{why}: {output:?}"))
    }

    #[test]
    fn a_sound_image_a_leak_and_a_corruption_are_told_apart() {
        let samples = Samples::new();
        let path = samples.converted("a.qcow2", "qcow2", "");
        let says = |corruptions, leaks| Consistency::Checked { format: "qcow2".to_owned(), corruptions, leaks };
        assert_eq!(found(&Image::open(&path).unwrap()), says(0, 0));
        // A cluster that is counted, and that nothing points to. The counts, of two bytes, stand in the third cluster.
        let clusters = std::fs::metadata(&path).unwrap().len().div_ceil(0x1_0000);
        std::fs::File::options().write(true).open(&path).unwrap().set_len((clusters + 1) * 0x1_0000).unwrap();
        patch(&path, &[(0x2_0000 + clusters * 2, &[0, 1])]);
        assert_eq!(found(&Image::open(&path).unwrap()), says(0, 1));
        // The L2 table is the fifth cluster.
        patch(&path, &[(0x2_0008, &[0, 0])]);
        assert!(matches!(found(&Image::open(&path).unwrap()), Consistency::Checked { corruptions: 1.., .. }));
    }

    #[test]
    fn raw_has_nothing_to_check() {
        let samples = Samples::new();
        let image = Image::open(samples.path("disk.raw")).unwrap();
        assert_eq!(image.consistency(&probe()).unwrap().exit, Exit::Code(63));
        assert_eq!(found(&image), Consistency::NothingToCheck);
    }

    #[test]
    fn a_program_that_is_missing_hangs_or_babbles_ends_all_the_same() {
        let samples = Samples::new();
        let image = Image::open(samples.path("disk.raw")).unwrap();
        let program = |name: &str, script: &str| {
            use std::os::unix::fs::PermissionsExt;
            let path = samples.file(name, format!("#!/bin/sh\n{script}\n"));
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path.display().to_string()
        };
        let error = image.checked_by("no-such-qemu-img", &probe()).unwrap_err().to_string();
        assert_eq!(error, "no-such-qemu-img: no such program; Debian's package qemu-utils has it");

        let begun = Instant::now();
        let hangs = program("hangs", "exec sleep 60");
        let output = image.checked_by(&hangs, &probe().limit(Duration::from_millis(200))).unwrap();
        assert_eq!(output.exit, Exit::TimedOut);
        assert!(begun.elapsed() < Duration::from_secs(30));

        let babbles = program("babbles", "yes | head -c 1000000; exit 2");
        let output = image.checked_by(&babbles, &probe().bound(1000)).unwrap();
        assert_eq!((output.exit, output.stdout.len(), output.truncated), (Exit::Code(2), 1000, true));

        let dies = program("dies", "kill -11 $$");
        assert_eq!(image.checked_by(&dies, &probe()).unwrap().exit, Exit::Signal(11));

        let clean = program("clean", "env");
        let output = image.checked_by(&clean, &probe()).unwrap();
        assert!(!output.stdout.contains("CARGO") && output.stdout.contains("LC_ALL=C"), "{}", output.stdout);
    }
}
