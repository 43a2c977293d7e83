//! The pool's features: those that its users count on are there, and none is in use that keeps others from reading it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Value;

use super::pool_properties::PoolProperties;
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    outcome::Verdict,
};

/// What is expected of the features of a pool, by name without `feature@`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Features {
    /// Those that have to be enabled, whether in use or not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub enabled: Vec<String>,
    /// Those that may be in use: what the oldest reader of the pool knows, be it a boot loader or a release of ZFS.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub readable: Vec<String>,
}

impl Features {
    /// Whether nothing is expected.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The expected features are enabled.
pub struct FeaturesEnabled;

impl Check for FeaturesEnabled {
    type Fact = PoolProperties;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "zfs.features-enabled",
            demand: "the expected features of the pool are enabled",
            remedy: "create the pool without `-d`, and with a `compatibility` that has them; `zpool set feature@NAME=enabled POOL`",
            key: "zfs.features.enabled",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        Some(image.zfs.features.enabled.clone()).filter(|names| !names.is_empty())
    }

    fn judge(&self, got: &PoolProperties, want: &Vec<String>) -> Verdict {
        let amiss = got.amiss(|pool, has| {
            let off = want.iter().filter_map(|name| match has.get(&format!("feature@{name}")).map(String::as_str) {
                Some("enabled" | "active") => None,
                Some(state) => Some(format!("{pool}: {name} {state}")),
                None => Some(format!("{pool}: {name} not known")),
            });
            off.collect()
        });
        let said = if amiss.is_empty() { format!("all {} enabled", want.len()) } else { amiss.join(", ") };
        Verdict::of(amiss.is_empty(), want.join(", "), said)
    }

    fn observed(&self, got: &PoolProperties) -> Option<Value> {
        one(got, |state| state != "disabled")
    }
}

/// No feature is in use that the oldest reader of the pool does not know.
pub struct FeaturesReadable;

impl Check for FeaturesReadable {
    type Fact = PoolProperties;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "zfs.features-readable",
            demand: "no feature of the pool is in use beyond those that its oldest reader knows",
            remedy: "what is in use stays so: make the pool anew with `zpool create -o compatibility=FILE`",
            key: "zfs.features.readable",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        Some(image.zfs.features.readable.clone()).filter(|names| !names.is_empty())
    }

    fn judge(&self, got: &PoolProperties, want: &Vec<String>) -> Verdict {
        let amiss = got.amiss(|pool, has| {
            let active = has.iter().filter(|(name, state)| name.starts_with("feature@") && *state == "active");
            let active = active.filter_map(|(name, _)| name.strip_prefix("feature@"));
            // A pool that another release made and this one imported for reading only says so of each such feature.
            let unknown = has.keys().filter_map(|name| name.strip_prefix("unsupported@"));
            let beyond = active.filter(|name| !want.iter().any(|known| known == name)).chain(unknown);
            beyond.map(|name| format!("{pool}: {name} in use")).collect()
        });
        let counts = got.features().map(|(pool, has)| {
            let active = has.values().filter(|state| **state == "active").count();
            format!("{pool}: {active} in use, all known")
        });
        let said = if amiss.is_empty() { counts.collect::<Vec<_>>().join(", ") } else { amiss.join(", ") };
        Verdict::of(amiss.is_empty(), format_args!("none but {}", want.join(", ")), said)
    }

    fn observed(&self, got: &PoolProperties) -> Option<Value> {
        one(got, |state| state == "active")
    }
}

/// The names of the features in such a state, where there is one pool.
fn one(got: &PoolProperties, of: impl Fn(&str) -> bool) -> Option<Value> {
    let mut pools = got.features();
    let (_, features) = pools.next().filter(|_| pools.next().is_none())?;
    let names = features.into_iter().filter(|(_, state)| of(state)).map(|(name, _)| Value::from(name));
    Some(Value::Array(names.collect()))
}
