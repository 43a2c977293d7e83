//! When cloud-init begins: what it writes before the datasets are mounted is hidden beneath them.

use std::collections::BTreeMap;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    lists::some,
    outcome::Verdict,
    probe::{Output, Probe},
};

/// Those of cloud-init's units that there are, and what each of them is started after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordering(pub BTreeMap<String, Vec<String>>);

/// The units that make users, homes and host keys, or log while that is done: by release, some of them are there.
const UNITS: [&str; 4] =
    ["cloud-init-local.service", "cloud-init-main.service", "cloud-init-network.service", "cloud-init.service"];
/// What mounts datasets, and what is reached once that is done.
const MOUNTED: [&str; 3] = ["zfs-mount.service", "local-fs.target", "sysinit.target"];

impl Fact for Ordering {
    const ID: &'static str = "cloud.ordering";

    fn probes() -> Vec<Probe> {
        let [local, main, network, init] = UNITS;
        vec![Probe::root(["systemctl", "show", "--property=Id,LoadState,After", local, main, network, init])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let mut units = BTreeMap::new();
        for block in out[0].ok()?.split("\n\n") {
            let value = |key: &str| block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            let unread = || Unreadable::new(format!("systemctl show: not a unit: {:?}", block.trim()));
            let (id, state) = (value("Id").ok_or_else(unread)?, value("LoadState").ok_or_else(unread)?);
            if state == "loaded" {
                let after = value("After").unwrap_or_default();
                units.insert(id.to_owned(), after.split_whitespace().map(str::to_owned).collect());
            }
        }
        Ok(Self(units))
    }
}

/// cloud-init begins once the datasets are mounted.
pub struct StartsAfterMounts;

impl Check for StartsAfterMounts {
    type Fact = Ordering;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "cloud.init-after-mounts",
            demand: "cloud-init begins once the datasets are mounted: homes and keys that it writes earlier are hidden \
                     beneath them, on some boots and not on others",
            remedy: "give each unit that is named a drop-in with `[Unit]` and `After=zfs-mount.service`",
            key: "cloud.after_mounts",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.cloud.after_mounts == Some(true)).then_some(())
    }

    fn judge(&self, got: &Ordering, (): &()) -> Verdict {
        let waits = |after: &[String]| after.iter().any(|unit| MOUNTED.contains(&unit.as_str()));
        let early: Vec<_> = got.0.iter().filter(|(_, after)| !waits(after)).map(|(unit, _)| unit.clone()).collect();
        let words = match (got.0.is_empty(), early.is_empty()) {
            (true, _) => "none of its units is there".to_owned(),
            (false, true) => "after them".to_owned(),
            (false, false) => format!("not after them: {}", some(&early, "none")),
        };
        Verdict::of(early.is_empty() && !got.0.is_empty(), "after zfs-mount.service", words)
    }
}
