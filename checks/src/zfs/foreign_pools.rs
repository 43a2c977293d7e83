//! `zpool import`: pools that are to be seen on the disks and are not imported.

use std::time::Duration;

use toml::Value;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Exit, Output, Probe},
};

/// The names of the pools that could be imported, or that say why they cannot; with their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignPools(pub Vec<(String, String)>);

impl Fact for ForeignPools {
    const ID: &'static str = "zfs.foreign-pools";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["zpool", "import"]).limit(Duration::from_mins(2))]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let text = out[0].whole()?;
        let said = format!("{text}\n{}", out[0].stderr);
        if !matches!(out[0].exit, Exit::Code(0 | 1)) {
            return Err(Unreadable::new(format!("{}: {}", out[0].exit, out[0].stderr.trim())));
        }
        let value = |line: &str, key: &str| {
            let (there, value) = line.trim_start().split_once(':')?;
            (there == key && line.len() - line.trim_start().len() <= 6).then(|| value.trim().to_owned())
        };
        let mut pools: Vec<(String, String)> = Vec::new();
        for line in text.lines() {
            if let Some(name) = value(line, "pool") {
                pools.push((name, String::new()));
            }
            if let (Some(id), Some((_, last))) = (value(line, "id"), pools.last_mut()) {
                *last = id;
            }
        }
        let none = said.lines().any(|line| line.trim() == "no pools available to import");
        match (pools.is_empty(), none) {
            (true, true) => Ok(Self(pools)),
            (false, false) if pools.iter().all(|(_, id)| !id.is_empty()) => Ok(Self(pools)),
            _ => Err(Unreadable::new(format!("neither pools nor the word that there are none: {}", said.trim()))),
        }
    }
}

/// No pool but the known ones waits to be imported.
pub struct NoForeignPools;

impl Check for NoForeignPools {
    type Fact = ForeignPools;
    /// Names of pools that may be seen.
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "zfs.no-foreign-pools",
            demand: "no pool is to be seen on the disks beyond those that are imported, but for the known ones",
            remedy: "`zpool labelclear` on what was a pool's device once, before the image is built on it",
            key: "zfs.foreign_pools",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        image.zfs.foreign_pools.clone()
    }

    fn judge(&self, got: &ForeignPools, known: &Vec<String>) -> Verdict {
        let foreign = got.0.iter().filter(|(name, _)| !known.contains(name));
        let foreign: Vec<_> = foreign.map(|(name, id)| format!("{name} ({id})")).collect();
        let want = if known.is_empty() { "none".to_owned() } else { format!("none but {}", known.join(", ")) };
        Verdict::of(foreign.is_empty(), want, if foreign.is_empty() { "none".to_owned() } else { foreign.join(", ") })
    }

    fn observed(&self, got: &ForeignPools) -> Option<Value> {
        Some(Value::Array(got.0.iter().map(|(name, _)| name.clone().into()).collect()))
    }
}
