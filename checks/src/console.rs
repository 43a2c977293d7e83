//! The serial console: what stands on it that must not, and what of that ends the wait for a boot.

mod plain;
mod trouble;
mod watch;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::AnyCheck;

pub use plain::plain;
pub use trouble::Trouble;
pub use watch::fatal;

/// What is expected of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {}

/// The checks of this topic, by ID.
pub static CHECKS: &[&dyn AnyCheck] = &[];
