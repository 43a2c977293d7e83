//! Room in each file system: a quota or another's reservation can leave none in a pool that has plenty.

use super::datasets::{Dataset, Datasets};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    outcome::Verdict,
};

/// Every file system that is meant to be mounted can take more.
pub struct SpaceLeft;

impl Check for SpaceLeft {
    type Fact = Datasets;
    type Want = u64;

    fn about(&self) -> &About {
        &About {
            id: "zfs.space-left",
            demand: "every file system with a mount point has the expected room left, quotas and reservations counted",
            remedy: "`zfs get -r quota,refquota,reservation,refreservation POOL` shows what limits it",
            key: "zfs.available_mib",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<u64> {
        image.zfs.available_mib
    }

    fn judge(&self, got: &Datasets, least: &u64) -> Verdict {
        let meant = |dataset: &&Dataset| dataset.canmount != "off" && dataset.mountpoint.starts_with('/');
        let room = |dataset: &Dataset| dataset.bytes("available").map(|bytes| bytes / (1024 * 1024));
        let all: Vec<_> = got.filesystems().filter(meant).map(|dataset| (&dataset.name, room(dataset))).collect();
        let tight = all.iter().filter(|(_, room)| room.is_none_or(|room| room < *least));
        let tight: Vec<_> = tight
            .map(|(name, room)| room.map_or(format!("{name} does not tell"), |room| format!("{name} {room} MiB left")))
            .collect();
        let smallest = all.iter().filter_map(|(_, room)| *room).min();
        let said = match (smallest, &tight[..]) {
            (None, []) => "no file system with a mount point".to_owned(),
            (Some(smallest), []) => format!("{smallest} MiB or more in {} file systems", all.len()),
            (_, tight) => tight.join(", "),
        };
        Verdict::of(tight.is_empty() && smallest.is_some(), format_args!("at least {least} MiB in each"), said)
    }
}
