//! Kernel modules: that those the image lives on are loaded, loadable and built for its kernels.

mod btf;
mod builds;
mod loaded;
mod wireguard;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::AnyCheck;

pub use btf::Btf;
pub use builds::{Build, ZfsBuilds};
pub use loaded::LoadedModules;
pub use wireguard::WireGuard;

/// What is expected of kernel modules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// Whether the kernel has to describe its types (BTF), which eBPF programs need.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub btf: Option<bool>,
    /// Modules that have to be loaded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub loaded: Vec<String>,
    /// Whether `WireGuard` has to be loadable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wireguard: Option<bool>,
    /// Whether every installed kernel has to have a ZFS module built for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zfs_built: Option<bool>,
}

/// The checks of this topic, by ID.
pub static CHECKS: &[&dyn AnyCheck] =
    &[&btf::BtfPresent, &loaded::Loaded, &wireguard::WireGuardLoadable, &builds::ZfsBuilt];
