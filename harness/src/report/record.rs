//! The record of a run: what was tested, against what, on which machine, and what came of it.

use std::fmt;

use jiff::Timestamp;
use kverify_checks::{Outcome, SkipCause, Status, network::EgressRecord};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::gate::Waiver;

/// Everything a run of `kverify verify` found out. All views are made from this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Version of kverify that made it.
    pub kverify: String,
    /// The image.
    pub subject: Subject,
    /// What it was compared with.
    pub expectation: Chosen,
    /// SHA-256 over the IDs and probes of the built-in checks, and the program that walks disks: two reports with the same value asked the same.
    pub check_set: String,
    /// The machines that were started.
    pub machines: Vec<MachineRecord>,
    /// One outcome per check, by ID.
    pub outcomes: Vec<Outcome>,
    /// The waivers that let a failure pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waivers: Vec<Waiver>,
    /// SHA-256 of the list of packages (`sbom.cdx.json`, CycloneDX), where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sbom: Option<String>,
    /// SHA-256 of what is known of the image (`facts.json`), by which it is compared with others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<String>,
    /// What all of it says.
    pub verdict: Conclusion,
    /// When the run began (RFC 3339).
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// When it ended.
    #[schemars(with = "String")]
    pub finished: Timestamp,
}

/// The image that was tested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// File name without its folder.
    pub name: String,
    /// `sha256:` and 64 hex digits, over the bytes of the file.
    pub digest: String,
    /// Size of the file, in bytes.
    pub bytes: u64,
    /// `qcow2` or `raw`.
    pub format: String,
    /// Size of the disk inside, in bytes.
    pub disk_bytes: u64,
}

/// The expectation that was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    /// Its name.
    pub name: String,
    /// Who chose it.
    pub chosen_by: ChosenBy,
    /// SHA-256 of its merged values.
    pub digest: String,
    /// SHA-256 of the advisory file that packages were compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advisories: Option<String>,
}

/// Who chose the expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChosenBy {
    /// The caller, by name or file.
    Caller,
    /// The guest, by its os-release: an image can then choose what it is compared with.
    Guest,
    /// Nobody: the machine never said what it is, so only what every golden image must be was asked.
    Nobody,
}

/// One machine of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MachineRecord {
    /// Its name in the report.
    pub id: String,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Virtual CPUs.
    pub cpus: u32,
    /// `uefi`, or `uefi-secure-boot`, which starts only what is signed.
    pub firmware: String,
    /// The digest of the variables that its firmware began with, where they say what it starts, or were the caller's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware_vars: Option<String>,
    /// `kvm` or `tcg`.
    pub accelerator: String,
    /// Why that one.
    pub accelerator_why: String,
    /// Version of QEMU.
    pub qemu: String,
    /// `cold`, or `fork_of` and the time at which the cold machine was captured.
    pub boot: String,
    /// How probes were carried.
    pub carrier: Carrier,
    /// Whose account was used.
    pub access: Access,
    /// The network around it, in words.
    pub network: String,
    /// What it wanted of the world until it was captured, where the network is one that sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<EgressRecord>,
    /// Times.
    pub timings: Timings,
    /// Why it could not be captured, where it should have been: what is slow was then asked of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_captured: Option<String>,
    /// The last lines of the serial console, escape sequences gone; empty for a machine that became ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub console_tail: Vec<String>,
}

impl MachineRecord {
    /// Whether it went on from a captured machine.
    #[must_use]
    pub fn is_fork(&self) -> bool {
        self.boot.starts_with(FORK_OF)
    }
}

/// How the boot of a fork begins; the time of the capture follows.
pub(crate) const FORK_OF: &str = "fork_of ";

/// The second machine of an image whose seal is proven.
pub(crate) const TWIN: &str = "cold-2";

/// How probes reached the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Carrier {
    /// One SSH session.
    Ssh,
    /// A root shell on a virtio-serial port.
    Port,
    /// None: the machine never became ready.
    None,
}

/// Whose account was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// A user and key made for this run, brought by a `NoCloud` seed.
    Seeded,
    /// The image's own account, with the caller's credentials.
    Own,
    /// None: a rescue system ran beside the disk, and not the image's own.
    Rescue,
}

/// Seconds from the start of QEMU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timings {
    /// Until the first login, or until a fork's first answer.
    pub login: Option<f64>,
    /// Until the system had settled.
    pub settled: Option<f64>,
    /// Share of the time in which QEMU's threads wanted a processor of the host's and had none, from 0 to 1, until it
    /// settled or came to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starved: Option<f64>,
    /// From settled to the last quick outcome.
    pub quick_checks: Option<f64>,
    /// Of the capture, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<f64>,
    /// From the last quick outcome to the last of all, capture and forks included; of a fork, its own share.
    pub deep_checks: Option<f64>,
}

/// What a run says of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Conclusion {
    /// Everything that was asked holds, and nothing asked was left out.
    Verified,
    /// Everything that was looked at holds, but something asked was filtered or could not be looked at here.
    VerifiedInPart,
    /// At least one check failed.
    Refuted,
    /// It could not be told.
    NoVerdict,
}

impl Conclusion {
    /// What `outcomes` say together. A fail outweighs an error; no pass at all is no verdict.
    #[must_use]
    pub fn of(outcomes: &[Outcome]) -> Self {
        let any = |status| outcomes.iter().any(|outcome| outcome.status == status);
        let left_out = |outcome: &Outcome| matches!(outcome.cause, Some(SkipCause::Filtered | SkipCause::NotHere));
        if any(Status::Fail) {
            Self::Refuted
        } else if any(Status::Error) || !any(Status::Pass) {
            Self::NoVerdict
        } else if outcomes.iter().any(left_out) {
            Self::VerifiedInPart
        } else {
            Self::Verified
        }
    }

    /// The exit status that says so: 0, 1 or 2.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Verified | Self::VerifiedInPart => 0,
            Self::Refuted => 1,
            Self::NoVerdict => 2,
        }
    }
}

impl fmt::Display for Conclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Verified => "verified",
            Self::VerifiedInPart => "verified in part",
            Self::Refuted => "refuted",
            Self::NoVerdict => "no verdict",
        })
    }
}

#[cfg(test)]
mod tests {
    use kverify_checks::{Outcome, SkipCause, Status};

    use super::Conclusion;

    fn outcome(status: Status, cause: Option<SkipCause>) -> Outcome {
        Outcome { cause, ..Outcome::new("topic.property", status) }
    }

    #[test]
    fn only_passes_verify() {
        let pass = outcome(Status::Pass, None);
        let fail = outcome(Status::Fail, None);
        let error = outcome(Status::Error, None);
        let skip = |cause| outcome(Status::Skip, Some(cause));
        let of = |outcomes: &[&Outcome]| Conclusion::of(&outcomes.iter().copied().cloned().collect::<Vec<_>>());
        assert_eq!(of(&[]), Conclusion::NoVerdict);
        assert_eq!(of(&[&skip(SkipCause::NotAsked)]), Conclusion::NoVerdict);
        assert_eq!(of(&[&pass, &skip(SkipCause::NotAsked)]), Conclusion::Verified);
        assert_eq!(of(&[&pass, &skip(SkipCause::Waived)]), Conclusion::Verified);
        assert_eq!(of(&[&pass, &skip(SkipCause::Filtered)]), Conclusion::VerifiedInPart);
        assert_eq!(of(&[&pass, &skip(SkipCause::NotHere)]), Conclusion::VerifiedInPart);
        assert_eq!(of(&[&pass, &error]), Conclusion::NoVerdict);
        assert_eq!(of(&[&pass, &error, &fail]), Conclusion::Refuted);
        let codes = [Conclusion::Verified, Conclusion::VerifiedInPart, Conclusion::Refuted, Conclusion::NoVerdict];
        assert_eq!(codes.map(Conclusion::exit_code), [0, 0, 1, 2]);
    }
}
