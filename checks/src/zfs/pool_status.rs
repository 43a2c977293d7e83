//! `zpool status`: what the pools say of themselves.

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// What `zpool status` says of every imported pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolStatus {
    /// The pools, in the order printed.
    pub pools: Vec<String>,
}

impl Fact for PoolStatus {
    const ID: &'static str = "zfs.pool-status";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["zpool", "status", "-p"])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let text = out[0].ok()?;
        let pools =
            text.lines().filter_map(|line| line.trim_start().strip_prefix("pool: ")).map(str::to_owned).collect();
        Ok(Self { pools })
    }
}

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
        Verdict::of(got.pools == [want.as_str()], want, got.pools.join(", "))
    }
}
