//! The name of the pool: the fleet's tools reach the image's datasets by it.

use toml::Value;

use super::pool_status::PoolStatus;
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    outcome::Verdict,
};

/// The pool has the name that the fleet's tools expect.
pub struct PoolNamed;

impl Check for PoolNamed {
    type Fact = PoolStatus;
    type Want = String;

    fn about(&self) -> &About {
        &About {
            id: "zfs.pool-named",
            demand: "exactly one pool is imported, and it has the expected name",
            remedy: "name the pool when it is created; `zpool import OLD NEW` renames an exported one",
            key: "zfs.pool",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<String> {
        image.zfs.pool.clone()
    }

    fn judge(&self, got: &PoolStatus, want: &String) -> Verdict {
        let names: Vec<_> = got.pools.iter().map(|pool| pool.name.as_str()).collect();
        let said = if names.is_empty() { "no pool is imported".to_owned() } else { names.join(", ") };
        Verdict::of(names == [want.as_str()], want, said)
    }

    fn observed(&self, got: &PoolStatus) -> Option<Value> {
        match &got.pools[..] {
            [pool] => Some(pool.name.clone().into()),
            _ => None,
        }
    }
}
