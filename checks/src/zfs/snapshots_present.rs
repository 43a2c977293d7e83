//! Snapshots: the state that a machine of the fleet can always be rolled back to.

use super::datasets::Datasets;
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    outcome::Verdict,
};

/// The snapshots that the fleet rolls back to exist on the root and on every expected dataset.
pub struct SnapshotsPresent;

impl Check for SnapshotsPresent {
    type Fact = Datasets;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "zfs.snapshots-present",
            demand: "the root dataset and every expected dataset have the expected snapshots",
            remedy: "take them last when the image is built: `zfs snapshot -r POOL@NAME`",
            key: "zfs.snapshots",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        let datasets: Vec<_> = image.zfs.root.iter().chain(image.zfs.datasets.keys()).collect();
        let of_each = |name: &String| datasets.iter().map(|dataset| format!("{dataset}@{name}")).collect::<Vec<_>>();
        let all: Vec<_> = image.zfs.snapshots.iter().flat_map(of_each).collect();
        (!all.is_empty()).then_some(all)
    }

    fn judge(&self, got: &Datasets, want: &Vec<String>) -> Verdict {
        let missing: Vec<_> = want.iter().filter(|name| !got.snapshots().any(|there| there == *name)).collect();
        let said = missing.iter().map(|name| format!("no {name}")).collect::<Vec<_>>().join(", ");
        let said = if missing.is_empty() { format!("{} snapshots", want.len()) } else { said };
        Verdict::of(missing.is_empty(), want.join(", "), said)
    }
}
