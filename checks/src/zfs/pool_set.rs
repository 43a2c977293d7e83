//! Properties of the pools beyond those that have checks of their own.

use std::collections::BTreeMap;

use super::pool_properties::PoolProperties;
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    outcome::Verdict,
};

/// The pools have the expected properties.
pub struct PoolPropertiesSet;

impl Check for PoolPropertiesSet {
    type Fact = PoolProperties;
    type Want = BTreeMap<String, String>;

    fn about(&self) -> &About {
        &About {
            id: "zfs.pool-properties-set",
            demand: "every pool has the expected properties",
            remedy: "`zpool set PROPERTY=VALUE POOL`, best when the pool is created",
            key: "zfs.pool_properties",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Self::Want> {
        Some(image.zfs.pool_properties.clone()).filter(|want| !want.is_empty())
    }

    fn judge(&self, got: &PoolProperties, want: &Self::Want) -> Verdict {
        let amiss = got.amiss(|pool, has| {
            let other = want.iter().filter_map(|(property, value)| match has.get(property) {
                Some(there) if there == value => None,
                Some(there) => Some(format!("{pool}: {property} {there}")),
                None => Some(format!("{pool}: no {property}")),
            });
            other.collect()
        });
        let said = if amiss.is_empty() { format!("all {} as expected", want.len()) } else { amiss.join(", ") };
        let want: Vec<_> = want.iter().map(|(property, value)| format!("{property} {value}")).collect();
        Verdict::of(amiss.is_empty(), want.join(", "), said)
    }
}
