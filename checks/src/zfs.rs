//! Pools, datasets and snapshots, as the guest's own ZFS tools, its kernel and the labels on the disk tell.

mod ashift_fits;
mod compression_set;
mod datasets;
mod datasets_mounted;
mod hostid;
mod initramfs_hostid;
mod mounts;
mod pool_named;
mod pool_properties;
mod pool_status;
mod pools_healthy;
mod snapshots_present;
mod vdev;
mod versions;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::AnyCheck;

pub use datasets::{Dataset, Datasets};
pub use hostid::HostIds;
pub use initramfs_hostid::InitramfsHostId;
pub use mounts::{Mount, Mounts};
pub use pool_properties::PoolProperties;
pub use pool_status::{DataErrors, Pool, PoolStatus};
pub use vdev::Vdev;
pub use versions::Versions;

/// What is expected of the pools.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// The sector size of the pool's devices, as a power of two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ashift: Option<u64>,
    /// `on` or `off`, for every pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autotrim: Option<String>,
    /// The dataset that the pool boots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bootfs: Option<String>,
    /// The compression of every file system, as in `lz4`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<String>,
    /// Datasets that have to be there and mounted, with their mount points.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub datasets: BTreeMap<String, String>,
    /// Whether the pools have to be healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy: Option<bool>,
    /// Whether the host ids of the system, the module and the pool's labels have to agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostid_agrees: Option<bool>,
    /// Whether the initramfs has to hold the system's host id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initramfs_hostid: Option<bool>,
    /// The name of the pool that `/` is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// The dataset that `/` is mounted from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// Names of snapshots, without dataset and `@`, that the root and every expected dataset have to have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<String>,
    /// Whether tools and module have to be of one release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versions_agree: Option<bool>,
}

/// The checks of this topic, by ID.
pub static CHECKS: &[&dyn AnyCheck] = &[
    &ashift_fits::AshiftFits,
    &pool_properties::AutotrimSet,
    &pool_properties::BootfsSet,
    &compression_set::CompressionSet,
    &datasets_mounted::DatasetsMounted,
    &datasets_mounted::DatasetsPresent,
    &hostid::HostIdAgrees,
    &initramfs_hostid::InitramfsHostIdAgrees,
    &pool_named::PoolNamed,
    &pools_healthy::PoolsHealthy,
    &mounts::RootMounted,
    &snapshots_present::SnapshotsPresent,
    &versions::VersionsAgree,
];
