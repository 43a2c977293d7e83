//! facts.json: what a run knows of its image as named values, whole, so that two images can be compared.
//!
//! It stands apart from the report, whose evidence is cut, and is made from the parsed facts of the run itself.

use std::collections::{BTreeMap, BTreeSet};

use kverify_checks::{Traits, traits::Scale};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Subject, json};

/// The form of the file that is written, and the only one that is read.
pub(crate) const SCHEMA: u32 = 1;

/// Nothing but the image of the reports that tests have.
#[cfg(test)]
pub(crate) fn sample() -> Facts {
    Facts {
        schema: SCHEMA,
        kverify: "0.1.0".to_owned(),
        subject: super::sample_verified().subject,
        machine: "tcg, 2 CPUs, 2048 MiB".to_owned(),
        known: Vec::new(),
        unknown: Vec::new(),
    }
}

/// What is known of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The form of this file; this is 1.
    pub schema: u32,
    /// Version of kverify that made it.
    pub kverify: String,
    /// The image.
    pub subject: Subject,
    /// The machine that was asked, as far as times depend on it: accelerator, CPUs and memory.
    pub machine: String,
    /// What is known, by group, each fact's apart.
    pub known: Vec<Known>,
    /// What is not.
    pub unknown: Vec<Unknown>,
}

/// What one fact tells of one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The group: `packages`, `units` …
    pub group: String,
    /// The fact that tells it.
    pub fact: String,
    /// How values are compared.
    pub scale: Scale,
    /// Values by name, several of one name with commas between; empty where there is nothing to say but the name.
    pub values: BTreeMap<String, String>,
    /// How many values more there are: the last ones by name are left out beyond a limit.
    #[serde(default, skip_serializing_if = "none")]
    pub left_out: usize,
}

/// A fact that is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unknown {
    /// The fact.
    pub fact: String,
    /// The groups that it tells of.
    pub groups: Vec<String>,
    /// Why it is not known.
    pub why: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn none(number: &usize) -> bool {
    *number == 0
}

impl Facts {
    /// Adds what a fact tells.
    pub(crate) fn add(&mut self, fact: &str, traits: Traits) {
        let one = |values: BTreeSet<String>| values.into_iter().collect::<Vec<_>>().join(", ");
        self.known.extend(traits.sections().map(|(group, section)| Known {
            group: group.name().to_owned(),
            fact: fact.to_owned(),
            scale: section.scale,
            values: section.values.into_iter().map(|(name, values)| (name, one(values))).collect(),
            left_out: section.left_out,
        }));
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self) -> String {
        json::harmless(self)
    }
}
