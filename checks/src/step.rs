//! Steps: what is done to a machine, and what has to come of it. Data only; the harness carries them out.

use std::time::Duration;

use serde::Deserialize;

/// One step. In a file it is a table with one key, the step's name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// A shell script, run as root under `set -e`, has to end with status 0.
    Run(Script),
    /// A script has to say what it said the last time that a step of this name ran it.
    Same(Named),
    /// A script has to say something that it has not said before in a step of this name.
    Differs(Named),
    /// These checks have to pass now, as far as the expectation asks for them.
    Expect(Vec<String>),
    /// Somebody logs in anew.
    Login(Nothing),
    /// The guest reboots itself, and settles again.
    Reboot(Nothing),
    /// The power button is pressed, and the guest powers itself off.
    PowerOff(Within),
    /// The power is cut, once the console says something or at once.
    Crash(Crash),
    /// The power comes back, and the machine settles again.
    Start(Nothing),
    /// The disk grows while the machine runs.
    Grow(Grow),
}

/// A script and its time limit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// What it is for, in words.
    pub about: String,
    /// POSIX shell.
    pub script: String,
    /// Seconds that it may take.
    #[serde(default = "five_minutes")]
    pub within: u64,
}

/// A script whose output is remembered under a name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// The name, in words.
    pub name: String,
    /// POSIX shell.
    pub script: String,
}

/// A step without settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// A time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Within {
    /// In seconds.
    pub within: u64,
}

/// When the power is cut.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crash {
    /// Once the console has said these words.
    pub when: Option<String>,
}

/// By how much a disk grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grow {
    /// In MiB.
    pub mib: u64,
}

fn five_minutes() -> u64 {
    300
}

impl Script {
    /// How long it may take.
    #[must_use]
    pub fn limit(&self) -> Duration {
        Duration::from_secs(self.within)
    }
}

impl Step {
    /// What it does, in words.
    #[must_use]
    pub fn about(&self) -> String {
        match self {
            Self::Run(script) => script.about.clone(),
            Self::Same(named) => format!("the same {} as before", named.name),
            Self::Differs(named) => format!("another {} than before", named.name),
            Self::Expect(checks) => format!("holds: {}", checks.join(", ")),
            Self::Login(_) => "log in anew".to_owned(),
            Self::Reboot(_) => "reboot".to_owned(),
            Self::PowerOff(limit) => format!("power button, off within {} s", limit.within),
            Self::Crash(Crash { when: Some(words) }) => format!("cut the power once the console says `{words}`"),
            Self::Crash(_) => "cut the power".to_owned(),
            Self::Start(_) => "power on".to_owned(),
            Self::Grow(grow) => format!("grow the disk by {} MiB", grow.mib),
        }
    }

    /// Whether it can fail by what the guest does, beyond being carried out.
    #[must_use]
    pub fn demands(&self) -> bool {
        !matches!(self, Self::Crash(_) | Self::Grow(_))
    }
}
