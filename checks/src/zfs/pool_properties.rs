//! `zpool get`: properties of the pools that are set once, when the image is made.

use std::collections::BTreeMap;

use toml::Value;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// `autotrim` and `bootfs` of each imported pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolProperties {
    /// By pool, by property; `-` where a pool has no value.
    values: BTreeMap<String, BTreeMap<String, String>>,
}

const ASKED: [&str; 2] = ["autotrim", "bootfs"];

impl Fact for PoolProperties {
    const ID: &'static str = "zfs.pool-properties";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["zpool", "get", "-Hp", "-o", "name,property,value", "autotrim,bootfs"])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let mut values: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for line in out[0].ok()?.lines() {
            let [pool, property, value] = line.split('\t').collect::<Vec<_>>()[..] else {
                return Err(Unreadable::new(format!("not a property of a pool: {line}")));
            };
            values.entry(pool.to_owned()).or_default().insert(property.to_owned(), value.to_owned());
        }
        // Without a pool the tool is silent and content; zfs.pool-named tells that there is none.
        for (pool, has) in &values {
            if let Some(missing) = ASKED.iter().find(|property| !has.contains_key(**property)) {
                return Err(Unreadable::new(format!("{pool}: no word of {missing}")));
            }
        }
        Ok(Self { values })
    }
}

impl PoolProperties {
    /// Whether every pool, and at least one, has `want`; and what they have.
    fn verdict(&self, property: &str, want: &str) -> Verdict {
        let all = self.values.iter().map(|(pool, has)| (pool, has.get(property).map_or("-", String::as_str)));
        let holds = !self.values.is_empty() && all.clone().all(|(_, value)| value == want);
        let said: Vec<_> = all.map(|(pool, value)| format!("{pool} {value}")).collect();
        Verdict::of(holds, want, if said.is_empty() { "no pool is imported".to_owned() } else { said.join(", ") })
    }
}

impl PoolProperties {
    /// The property's value where there is one pool.
    fn only(&self, property: &str) -> Option<Value> {
        let mut pools = self.values.values();
        pools.next().filter(|_| pools.next().is_none())?.get(property).cloned().map(Value::from)
    }
}

/// The pools give freed blocks back by themselves, or not, as expected.
pub struct AutotrimSet;

impl Check for AutotrimSet {
    type Fact = PoolProperties;
    type Want = String;

    fn about(&self) -> &About {
        &About {
            id: "zfs.autotrim-set",
            demand: "autotrim of the pool is as expected, so that clones on thin disks give space back",
            remedy: "`zpool set autotrim=on POOL`, best when the pool is created",
            key: "zfs.autotrim",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<String> {
        image.zfs.autotrim.clone()
    }

    fn judge(&self, got: &PoolProperties, want: &String) -> Verdict {
        got.verdict("autotrim", want)
    }

    fn observed(&self, got: &PoolProperties) -> Option<Value> {
        got.only("autotrim")
    }
}

/// The pool boots the expected dataset where the kernel's command line leaves it the choice.
pub struct BootfsSet;

impl Check for BootfsSet {
    type Fact = PoolProperties;
    type Want = String;

    fn about(&self) -> &About {
        &About {
            id: "zfs.bootfs-set",
            demand: "bootfs of the pool is the expected dataset",
            remedy: "`zpool set bootfs=DATASET POOL`",
            key: "zfs.bootfs",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<String> {
        image.zfs.bootfs.clone()
    }

    fn judge(&self, got: &PoolProperties, want: &String) -> Verdict {
        got.verdict("bootfs", want)
    }

    fn observed(&self, got: &PoolProperties) -> Option<Value> {
        got.only("bootfs")
    }
}
