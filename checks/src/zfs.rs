//! Pools, datasets and snapshots, as the guest's own ZFS tools, its kernel and the labels on the disk tell.

mod ashift_fits;
mod cachefile;
mod compression_set;
mod datasets;
mod datasets_mounted;
mod features;
mod foreign_pools;
mod hostid;
mod initramfs;
mod initramfs_hostid;
mod mounts;
mod no_holds;
mod packed;
mod parameters;
mod pending;
mod pool_named;
mod pool_properties;
mod pool_room;
mod pool_set;
mod pool_status;
mod pools_healthy;
mod properties_set;
mod scrub;
mod snapshots_present;
mod space_left;
mod units;
mod vdev;
mod versions;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::AnyCheck;

pub use cachefile::{CacheFile, CachedPool, ExpectedCache};
pub use datasets::{Dataset, Datasets};
pub use features::Features;
pub use foreign_pools::ForeignPools;
pub use hostid::HostIds;
pub use initramfs::InitramfsContents;
pub use initramfs_hostid::InitramfsHostId;
pub use mounts::{Mount, Mounts};
pub use parameters::Parameters;
pub use pending::PendingWork;
pub use pool_properties::PoolProperties;
pub use pool_status::{DataErrors, Pool, PoolStatus};
pub use scrub::{Scan, Scrubs};
pub use units::Units;
pub use vdev::Vdev;
pub use versions::Versions;

/// What is expected of the pools.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// The module's `zfs_arc_max`, in bytes; 0 leaves the size of the ARC to the module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arc_max: Option<u64>,
    /// The sector size of the pool's devices, as a power of two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ashift: Option<u64>,
    /// `on` or `off`, for every pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autotrim: Option<String>,
    /// The room that each file system with a mount point has to have left, in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_mib: Option<u64>,
    /// The dataset that the pool boots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bootfs: Option<String>,
    /// What `/etc/zfs/zpool.cache` has to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cachefile: Option<ExpectedCache>,
    /// The share of a pool that may be filled, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity_percent: Option<u64>,
    /// The compression of every file system, as in `lz4`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<String>,
    /// Datasets that have to be there and mounted, with their mount points.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub datasets: BTreeMap<String, String>,
    /// The features of the pools.
    #[serde(skip_serializing_if = "Features::is_empty")]
    pub features: Features,
    /// Names of pools that may be seen on the disks without being imported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreign_pools: Option<Vec<String>>,
    /// How fragmented the free space of a pool may be, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fragmentation_percent: Option<u64>,
    /// Whether the pools have to be healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy: Option<bool>,
    /// Names of snapshots, without dataset and `@`, that may be held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Vec<String>>,
    /// Whether the host ids of the system, the module and the pool's labels have to agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostid_agrees: Option<bool>,
    /// Whether every copy of the initramfs has to have what imports the pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initramfs_carries_zfs: Option<bool>,
    /// Whether the initramfs has to hold the system's host id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initramfs_hostid: Option<bool>,
    /// Whether the pools have to have nothing left to do: no checkpoint, no removal, nothing to free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nothing_pending: Option<bool>,
    /// Parameters of the module, with the values they have to have now and at the next boot.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, u64>,
    /// The name of the pool that `/` is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Properties that every pool has to have, as `zpool get -p` prints them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub pool_properties: BTreeMap<String, String>,
    /// Properties by dataset, as `zfs get -p` prints them; `*` stands for every dataset that is not named with the same.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, BTreeMap<String, String>>,
    /// The dataset that `/` is mounted from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// Whether the last scrub, where there was one, has to be over and to have found nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scrub_clean: Option<bool>,
    /// Names of snapshots, without dataset and `@`, that the root and every expected dataset have to have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<String>,
    /// Units of ZFS, each `enabled`, `disabled`, `static` or `masked`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub units: BTreeMap<String, String>,
    /// Units of ZFS that have to be active.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub units_active: Vec<String>,
    /// Whether tools and module have to be of one release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versions_agree: Option<bool>,
}

/// The checks of this topic, by ID.
pub static CHECKS: &[&dyn AnyCheck] = &[
    &parameters::ArcAsExpected,
    &ashift_fits::AshiftFits,
    &pool_properties::AutotrimSet,
    &pool_properties::BootfsSet,
    &cachefile::CacheFileAsExpected,
    &compression_set::CompressionSet,
    &datasets_mounted::DatasetsMounted,
    &datasets_mounted::DatasetsPresent,
    &features::FeaturesEnabled,
    &features::FeaturesReadable,
    &pool_room::FragmentationLow,
    &hostid::HostIdAgrees,
    &initramfs::InitramfsCarriesZfs,
    &initramfs_hostid::InitramfsHostIdAgrees,
    &scrub::LastScrubClean,
    &foreign_pools::NoForeignPools,
    &no_holds::NoHolds,
    &pending::NothingPending,
    &parameters::ParametersSafe,
    &pool_room::PoolHasRoom,
    &pool_named::PoolNamed,
    &pool_set::PoolPropertiesSet,
    &pools_healthy::PoolsHealthy,
    &properties_set::PropertiesSet,
    &mounts::RootMounted,
    &snapshots_present::SnapshotsPresent,
    &space_left::SpaceLeft,
    &units::UnitsActive,
    &units::UnitsEnabled,
    &versions::VersionsAgree,
];
