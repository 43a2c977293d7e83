//! The serial console: what stands on it that must not, and what of that ends the wait for a boot.

mod free_of;
mod log;
mod plain;
mod trouble;
mod watch;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AnyCheck, pattern::Pattern};

pub use log::{ConsoleLog, Sighting};
pub use plain::plain;
pub use trouble::Trouble;
pub use watch::fatal;

/// What is expected of the serial console.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// The kinds of trouble that it must not tell of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub free_of: Vec<Trouble>,
    /// Lines that look like trouble and are known not to be, on this image.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<Pattern>,
}

/// The checks of this topic, by ID.
pub static CHECKS: &[&dyn AnyCheck] = &[
    &free_of::CRASHED_PROGRAMS,
    &free_of::EMERGENCY_MODE,
    &free_of::HUNG_TASKS,
    &free_of::INITRAMFS_SHELL,
    &free_of::KERNEL_OOPS,
    &free_of::KERNEL_PANIC,
    &free_of::KERNEL_WARNING,
    &free_of::LOCKUPS,
    &free_of::ORDERING_CYCLES,
    &free_of::OUT_OF_MEMORY,
    &free_of::REFUSED_MODULES,
    &free_of::STORAGE_ERRORS,
    &free_of::ZFS_PANIC,
];
