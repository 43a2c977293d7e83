//! What a machine is asked, and what came back.
//!
//! A probe is data: the carriers in the harness know how to run it, the facts know how to read it. Two facts that ask
//! the same thing hold equal probes, and the harness then asks once.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::fact::Unreadable;

/// Where the answer to a probe comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A program run as root, by argv, with a clean environment. Never a string spliced from other answers.
    Command(Vec<String>),
    /// A file read as root, by absolute path.
    File(String),
    /// Everything the machine wrote to its serial console, from firmware to the end of the probes.
    Console,
    /// What the harness itself read from the image file; the answer is JSON.
    Image(ImageAspect),
    /// What the harness itself saw of the machine; the answer is JSON.
    Machine(MachineAspect),
    /// A program run as root in a rescue system beside the disk, whose own system does not run; every file system and
    /// snapshot is mounted read-only below `/tree`.
    Offline(Vec<String>),
    /// A program run as root on another machine of the same image, by argv.
    Twin(Vec<String>),
}

/// A side of the image file that is read on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageAspect {
    /// How much of each device of a pool is not zero, as [`crate::seal::Content`].
    Content,
    /// `qemu-img check --output=json`; the exit status is that of qemu-img.
    Consistency,
    /// Partition table, EFI system partition and ZFS labels, as [`crate::image::Layout`].
    Layout,
}

/// A side of the machine that the harness watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MachineAspect {
    /// How the boot went, as [`crate::boot::BootRecord`].
    Boot,
    /// What it wanted of the world so far, as [`crate::network::EgressRecord`].
    Egress,
    /// The address that only the network around it has for [`crate::network::LAB_NAME`], as text.
    LabAddress,
    /// What the seeds of two machines said of them, as [`crate::seal::Seeded`].
    Seeds,
}

/// Whether a probe leaves the machine as it found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Only looks.
    Reads,
    /// Changes something small (loads a module); runs after every probe that only looks.
    Touches,
}

/// One question, with its bounds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Probe {
    /// Where the answer comes from.
    pub source: Source,
    /// Whether asking changes the machine.
    pub effect: Effect,
    /// How long it may take.
    pub limit: Duration,
    /// How many bytes of each output stream are kept; what is longer is marked truncated and cannot be read.
    pub bound: usize,
}

impl Probe {
    fn new(source: Source) -> Self {
        Self { source, effect: Effect::Reads, limit: Duration::from_secs(20), bound: 256 * 1024 }
    }

    /// A program run as root.
    #[must_use]
    pub fn root<const N: usize>(argv: [&str; N]) -> Self {
        Self::new(Source::Command(argv.map(str::to_owned).to_vec()))
    }

    /// A program of a rescue system beside the disk.
    #[must_use]
    pub fn offline<const N: usize>(argv: [&str; N]) -> Self {
        Self::new(Source::Offline(argv.map(str::to_owned).to_vec()))
    }

    /// A program run as root on another machine of the same image.
    #[must_use]
    pub fn twin<const N: usize>(argv: [&str; N]) -> Self {
        Self::new(Source::Twin(argv.map(str::to_owned).to_vec()))
    }

    /// A file read as root.
    #[must_use]
    pub fn file(path: &str) -> Self {
        Self::new(Source::File(path.to_owned()))
    }

    /// The serial console so far.
    #[must_use]
    pub fn console() -> Self {
        Self::new(Source::Console).bound(16 * 1024 * 1024)
    }

    /// A side of the image file.
    #[must_use]
    pub fn image(aspect: ImageAspect) -> Self {
        Self::new(Source::Image(aspect))
    }

    /// A side of the machine that the harness watched.
    #[must_use]
    pub fn machine(aspect: MachineAspect) -> Self {
        Self::new(Source::Machine(aspect))
    }

    /// The same probe, marked as changing the machine.
    #[must_use]
    pub fn touches(mut self) -> Self {
        self.effect = Effect::Touches;
        self
    }

    /// The same probe with another time limit.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The same probe with another bound on its output, in bytes.
    #[must_use]
    pub fn bound(mut self, bytes: usize) -> Self {
        self.bound = bytes;
        self
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(argv) => f.write_str(&argv.join(" ")),
            Self::File(path) => f.write_str(path),
            Self::Offline(argv) => write!(f, "{} in a rescue system", argv.join(" ")),
            Self::Twin(argv) => write!(f, "{} on another machine of the image", argv.join(" ")),
            Self::Console => f.write_str("serial console"),
            Self::Image(ImageAspect::Content) => f.write_str("what is not zero on the pools' devices"),
            Self::Image(ImageAspect::Consistency) => f.write_str("qemu-img check"),
            Self::Image(ImageAspect::Layout) => f.write_str("partition table, EFI system partition and labels"),
            Self::Machine(MachineAspect::Boot) => f.write_str("what the machine did"),
            Self::Machine(MachineAspect::Egress) => f.write_str("what the network around the machine saw"),
            Self::Machine(MachineAspect::LabAddress) => f.write_str("what the network around the machine serves"),
            Self::Machine(MachineAspect::Seeds) => f.write_str("what the machines were given"),
        }
    }
}

/// How a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// It ran to its end with this status; reading a file ends with 0, or 1 where that failed.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// It was still running at its time limit.
    TimedOut,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::TimedOut => f.write_str("timed out"),
        }
    }
}

/// What came back. Text that is not UTF-8 has its bad bytes replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub exit: Exit,
    /// Standard output, or the content of the file.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Whether the bound cut something off.
    pub truncated: bool,
    /// How long it took in the guest.
    pub took: Duration,
}

impl Output {
    /// Standard output of a probe that ended well.
    ///
    /// # Errors
    /// [`Unreadable`] if it ended otherwise, or was cut off.
    pub fn ok(&self) -> Result<&str, Unreadable> {
        match self.exit {
            Exit::Code(0) => self.whole(),
            exit => Err(Unreadable::new(format!("{exit}{}", self.complaint()))),
        }
    }

    /// Standard output whatever the exit status, unless a signal, a time limit or the bound cut it off.
    ///
    /// # Errors
    /// [`Unreadable`] if the output is not the whole answer.
    pub fn whole(&self) -> Result<&str, Unreadable> {
        match self.exit {
            Exit::Code(_) if self.truncated => Err(Unreadable::new("more output than the bound")),
            Exit::Code(_) => Ok(&self.stdout),
            exit => Err(Unreadable::new(format!("{exit}{}", self.complaint()))),
        }
    }

    /// `: ` and the last line of standard error, or nothing.
    fn complaint(&self) -> String {
        let last = self.stderr.lines().rev().find(|line| !line.trim().is_empty());
        last.map_or_else(String::new, |line| format!(": {}", line.trim()))
    }
}
