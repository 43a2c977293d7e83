//! Pools, datasets and snapshots, as the guest's own ZFS tools and the labels on the disk tell.

mod pool_status;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::AnyCheck;

pub use pool_status::PoolStatus;

/// What is expected of the pools.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// The name of the pool that `/` is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
}

/// The checks of this topic, by ID.
pub static CHECKS: &[&dyn AnyCheck] = &[&pool_status::PoolNamed];
