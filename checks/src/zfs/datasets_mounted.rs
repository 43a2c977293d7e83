//! The datasets expected: that they are there with their mount points, and mounted.

use std::collections::BTreeMap;

use super::datasets::Datasets;
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    outcome::Verdict,
};

/// The expected datasets exist and have the expected mount points.
pub struct DatasetsPresent;

impl Check for DatasetsPresent {
    type Fact = Datasets;
    type Want = BTreeMap<String, String>;

    fn about(&self) -> &About {
        &About {
            id: "zfs.datasets-present",
            demand: "the expected datasets exist, each with its mount point",
            remedy: "create them before the system is unpacked: `zfs create -o mountpoint=PATH DATASET`",
            key: "zfs.datasets",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Self::Want> {
        (!image.zfs.datasets.is_empty()).then(|| image.zfs.datasets.clone())
    }

    fn judge(&self, got: &Datasets, want: &Self::Want) -> Verdict {
        let amiss = want.iter().filter_map(|(name, path)| match got.filesystem(name) {
            None => Some(format!("no {name}")),
            Some(found) if found.mountpoint != *path => Some(format!("{name} at {}", found.mountpoint)),
            Some(_) => None,
        });
        verdict(want, &amiss.collect::<Vec<_>>(), "present")
    }
}

/// The expected datasets are mounted, and so is every other that is meant to be.
pub struct DatasetsMounted;

impl Check for DatasetsMounted {
    type Fact = Datasets;
    type Want = BTreeMap<String, String>;

    fn about(&self) -> &About {
        &About {
            id: "zfs.datasets-mounted",
            demand: "the expected datasets, and all that have canmount=on, are mounted at their mount points",
            remedy: "enable zfs-mount.service or the mount generator; empty a directory that the mount would hide",
            key: "zfs.datasets",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Self::Want> {
        DatasetsPresent.want(image)
    }

    fn judge(&self, got: &Datasets, want: &Self::Want) -> Verdict {
        let meant = got.filesystems().filter(|dataset| dataset.canmount == "on" && dataset.mountpoint.starts_with('/'));
        let meant = meant.map(|dataset| (&dataset.name, &dataset.mountpoint));
        let all: BTreeMap<_, _> = meant.chain(want).collect();
        let amiss = all.iter().filter_map(|(name, path)| match got.mounts.at(path) {
            None => Some(format!("{name} not mounted at {path}")),
            Some(mount) if mount.source != **name => Some(format!("{path} is {}, not {name}", mount.source)),
            Some(_) => None,
        });
        verdict(want, &amiss.collect::<Vec<_>>(), "mounted")
    }
}

fn verdict(want: &BTreeMap<String, String>, amiss: &[String], holds: &str) -> Verdict {
    let want: Vec<_> = want.iter().map(|(name, path)| format!("{name} at {path}")).collect();
    let got = if amiss.is_empty() { format!("all {holds}") } else { amiss.join(", ") };
    Verdict::of(amiss.is_empty(), want.join(", "), got)
}
