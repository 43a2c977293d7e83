//! How a boot went, as the harness saw it from outside, and whether that is ready.

use serde::{Deserialize, Serialize};

use crate::{
    check::{About, Check, Cost},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{MachineAspect, Output, Probe},
};

/// What the harness saw of a boot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootRecord {
    /// How it ended.
    pub end: BootEnd,
    /// Seconds from the start of QEMU to that end.
    pub seconds: f64,
    /// `kvm` or `tcg`.
    pub accelerator: String,
    /// `uefi`.
    pub firmware: String,
    /// Memory given to the machine, in MiB.
    pub memory_mib: u64,
    /// Virtual CPUs given to the machine.
    pub cpus: u32,
}

/// The ways in which a boot ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum BootEnd {
    /// The system settled: every boot job is done, and somebody could log in.
    Settled,
    /// The firmware found nothing to boot.
    NothingToBoot {
        /// The line of the console that says so.
        line: String,
    },
    /// The kernel panicked.
    Panicked {
        /// The line of the console that says so, or the name of the QMP event.
        line: String,
    },
    /// An initramfs gave up and opened its shell.
    InitramfsShell {
        /// The line of the console that says so.
        line: String,
    },
    /// systemd gave up: its emergency or rescue mode, or it froze.
    EmergencyMode {
        /// The line of the console that says so.
        line: String,
    },
    /// The guest powered itself off.
    PoweredOff,
    /// The guest reset itself again and again.
    ResetLoop {
        /// How often.
        resets: u32,
    },
    /// The machine stopped in this run state (`internal-error`, `io-error` …).
    Stopped {
        /// The QMP run state.
        state: String,
    },
    /// Silent and idle until the deadline.
    Silent {
        /// Seconds since the console last said something.
        quiet_seconds: u64,
    },
}

impl Fact for BootRecord {
    const ID: &'static str = "boot.record";

    fn probes() -> Vec<Probe> {
        vec![Probe::machine(MachineAspect::Boot)]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        serde_json::from_str(out[0].ok()?).map_err(|error| Unreadable::new(error.to_string()))
    }
}

impl std::fmt::Display for BootEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Settled => f.write_str("settled"),
            Self::NothingToBoot { line } => write!(f, "nothing to boot: {line}"),
            Self::Panicked { line } => write!(f, "the kernel panicked: {line}"),
            Self::InitramfsShell { line } => write!(f, "stopped in the initramfs: {line}"),
            Self::EmergencyMode { line } => write!(f, "stopped in emergency mode: {line}"),
            Self::PoweredOff => f.write_str("the guest powered itself off"),
            Self::ResetLoop { resets } => write!(f, "the guest reset itself {resets} times"),
            Self::Stopped { state } => write!(f, "the machine stopped: {state}"),
            Self::Silent { quiet_seconds } => write!(f, "hung: silent and idle for {quiet_seconds} s"),
        }
    }
}

/// The machine boots to a settled system.
pub struct Ready;

impl Check for Ready {
    type Fact = BootRecord;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "boot.ready",
            demand: "the machine boots from its disk to a settled system",
            remedy: "read console.log and the screenshot; the last lines name the stage that failed",
            key: "boot.ready",
            cost: Cost::Quick,
            needs: &[],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.boot.ready == Some(true)).then_some(())
    }

    fn judge(&self, got: &BootRecord, (): &()) -> Verdict {
        Verdict::of(got.end == BootEnd::Settled, "settled", format_args!("{} after {:.1} s", got.end, got.seconds))
    }
}
