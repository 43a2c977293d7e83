//! `zpool get`: what the pools have as properties, their features among them.

use std::collections::BTreeMap;

use toml::Value;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
    traits::{Group, Traits},
};

/// Every property of each imported pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolProperties {
    /// By pool, by property; `-` where a pool has no value.
    pools: BTreeMap<String, BTreeMap<String, String>>,
}

/// What each pool has to say for the checks of this topic.
const NEEDED: [&str; 8] =
    ["autotrim", "bootfs", "capacity", "checkpoint", "fragmentation", "freeing", "guid", "leaked"];

/// What of a pool is set by hand; the rest is counted, or names it.
const SET: [&str; 17] = [
    "altroot",
    "ashift",
    "autoexpand",
    "autoreplace",
    "autotrim",
    "bootfs",
    "cachefile",
    "comment",
    "compatibility",
    "dedup_table_quota",
    "delegation",
    "failmode",
    "listsnapshots",
    "multihost",
    "readonly",
    "size",
    "version",
];

/// What a feature can be.
const STATES: [&str; 3] = ["disabled", "enabled", "active"];

impl Fact for PoolProperties {
    const ID: &'static str = "zfs.pool-properties";
    const GROUPS: &'static [Group] = &[Group::Pools, Group::Sizes];

    fn probes() -> Vec<Probe> {
        vec![Self::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        Self::read(&out[0])
    }

    fn tell(&self, traits: &mut Traits) {
        for (pool, has) in &self.pools {
            traits.name(Group::Pools, pool);
            for (property, value) in has {
                match property.strip_prefix("feature@") {
                    // A feature that is enabled becomes active by itself.
                    Some(feature) => {
                        let state = if value == "disabled" { "off" } else { "on" };
                        traits.put(Group::Pools, format!("{pool} {feature}"), state);
                    }
                    None if SET.contains(&property.as_str()) => {
                        traits.put(Group::Pools, format!("{pool} {property}"), value);
                    }
                    None if property == "allocated" => traits.put(Group::Sizes, format!("{pool} allocated"), value),
                    None => {}
                }
            }
        }
    }
}

impl PoolProperties {
    pub(super) fn probe() -> Probe {
        Probe::root(["zpool", "get", "-Hp", "-o", "name,property,value", "all"])
    }

    /// Reads what the tool said.
    ///
    /// # Errors
    /// [`Unreadable`] if a line has another form, or a pool says nothing of a property that is needed.
    pub(super) fn read(out: &Output) -> Result<Self, Unreadable> {
        let mut pools: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for line in out.ok()?.lines() {
            let [pool, property, value] = line.split('\t').collect::<Vec<_>>()[..] else {
                return Err(Unreadable::new(format!("not a property of a pool: {line}")));
            };
            if property.starts_with("feature@") && !STATES.contains(&value) {
                return Err(Unreadable::new(format!("{pool}: {property} is neither off nor on: {value}")));
            }
            pools.entry(pool.to_owned()).or_default().insert(property.to_owned(), value.to_owned());
        }
        // Without a pool the tool is silent and content; zfs.pool-named tells that there is none.
        for (pool, has) in &pools {
            if let Some(missing) = NEEDED.iter().find(|property| !has.contains_key(**property)) {
                return Err(Unreadable::new(format!("{pool}: no word of {missing}")));
            }
        }
        Ok(Self { pools })
    }

    /// The pools with their properties.
    pub(super) fn pools(&self) -> impl Iterator<Item = (&str, &BTreeMap<String, String>)> {
        self.pools.iter().map(|(pool, has)| (pool.as_str(), has))
    }

    /// The features of each pool, by pool: name and state.
    pub(super) fn features(&self) -> impl Iterator<Item = (&str, BTreeMap<&str, &str>)> {
        self.pools().map(|(pool, has)| {
            let features =
                has.iter().filter_map(|(name, state)| Some((name.strip_prefix("feature@")?, state.as_str())));
            (pool, features.collect())
        })
    }

    /// What is wrong, where at least one pool is imported; otherwise that none is.
    pub(super) fn amiss(&self, of: impl Fn(&str, &BTreeMap<String, String>) -> Vec<String>) -> Vec<String> {
        if self.pools.is_empty() {
            return vec!["no pool is imported".to_owned()];
        }
        self.pools().flat_map(|(pool, has)| of(pool, has)).collect()
    }

    /// Whether every pool, and at least one, has `want`; and what they have.
    fn verdict(&self, property: &str, want: &str) -> Verdict {
        let all: Vec<_> =
            self.pools().map(|(pool, has)| (pool, has.get(property).map_or("-", String::as_str))).collect();
        let holds = !all.is_empty() && all.iter().all(|(_, value)| *value == want);
        let said: Vec<_> = all.iter().map(|(pool, value)| format!("{pool} {value}")).collect();
        Verdict::of(holds, want, if said.is_empty() { "no pool is imported".to_owned() } else { said.join(", ") })
    }

    /// The property's value where there is one pool.
    fn only(&self, property: &str) -> Option<Value> {
        let mut pools = self.pools.values();
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
