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
        match out[0].exit {
            Exit::Code(0 | 1) => Self::read(text, &out[0].stderr),
            exit => Err(Unreadable::new(format!("{exit}: {}", out[0].stderr.trim()))),
        }
    }
}

impl ForeignPools {
    fn read(stdout: &str, stderr: &str) -> Result<Self, Unreadable> {
        let mut pools: Vec<(String, String)> = Vec::new();
        for line in stdout.lines() {
            if let Some(name) = value(line, "pool") {
                pools.push((name.to_owned(), String::new()));
            }
            if let (Some(id), Some((_, last))) = (value(line, "id"), pools.last_mut()) {
                id.clone_into(last);
            }
        }
        let mut lines = stdout.lines().chain(stderr.lines());
        let none = lines.any(|line| line.trim() == "no pools available to import");
        match (pools.is_empty(), none) {
            (true, true) => Ok(Self(pools)),
            (false, false) if pools.iter().all(|(_, id)| !id.is_empty()) => Ok(Self(pools)),
            _ => {
                let said = format!("{} {}", stdout.trim(), stderr.trim());
                Err(Unreadable::new(format!("neither pools nor the word that there are none: {}", said.trim())))
            }
        }
    }
}

/// The value of such a key, which stands near the beginning of its line; devices stand behind a tab.
fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let text = line.trim_start_matches(' ');
    let (there, value) = text.split_once(':')?;
    (there == key && line.len() - text.len() <= 6).then(|| value.trim())
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

#[cfg(test)]
mod tests {
    use super::ForeignPools;

    #[test]
    fn a_device_called_pool_is_no_pool() {
        let text = "   pool: left\n     id: 12\n  state: ONLINE\n config:\n\n\tleft    ONLINE\n\t  pool:x  ONLINE\n";
        assert_eq!(ForeignPools::read(text, "").unwrap().0, [("left".to_owned(), "12".to_owned())]);
    }

    #[test]
    fn silence_and_what_is_cut_off_are_no_answer() {
        assert!(ForeignPools::read("", "no pools available to import\n").unwrap().0.is_empty());
        assert!(ForeignPools::read("", "").is_err());
        assert!(ForeignPools::read("   pool: left\n", "").is_err());
    }
}
