//! What a sealed image must be: a system that no machine has been made of yet, judged by what stands on its disk.
//!
//! Its own system does not run while it is looked at, and every snapshot is looked into. That two machines made of it
//! become two is judged on two of them.

mod absent;
mod accounts;
mod cloud;
mod exported;
mod free_blocks;
mod hostid;
mod machine_id;
mod trees;
mod twins;
mod unread;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::AnyCheck;

pub use exported::Labels;
pub use free_blocks::{Content, FreeBlocks, PartContent};
pub use hostid::{HostIdOnDisk, HostIdPolicy};
pub use trees::{File, Found, Tree, Trees};
pub use twins::{Named, Seeded, TwinNames, Twins};

/// The program that answers for every fact about the trees; it is called [`WALK_NAME`] where it runs.
pub const WALK: &str = include_str!("seal/walk.sh");
/// The name of [`WALK`].
pub const WALK_NAME: &str = "kverify-walk";

/// What is expected of a sealed image. The lists name what may be there all the same: paths or names, `*` for any part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// Files of authorized keys that may stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorized_keys: Option<Vec<String>>,
    /// Files of cloud-init's state that may stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud_init: Option<Vec<String>>,
    /// The data sources that cloud-init has to ask, among others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data_sources: Vec<String>,
    /// Whether the pools have to be exported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exported: Option<bool>,
    /// The file that tells the first boot that it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_boot: Option<String>,
    /// How much of the free space of the pools may hold anything but zeros, in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_mib: Option<u64>,
    /// Histories of shells and programs that may stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub histories: Option<Vec<String>>,
    /// SSH host keys that may stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_keys: Option<Vec<String>>,
    /// Whether all machines share one host ID, or each makes its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostid: Option<HostIdPolicy>,
    /// Rules that give network cards of one machine a name, which may stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface_rules: Option<Vec<String>>,
    /// Leases and what belongs to them that may stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leases: Option<Vec<String>>,
    /// Logs that may have content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs: Option<Vec<String>>,
    /// Whether the machine ID has to be empty or `uninitialized`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<bool>,
    /// Users and groups that may have the hash of a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_hashes: Option<Vec<String>>,
    /// Files that may hold a private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_keys: Option<Vec<String>>,
    /// Seeds of random numbers, and what else is derived from the first boot, that may stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random_seeds: Option<Vec<String>>,
    /// Files that may hold what looks like a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Vec<String>>,
    /// Temporary files that may stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temporary_files: Option<Vec<String>>,
    /// Whether two machines made of it have to differ in what identifies them, and take the names they are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twins: Option<bool>,
    /// File systems, volumes and snapshots that need not be looked into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<Vec<String>>,
}

/// The checks of this topic, by ID.
pub static CHECKS: &[&dyn AnyCheck] = &[
    &absent::AUTHORIZED_KEYS,
    &absent::CLOUD_INIT,
    &cloud::DataSourcesDeclared,
    &unread::EverythingRead,
    &cloud::FirstBootSet,
    &free_blocks::FreeBlocksEmpty,
    &absent::HISTORIES,
    &absent::HOST_KEYS,
    &hostid::HostIdAsDeclared,
    &absent::INTERFACE_RULES,
    &absent::LEASES,
    &absent::LOGS,
    &machine_id::MachineIdEmpty,
    &accounts::PasswordHashesAbsent,
    &exported::PoolsExported,
    &absent::PRIVATE_KEYS,
    &absent::RANDOM_SEEDS,
    &absent::SECRETS,
    &absent::TEMPORARY_FILES,
    &twins::TwinsDiffer,
    &twins::TwinsNamed,
];
