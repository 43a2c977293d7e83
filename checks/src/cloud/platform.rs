//! A platform that an image is meant to run on, as the drivers and packages that it needs there.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::outcome::Verdict;

/// What a platform needs; drivers by module name with `_`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Platform {
    /// In the kernel or beside it as modules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kernel: Vec<String>,
    /// In the initramfs, to find the disk, or to be reached before it is found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub initramfs: Vec<String>,
    /// Packages: the platform's guest agent, and what else it needs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
}

impl Platform {
    /// Judges what `of` each platform there has to be, `things` being the word for it.
    pub(super) fn verdict<'a>(
        platforms: &'a BTreeMap<String, Self>,
        things: &str,
        of: impl Fn(&'a Self) -> &'a [String],
        has: impl Fn(&str) -> bool,
    ) -> Verdict {
        let names: Vec<_> = platforms.keys().map(String::as_str).collect();
        let missing: Vec<_> = platforms
            .iter()
            .filter_map(|(name, platform)| {
                let missing: Vec<_> = of(platform).iter().filter(|thing| !has(thing)).map(String::as_str).collect();
                (!missing.is_empty()).then(|| format!("{name} lacks {}", missing.join(", ")))
            })
            .collect();
        let said = if missing.is_empty() { "all there".to_owned() } else { missing.join("; ") };
        Verdict::of(missing.is_empty(), format_args!("the {things} of {}", names.join(", ")), said)
    }
}
