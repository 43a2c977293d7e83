//! The health of the pools: judged from all that `zpool status` says, not from its state line.

use super::{
    pool_status::{DataErrors, Pool, PoolStatus},
    vdev::Vdev,
};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    outcome::Verdict,
};

/// What `status:` may say of a pool that is well.
const HINTS: [&str; 3] =
    ["features are not enabled on the pool", "legacy on-disk format", "configured to use a non-native block size"];

/// Every pool is ONLINE with all its devices, and knows of no errors.
pub struct PoolsHealthy;

impl Check for PoolsHealthy {
    type Fact = PoolStatus;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "zfs.pools-healthy",
            demand: "every imported pool is ONLINE with all its devices, and no error is counted or known in its data",
            remedy: "build the image anew on sound storage; `zpool clear` and a scrub only tell whether damage stays",
            key: "zfs.healthy",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.zfs.healthy == Some(true)).then_some(())
    }

    fn judge(&self, got: &PoolStatus, (): &()) -> Verdict {
        let holds = !got.pools.is_empty() && got.pools.iter().all(|pool| ills(pool).is_empty());
        let said: Vec<_> = got.pools.iter().map(line).collect();
        let said = if said.is_empty() { "no pool is imported".to_owned() } else { said.join("; ") };
        let mut verdict = Verdict::of(holds, "every pool ONLINE, no errors", said);
        for pool in &got.pools {
            if let Some(status) = pool.status.as_deref().filter(|status| is_hint(status)) {
                verdict = verdict.note(format!("{}: {status}", pool.name));
            }
        }
        verdict
    }
}

fn line(pool: &Pool) -> String {
    let mut parts = vec![format!("{} {}", pool.name, pool.state)];
    parts.extend(ills(pool));
    parts.join(", ")
}

fn is_hint(status: &str) -> bool {
    HINTS.iter().any(|hint| status.contains(hint))
}

/// All that is wrong with a pool, its state aside.
fn ills(pool: &Pool) -> Vec<String> {
    // The first row is the pool again; a state that its line names already is not told twice.
    let told = |vdev: &&Vdev| vdev.name == pool.name && vdev.state == pool.state && vdev.state != "ONLINE";
    let mut ills: Vec<_> = pool.vdevs.iter().filter(|vdev| !told(vdev)).filter_map(Vdev::illness).collect();
    for errors in &pool.errors {
        match errors {
            DataErrors::None => {}
            DataErrors::Count(count) => ills.push(format!("{count} data errors")),
            DataErrors::Files(files) => ills.push(match files.first() {
                Some(first) => format!("{} damaged: {first}", files.len()),
                None => "damage known, of no file that is named".to_owned(),
            }),
            DataErrors::Unavailable(why) => ills.push(format!("data errors not known: {why}")),
        }
    }
    if pool.scans.iter().any(|scan| scan.starts_with("resilver") && scan.contains("in progress")) {
        ills.push("resilver in progress".to_owned());
    }
    if ills.is_empty() {
        ills.extend(pool.status.clone().filter(|status| !is_hint(status)));
    }
    if ills.is_empty() && pool.state != "ONLINE" {
        ills.push("not ONLINE".to_owned());
    }
    ills
}
