//! Kernel modules: that those the image lives on are loaded, loadable and built for its kernels, and do their work.

mod autoload;
mod blocks;
mod bpf;
mod btf;
mod builds;
mod devices;
mod handshake;
mod loaded;
mod nftables;
mod overlays;
mod trials;
mod wireguard;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::AnyCheck;

pub use autoload::{Autoload, Named};
pub use blocks::Blocks;
pub use bpf::Bpf;
pub use btf::Btf;
pub use builds::{Build, ZfsBuilds};
pub use devices::Devices;
pub use handshake::Tunnel;
pub use loaded::LoadedModules;
pub use nftables::NfTables;
pub use overlays::Overlays;
pub use wireguard::WireGuard;

/// What is expected of kernel modules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// Whether every module that is named for loading at boot has to be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoload: Option<bool>,
    /// Modules that have to be blocked, by a blacklist or an install line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocked: Vec<String>,
    /// The kinds of BPF programs that have to load: `cgroup`, `filter`, `tracing`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bpf: Vec<String>,
    /// Whether the kernel has to describe its types (BTF), which eBPF programs need.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub btf: Option<bool>,
    /// The kinds of virtual devices that the kernel has to make: `bond`, `bridge`, `dummy`, `fuse`, `macvlan`, `tun`,
    /// `veth`, `vhost-net`, `vhost-vsock`, `vlan`, `vxlan`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<String>,
    /// Whether two `WireGuard` interfaces have to shake hands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshake: Option<bool>,
    /// Modules that have to be loaded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub loaded: Vec<String>,
    /// Modules that must not be blocked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needed: Vec<String>,
    /// Whether nftables has to filter and to translate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nftables: Option<bool>,
    /// The file systems on which an overlay has to take writes: `tmpfs`, and that of /var/tmp.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overlays: Vec<String>,
    /// Whether `WireGuard` has to be loadable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wireguard: Option<bool>,
    /// Whether every installed kernel has to have a ZFS module built for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zfs_built: Option<bool>,
}

/// The checks of this topic, by ID.
pub static CHECKS: &[&dyn AnyCheck] = &[
    &autoload::AutoloadFound,
    &blocks::BlockedAsExpected,
    &bpf::BpfLoads,
    &btf::BtfPresent,
    &devices::DevicesWork,
    &loaded::Loaded,
    &blocks::NeededNotBlocked,
    &nftables::NfTablesWork,
    &overlays::OverlaysWork,
    &handshake::WireGuardHandshake,
    &wireguard::WireGuardLoadable,
    &builds::ZfsBuilt,
];
