//! The boot: that the machine became ready, as what, and in what time.

mod clock;
mod clock_set;
mod command_line;
mod copies;
mod crash_dumps;
mod journal;
mod kernels;
mod kernels_whole;
mod locale;
mod machine;
mod manager;
mod rc_services;
mod record;
mod root;
mod small_files;
mod swap;
mod taint;
mod time_service;
mod timing;
mod unit_file;
mod unit_files;
mod unit_states;
mod units;
mod version;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AnyCheck, pattern::Pattern};

pub use clock::Clock;
pub use command_line::{CommandLines, Words};
pub use copies::{Copies, Copy};
pub use crash_dumps::CrashDumps;
pub use journal::{JournalErrors, KnownError};
pub use kernels::{Entry, Kernels};
pub use locale::Locale;
pub use machine::Machine;
pub use manager::{Manager, Stages};
pub use rc_services::{RcExpected, RcService, RcServices};
pub use record::{BootEnd, BootRecord, Ready};
pub use swap::{Area, Swap, SwapKind};
pub use taint::{Taint, TaintAllowed};
pub use time_service::TimeServices;
pub use timing::{BootTime, StageLimits};
pub use unit_files::UnitFiles;
pub use units::Units;

/// What is expected of the boot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// How many years the clock may be after the build of the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_within_years: Option<u32>,
    /// What the kernel's command line has to hold and what it must not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command_line: Option<Words>,
    /// Whether every processor that the machine was given has to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus_as_given: Option<bool>,
    /// Paths of dumps that may be there; an empty list says that none may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crash_dumps: Option<Vec<Pattern>>,
    /// The target that the boot goes to, as in `multi-user.target`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_target: Option<String>,
    /// Units that must not start at boot by themselves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disabled_units: Vec<String>,
    /// Units that have to start at boot.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub enabled_units: Vec<String>,
    /// Whether the boot loader has to have whole entries, and one for the newest kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries_complete: Option<bool>,
    /// Whether what the boot loader starts has to be what is in `/boot`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries_current: Option<bool>,
    /// The units that may fail; an empty list says that none may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_units: Option<Vec<String>>,
    /// Errors in the journal that are known, by a name of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal_errors: Option<BTreeMap<String, KnownError>>,
    /// What `/proc/version` has to hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<Pattern>,
    /// Whether the running kernel has to be of the build that is in `/boot`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_as_installed: Option<bool>,
    /// Whether each kernel has to have an initramfs and modules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernels_complete: Option<bool>,
    /// The keymap of the console; the kernel's own is `us`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keymap: Option<String>,
    /// The value of `LANG`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// The units that are masked by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub masked_units: Option<Vec<String>>,
    /// The share of the memory given that the kernel has to leave to the system, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_percent: Option<u32>,
    /// Whether the newest installed kernel has to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_kernel: Option<bool>,
    /// Whether nothing may ask for a reboot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_reboot_pending: Option<bool>,
    /// What is expected of OpenRC's services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rc: Option<RcExpected>,
    /// Whether the machine has to become ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    /// How often a unit may be started again during the boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarts: Option<u32>,
    /// The type of the file system at `/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_filesystem: Option<String>,
    /// Whether the hardware clock has to be read as UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtc_utc: Option<bool>,
    /// Seconds within which the machine has to settle, by accelerator (`kvm`, `tcg`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub settled_within: BTreeMap<String, u32>,
    /// Seconds that each stage of the boot may take, by accelerator.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub stages_within: BTreeMap<String, StageLimits>,
    /// The kinds of swap that have to be in use, and no others; an empty list says none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap: Option<Vec<SwapKind>>,
    /// The state that the service manager has to be in, as in `running`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_state: Option<String>,
    /// What may taint the kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taint: Option<TaintAllowed>,
    /// The service that sets the clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_service: Option<String>,
    /// The time zone, as in `UTC` or `Europe/Berlin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Whether UEFI has to have started the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uefi: Option<bool>,
}

/// The checks of this topic, by ID.
pub static CHECKS: &[&dyn AnyCheck] = &[
    &clock_set::ClockPlausible,
    &command_line::CommandLineExpected,
    &machine::CpusAsGiven,
    &unit_states::DefaultTarget,
    &kernels_whole::EntriesComplete,
    &copies::EntriesCurrent,
    &journal::JournalClean,
    &copies::KernelAsInstalled,
    &machine::KernelExpected,
    &kernels_whole::KernelsComplete,
    &locale::KeymapExpected,
    &locale::LocaleExpected,
    &machine::MemoryAsGiven,
    &kernels_whole::NewestKernel,
    &crash_dumps::NoCrashDumps,
    &units::NoFailedUnits,
    &kernels_whole::NoRebootPending,
    &units::NoRestartLoops,
    &Ready,
    &root::RootFilesystem,
    &clock_set::RtcInUtc,
    &rc_services::ServicesStarted,
    &timing::SettledInTime,
    &timing::StagesInTime,
    &swap::SwapAsDeclared,
    &manager::SystemRunning,
    &taint::TaintExpected,
    &time_service::TimeService,
    &clock_set::TimeZoneExpected,
    &machine::Uefi,
    &unit_states::UnitsDisabled,
    &unit_states::UnitsEnabled,
    &unit_states::UnitsMasked,
];
