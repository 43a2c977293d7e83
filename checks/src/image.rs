//! The image: its file, read on the host without booting, and what it says of itself.

mod consistency;
mod fallback_loader;
mod layout;
mod metadata;
mod partitions_valid;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::AnyCheck;

pub use consistency::Consistency;
pub use layout::{Esp, Label, Layout, Partition};
pub use metadata::{ExpectedMetadata, Metadata};

/// What is expected of the image file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// The machine that the fallback loader is for, as in `x86-64`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback_loader: Option<String>,
    /// Whether there has to be a sound GPT with an EFI system partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpt: Option<bool>,
    /// Whether the file's own tables have to be without corruption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intact: Option<bool>,
    /// What the metadata file has to say.
    pub metadata: ExpectedMetadata,
}

/// The checks of this topic, by ID.
pub static CHECKS: &[&dyn AnyCheck] = &[
    &fallback_loader::FallbackLoader,
    &consistency::Intact,
    &metadata::MetadataAgrees,
    &partitions_valid::PartitionsValid,
];
