//! What an image needs to start on a cloud: cloud-init, and the drivers of the platforms that it is meant for.

mod agents;
mod blacklist;
mod config;
mod init_status;
mod initramfs;
mod kernel_drivers;
mod ordering;
mod pins;
mod platform;
mod power_button;
mod serial_console;
mod settings;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AnyCheck, pattern::Pattern};

pub use blacklist::Blacklist;
pub use config::Config;
pub use init_status::{InitStatus, Run, Stages};
pub use initramfs::Initramfs;
pub use kernel_drivers::KernelDrivers;
pub use ordering::Ordering;
pub use pins::Pins;
pub use platform::Platform;
pub use power_button::PowerButton;
pub use serial_console::SerialConsole;

/// What is expected of the image on a cloud.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// Whether cloud-init has to begin once the datasets are mounted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_mounts: Option<bool>,
    /// The data sources that cloud-init has to look for, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datasources: Option<Vec<String>>,
    /// The user that cloud-init has to make where nobody asks for another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_user: Option<String>,
    /// Whether cloud-init has to grow the root partition and its file system with the disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grows: Option<bool>,
    /// Whether cloud-init has to be installed, and to have run without error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<bool>,
    /// Whether cloud-init has to keep what it knows of the instance until somebody removes it (`manual_cache_clean`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keeps_cache: Option<bool>,
    /// What may tie cloud-init to one data source, as the check names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pins: Option<Vec<String>>,
    /// The platforms that the image is meant for, by a name of your own, with the drivers that they need.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub platforms: BTreeMap<String, Platform>,
    /// What has to happen when the power button is pressed, as logind calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_button: Option<String>,
    /// Whether the image's host name has to be preserved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preserve_hostname: Option<bool>,
    /// For which network manager cloud-init has to write, by its own name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renderer: Option<String>,
    /// The serial line that the kernel has to write to, and where one has to be able to log in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial_console: Option<String>,
    /// Whether host keys that an image brings have to be replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssh_deletekeys: Option<bool>,
    /// Whether what the platform's vendor hands out has to be carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor_data: Option<bool>,
    /// The warnings that cloud-init may count, as patterns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warnings: Option<Vec<Pattern>>,
}

impl Expected {
    fn platforms_asked(&self) -> Option<BTreeMap<String, Platform>> {
        Some(self.platforms.clone()).filter(|platforms| !platforms.is_empty())
    }
}

/// The checks of this topic, by ID.
pub static CHECKS: &[&dyn AnyCheck] = &[
    &agents::AgentsPresent,
    &settings::CACHE_AS_DECLARED,
    &settings::DatasourcesAsDeclared,
    &settings::DefaultUserAsDeclared,
    &initramfs::DriversInInitramfs,
    &kernel_drivers::DriversInKernel,
    &blacklist::DriversNotBlacklisted,
    &settings::GrowsWithTheDisk,
    &settings::HOST_KEYS_REPLACED,
    &settings::HOSTNAME_AS_DECLARED,
    &ordering::StartsAfterMounts,
    &init_status::InitPresent,
    &init_status::InitWithoutError,
    &init_status::InitWithoutWarning,
    &pins::NotPinned,
    &power_button::PowerButtonAsDeclared,
    &settings::RendererAsDeclared,
    &serial_console::SerialConsoleServed,
    &settings::VENDOR_DATA_AS_DECLARED,
];
