//! Holds on snapshots: what holds one keeps its blocks for ever, and makes every `zfs destroy` of it fail.

use super::datasets::{Dataset, Datasets};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    outcome::Verdict,
};

/// No snapshot is held or waits to be destroyed, but for those that are known to.
pub struct NoHolds;

impl Check for NoHolds {
    type Fact = Datasets;
    /// Names of snapshots, without dataset and `@`, that may be held.
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "zfs.no-holds",
            demand: "no snapshot is held, and none waits to be destroyed, but for those that are known to",
            remedy: "`zfs holds -r SNAPSHOT` names the holds, `zfs release -r TAG SNAPSHOT` lets go",
            key: "zfs.held",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        image.zfs.held.clone()
    }

    fn judge(&self, got: &Datasets, known: &Vec<String>) -> Verdict {
        let snapshots = || got.list.iter().filter(|dataset| dataset.kind == "snapshot");
        let known_to = |name: &str| name.split_once('@').is_some_and(|(_, name)| known.iter().any(|one| one == name));
        let held: Vec<_> = snapshots().filter(|one| !known_to(&one.name)).filter_map(kept).collect();
        let said = if held.is_empty() { format!("none of {} snapshots", snapshots().count()) } else { held.join(", ") };
        let want = if known.is_empty() { "none held".to_owned() } else { format!("none but {}", known.join(", ")) };
        Verdict::of(held.is_empty(), want, said)
    }
}

/// Why a snapshot stays, or nothing.
fn kept(snapshot: &Dataset) -> Option<String> {
    let name = &snapshot.name;
    let waits = snapshot.properties.get("defer_destroy").is_some_and(|value| value == "on");
    match (snapshot.bytes("userrefs"), waits) {
        (None, _) => Some(format!("{name} does not tell")),
        (Some(0), false) => None,
        (Some(holds), false) => Some(format!("{name} held {holds} times")),
        (Some(_), true) => Some(format!("{name} to be destroyed once it is let go")),
    }
}
