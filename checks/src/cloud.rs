//! What an image needs to start on a cloud: cloud-init, and the drivers of the platforms that it is meant for.

mod init_status;
mod initramfs;
mod kernel_drivers;
mod platform;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::AnyCheck;

pub use init_status::{InitStatus, Run, Stages};
pub use initramfs::Initramfs;
pub use kernel_drivers::KernelDrivers;
pub use platform::Platform;

/// What is expected of the image on a cloud.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// Whether cloud-init has to be installed, and to have run without error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<bool>,
    /// The platforms that the image is meant for, by a name of your own, with the drivers that they need.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub platforms: BTreeMap<String, Platform>,
}

impl Expected {
    fn platforms_asked(&self) -> Option<BTreeMap<String, Platform>> {
        Some(self.platforms.clone()).filter(|platforms| !platforms.is_empty())
    }
}

/// The checks of this topic, by ID.
pub static CHECKS: &[&dyn AnyCheck] = &[
    &initramfs::DriversInInitramfs,
    &kernel_drivers::DriversInKernel,
    &init_status::InitPresent,
    &init_status::InitWithoutError,
];
