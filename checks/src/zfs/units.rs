//! The units that import the pools, mount the datasets and watch for events.
//!
//! Deep, since the service manager has to load those that nothing needs.

use std::collections::BTreeMap;

use toml::Value;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// The units of ZFS, by name, those too that are not installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Units(BTreeMap<String, Unit>);

/// One unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// `enabled`, `disabled`, `static`, `masked` …; empty where there is no such unit.
    pub file: String,
    /// `active`, `inactive`, `failed` …
    pub active: String,
}

const ARGV: [&str; 13] = [
    "systemctl",
    "show",
    "--no-pager",
    "-p",
    "Id,UnitFileState,ActiveState",
    "zfs-import-cache.service",
    "zfs-import-scan.service",
    "zfs-import.target",
    "zfs-mount.service",
    "zfs-volume-wait.service",
    "zfs-volumes.target",
    "zfs-zed.service",
    "zfs.target",
];

impl Fact for Units {
    const ID: &'static str = "zfs.units";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(ARGV)]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        Self::read(out[0].ok()?)
    }
}

impl Units {
    fn read(text: &str) -> Result<Self, Unreadable> {
        let mut units = BTreeMap::new();
        for block in text.split("\n\n").filter(|block| !block.trim().is_empty()) {
            let said: BTreeMap<_, _> = block.lines().filter_map(|line| line.split_once('=')).collect();
            let (Some(id), Some(file), Some(active)) =
                (said.get("Id"), said.get("UnitFileState"), said.get("ActiveState"))
            else {
                return Err(Unreadable::new(format!("not a unit: {}", block.trim().replace('\n', ", "))));
            };
            units.insert((*id).to_owned(), Unit { file: (*file).to_owned(), active: (*active).to_owned() });
        }
        match ARGV[5..].iter().find(|name| !units.contains_key(**name)) {
            Some(missing) => Err(Unreadable::new(format!("no word of {missing}"))),
            None => Ok(Self(units)),
        }
    }
}

/// The units are enabled or not, as expected.
pub struct UnitsEnabled;

impl Check for UnitsEnabled {
    type Fact = Units;
    type Want = BTreeMap<String, String>;

    fn about(&self) -> &About {
        &About {
            id: "zfs.units-enabled",
            demand: "the units of ZFS are enabled, disabled or masked as expected",
            remedy: "`systemctl enable UNIT`, or `systemctl preset UNIT` for what the distribution ships",
            key: "zfs.units",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Self::Want> {
        Some(image.zfs.units.clone()).filter(|want| !want.is_empty())
    }

    fn judge(&self, got: &Units, want: &Self::Want) -> Verdict {
        let other = want.iter().filter_map(|(name, state)| match got.0.get(name).map(|unit| unit.file.as_str()) {
            Some(there) if there == state => None,
            None | Some("") => Some(format!("no {name}")),
            Some(there) => Some(format!("{name} {there}")),
        });
        let other: Vec<_> = other.collect();
        let words: Vec<_> = want.iter().map(|(name, state)| format!("{name} {state}")).collect();
        let said = if other.is_empty() { words.join(", ") } else { other.join(", ") };
        Verdict::of(other.is_empty(), words.join(", "), said)
    }

    fn observed(&self, got: &Units) -> Option<Value> {
        let there = got.0.iter().filter(|(_, unit)| !unit.file.is_empty());
        Some(Value::Table(there.map(|(name, unit)| (name.clone(), unit.file.clone().into())).collect()))
    }
}

/// The units that have to be up are.
pub struct UnitsActive;

impl Check for UnitsActive {
    type Fact = Units;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "zfs.units-active",
            demand: "the expected units of ZFS are active",
            remedy: "`systemctl status UNIT` and `journalctl -b -u UNIT` say why not",
            key: "zfs.units_active",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        Some(image.zfs.units_active.clone()).filter(|want| !want.is_empty())
    }

    fn judge(&self, got: &Units, want: &Vec<String>) -> Verdict {
        let state = |name: &String| got.0.get(name).map_or("not asked", |unit| unit.active.as_str());
        let said: Vec<_> = want.iter().map(|name| format!("{name} {}", state(name))).collect();
        Verdict::of(want.iter().all(|name| state(name) == "active"), want.join(", "), said.join(", "))
    }

    fn observed(&self, got: &Units) -> Option<Value> {
        let active = got.0.iter().filter(|(_, unit)| unit.active == "active");
        Some(Value::Array(active.map(|(name, _)| name.clone().into()).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::{ARGV, Units};

    #[test]
    fn every_unit_that_was_asked_has_to_be_told() {
        let block = |name: &&str| format!("Id={name}\nActiveState=active\nUnitFileState=enabled\n");
        let blocks: Vec<_> = ARGV[5..].iter().map(block).collect();
        assert_eq!(Units::read(&blocks.join("\n")).unwrap().0["zfs.target"].file, "enabled");
        assert!(Units::read(&blocks[1..].join("\n")).is_err());
        assert!(Units::read("Id=zfs.target\nActiveState=active\n").is_err());
    }
}
