//! The boot: that the machine became ready, as what, and in what time.

mod machine;
mod manager;
mod record;
mod root;
mod timing;
mod units;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AnyCheck, pattern::Pattern};

pub use machine::Machine;
pub use manager::{Manager, Stages};
pub use record::{BootEnd, BootRecord, Ready};
pub use timing::BootTime;
pub use units::Units;

/// What is expected of the boot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// Whether every processor that the machine was given has to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus_as_given: Option<bool>,
    /// The units that may fail; an empty list says that none may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_units: Option<Vec<String>>,
    /// What `/proc/version` has to hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<Pattern>,
    /// The share of the memory given that the kernel has to leave to the system, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_percent: Option<u32>,
    /// Whether the machine has to become ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    /// How often a unit may be started again during the boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarts: Option<u32>,
    /// The type of the file system at `/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_filesystem: Option<String>,
    /// Seconds within which the machine has to settle, by accelerator (`kvm`, `tcg`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub settled_within: BTreeMap<String, u32>,
    /// The state that the service manager has to be in, as in `running`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_state: Option<String>,
    /// Whether UEFI has to have started the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uefi: Option<bool>,
}

/// The checks of this topic, by ID.
pub static CHECKS: &[&dyn AnyCheck] = &[
    &machine::CpusAsGiven,
    &machine::KernelExpected,
    &machine::MemoryAsGiven,
    &units::NoFailedUnits,
    &units::NoRestartLoops,
    &Ready,
    &root::RootFilesystem,
    &timing::SettledInTime,
    &manager::SystemRunning,
    &machine::Uefi,
];
