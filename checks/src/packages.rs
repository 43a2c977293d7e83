//! The packages that the image is made of, as its package manager's database has them.

mod database;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::AnyCheck;

pub use database::{Debian, Package};

/// What is expected of the packages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// Whether every package has to be installed to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole: Option<bool>,
}

/// The checks of this topic, by ID.
pub static CHECKS: &[&dyn AnyCheck] = &[&database::InstalledWhole];
