//! The image file itself: what is read of it on the host, without booting.

mod layout;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::AnyCheck;

pub use layout::{Esp, Label, Layout, Partition};

/// What is expected of the image file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {}

/// The checks of this topic, by ID.
pub static CHECKS: &[&dyn AnyCheck] = &[];
