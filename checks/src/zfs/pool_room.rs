//! Room in the pools: a copy-on-write file system that is full can hardly even delete.

use super::pool_properties::PoolProperties;
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    outcome::Verdict,
};

/// The pools are filled no further than expected.
pub struct PoolHasRoom;

impl Check for PoolHasRoom {
    type Fact = PoolProperties;
    type Want = u64;

    fn about(&self) -> &About {
        &About {
            id: "zfs.pool-has-room",
            demand: "no pool is filled beyond the expected share",
            remedy: "make the disk larger, or leave less behind: `zfs list -o space -r POOL` shows what takes the room",
            key: "zfs.capacity_percent",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<u64> {
        image.zfs.capacity_percent
    }

    fn judge(&self, got: &PoolProperties, most: &u64) -> Verdict {
        at_most(got, "capacity", "full", *most)
    }
}

/// The free space of the pools is in large pieces.
pub struct FragmentationLow;

impl Check for FragmentationLow {
    type Fact = PoolProperties;
    type Want = u64;

    fn about(&self) -> &About {
        &About {
            id: "zfs.fragmentation-low",
            demand: "the free space of every pool is no more fragmented than expected",
            remedy: "write the image once, onto an empty pool: `zfs send` to a new one leaves the holes behind",
            key: "zfs.fragmentation_percent",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<u64> {
        image.zfs.fragmentation_percent
    }

    fn judge(&self, got: &PoolProperties, most: &u64) -> Verdict {
        at_most(got, "fragmentation", "fragmented", *most)
    }
}

/// Whether a property in percent is at most that much of every pool.
fn at_most(got: &PoolProperties, property: &str, word: &str, most: u64) -> Verdict {
    let percent = |text: &String| text.trim_end_matches('%').parse::<u64>().ok();
    let all: Vec<_> = got.pools().map(|(pool, has)| (pool, has.get(property).and_then(percent))).collect();
    let holds = !all.is_empty() && all.iter().all(|(_, percent)| percent.is_some_and(|percent| percent <= most));
    let said = all.iter().map(|(pool, percent)| match percent {
        Some(percent) => format!("{pool} {percent} % {word}"),
        None => format!("{pool} does not tell"),
    });
    let said = if all.is_empty() { "no pool is imported".to_owned() } else { said.collect::<Vec<_>>().join(", ") };
    Verdict::of(holds, format_args!("at most {most} %"), said)
}
