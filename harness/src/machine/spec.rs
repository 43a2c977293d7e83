//! What a machine is made of, before anything is started.

use std::{fmt, ops::RangeInclusive, path::PathBuf, str::FromStr, time::Duration};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use kverify_checks::scenarios::Bus;
use serde::{Deserialize, Serialize};

/// The hardware that a guest is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Virtual CPUs.
    pub cpus: u32,
    /// How its instructions are run.
    pub accel: AccelChoice,
    /// How its disk is attached.
    pub bus: Bus,
    /// What its network card is plugged into.
    #[serde(default)]
    pub network: Network,
    /// What it begins with.
    #[serde(default)]
    pub firmware: FirmwareChoice,
    /// The variables that its firmware begins with, keys of Secure Boot among them; `None` takes those that come with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware_vars: Option<PathBuf>,
    /// How long the boot may take; `None` takes the accelerator's default.
    pub deadline: Option<Duration>,
    /// What its clock says when it is switched on (UTC); `None` takes the host's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<DateTime>,
}

impl Spec {
    /// How much memory a machine can be given, in MiB.
    pub const MEMORY_MIB: RangeInclusive<u64> = 256..=1_048_576;
    /// How many virtual CPUs.
    pub const CPUS: RangeInclusive<u32> = 1..=255;

    /// What the clock of a machine says that is switched on now.
    pub(crate) fn switched_on(&self) -> Timestamp {
        let set = self.clock.and_then(|clock| clock.to_zoned(TimeZone::UTC).ok());
        set.map_or_else(Timestamp::now, |clock| clock.timestamp())
    }
}

/// What a machine begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FirmwareChoice {
    /// UEFI that starts whatever the disk holds.
    #[default]
    Uefi,
    /// UEFI that starts only what is signed by a key among its variables.
    UefiSecureBoot,
}

impl FirmwareChoice {
    /// As it is written.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Uefi => "uefi",
            Self::UefiSecureBoot => "uefi-secure-boot",
        }
    }
}

impl FromStr for FirmwareChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = [Self::Uefi, Self::UefiSecureBoot].into_iter().find(|firmware| firmware.word() == text);
        known.ok_or_else(|| format!("`{text}` is no firmware; there are uefi and uefi-secure-boot"))
    }
}

/// The network around a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// Made by kverify, the same on every host: it sees what the guest wants of the world.
    #[default]
    Lab,
    /// QEMU's own user network, closed.
    Slirp,
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lab => "lab, closed: addresses, names and time are kverify's own, and nothing beyond is reached",
            Self::Slirp => "slirp, closed: the guest reaches nothing, and only its ssh port is reached",
        })
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = [Self::Lab, Self::Slirp].into_iter().find(|network| network.word() == text);
        known.ok_or_else(|| format!("`{text}` is not a network; there are lab and slirp"))
    }
}

impl Network {
    /// As it is written.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Lab => "lab",
            Self::Slirp => "slirp",
        }
    }
}

/// The caller's choice of accelerator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccelChoice {
    /// KVM if a guest really runs on it, else TCG.
    #[default]
    Auto,
    /// KVM or nothing.
    Kvm,
    /// Software emulation.
    Tcg,
}

/// How a guest's instructions are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accel {
    /// By the host's CPU.
    Kvm,
    /// By emulation.
    Tcg,
}

impl Accel {
    /// How long a boot may take where the caller says nothing.
    #[must_use]
    pub fn deadline(self) -> Duration {
        match self {
            Self::Kvm => Duration::from_mins(2),
            Self::Tcg => Duration::from_mins(10),
        }
    }

    pub(crate) fn argument(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg,thread=multi",
        }
    }
}

impl fmt::Display for Accel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        })
    }
}

impl FromStr for AccelChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = [Self::Auto, Self::Kvm, Self::Tcg].into_iter().find(|choice| choice.word() == text);
        known.ok_or_else(|| format!("`{text}` is not an accelerator; there are auto, kvm and tcg"))
    }
}

impl AccelChoice {
    /// As it is written.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }
}
