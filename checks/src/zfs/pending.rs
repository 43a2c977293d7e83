//! Work that a pool has yet to do: it takes room and time on every machine made of the image.

use super::{pool_properties::PoolProperties, pool_status::PoolStatus};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// What the pools have yet to do, in words, each with the pool's name; and how many pools there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingWork {
    /// How many pools are imported.
    pub pools: usize,
    /// What is left to do.
    pub left: Vec<String>,
}

impl Fact for PendingWork {
    const ID: &'static str = "zfs.pending-work";

    fn probes() -> Vec<Probe> {
        vec![PoolStatus::probe(), PoolProperties::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let status = PoolStatus::parse(&out[..1])?;
        let mut left = Vec::new();
        for pool in &status.pools {
            for (kind, words) in &pool.works {
                left.extend(unfinished(kind, words)?.map(|work| format!("{}: {work}", pool.name)));
            }
        }
        for (pool, has) in PoolProperties::read(&out[1])?.pools() {
            for (property, word) in [("freeing", "being freed"), ("leaked", "leaked")] {
                let bytes = has.get(property).map_or("-", String::as_str);
                let bytes = bytes.parse::<u64>().map_err(|_| Unreadable::new(format!("{pool}: {property} {bytes}")))?;
                left.extend((bytes > 0).then(|| format!("{pool}: {bytes} bytes {word}")));
            }
        }
        Ok(Self { pools: status.pools.len(), left })
    }
}

/// What is left of a piece of work, or nothing where it is over.
fn unfinished(kind: &str, words: &str) -> Result<Option<String>, Unreadable> {
    let unreadable = || Unreadable::new(format!("{kind} of no known form: {words}"));
    let before = |end: &str| words.split_once(end).map(|(before, _)| before.to_owned());
    match kind {
        "checkpoint" if words.starts_with("created ") => Ok(Some("checkpoint kept".to_owned())),
        "checkpoint" if words.starts_with("discarding") => Ok(Some("checkpoint being discarded".to_owned())),
        // A removal that ended leaves a map of where its blocks went, which is no work.
        "remove" if words.starts_with("Removal of ") => Ok(None),
        "remove" if words.starts_with("Evacuation of ") => before(" in progress since ")
            .map(|evacuation| Some(format!("{evacuation} in progress")))
            .ok_or_else(unreadable),
        "expand" if words.starts_with("expanded ") => Ok(None),
        "expand" if words.starts_with("expansion of ") => before(" in progress since ")
            .map(|expansion| Some(format!("{expansion} in progress")))
            .ok_or_else(unreadable),
        _ => Err(unreadable()),
    }
}

/// No pool has anything left to do.
pub struct NothingPending;

impl Check for NothingPending {
    type Fact = PendingWork;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "zfs.nothing-pending",
            demand: "no pool keeps a checkpoint, is still freeing what was destroyed, or moves data off or onto a device",
            remedy: "`zpool checkpoint -d POOL`, `zpool wait POOL`; what leaked is freed by a newly made pool alone",
            key: "zfs.nothing_pending",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.zfs.nothing_pending == Some(true)).then_some(())
    }

    fn judge(&self, got: &PendingWork, (): &()) -> Verdict {
        let said = match (got.pools, &got.left[..]) {
            (0, _) => "no pool is imported".to_owned(),
            (_, []) => "nothing".to_owned(),
            (_, left) => left.join(", "),
        };
        Verdict::of(got.pools > 0 && got.left.is_empty(), "nothing left to do", said)
    }
}

#[cfg(test)]
mod tests {
    use super::unfinished;

    #[test]
    fn what_is_over_is_no_work() {
        let removed = "Removal of vdev 1 copied 5.50K in 0h0m, completed on Wed Nov 25 10:00:00 2026 96 memory used";
        assert_eq!(unfinished("remove", removed).unwrap(), None);
        let expanded = "expanded raidz1-0 copied 12M in 00:00:02, on Wed Nov 25 10:00:00 2026";
        assert_eq!(unfinished("expand", expanded).unwrap(), None);
    }

    #[test]
    fn what_goes_on_is_told() {
        let evacuation = "Evacuation of /root/b in progress since Wed Nov 25 10:00:00 2026 0B copied out of 60M";
        assert_eq!(unfinished("remove", evacuation).unwrap().unwrap(), "Evacuation of /root/b in progress");
        let checkpoint = "created Wed Nov 25 10:00:00 2026, consumes 94.5K";
        assert_eq!(unfinished("checkpoint", checkpoint).unwrap().unwrap(), "checkpoint kept");
        assert!(unfinished("checkpoint", "something else").is_err());
    }
}
