//! Topic `cloud`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::AnyCheck;

/// What is expected of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {}

/// The checks of this topic, by ID.
pub static CHECKS: &[&dyn AnyCheck] = &[];
