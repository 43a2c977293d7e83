//! `zpool status`: what the imported pools say of themselves.
//!
//! Read for what is said, not for what is usual: a pool that is ONLINE in its own line may hold faulted devices,
//! damaged files, or be suspended.

use super::vdev::Vdev;
use crate::{
    fact::{Fact, Unreadable},
    probe::{Output, Probe},
};

/// What `zpool status` says of every imported pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolStatus {
    /// The pools, in the order printed; none where the tool says that none is available.
    pub pools: Vec<Pool>,
}

/// One imported pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// The word after `state:` (`ONLINE`, `DEGRADED`, `SUSPENDED` …).
    pub state: String,
    /// What it says after `status:`, its lines joined; nothing where all is well.
    pub status: Option<String>,
    /// What each `scan:` line says, with the lines that go on from it; dRAID prints several, a new pool none.
    pub scans: Vec<String>,
    /// What each `remove:`, `checkpoint:` and `expand:` line says, with its key and the lines that go on from it.
    pub works: Vec<(String, String)>,
    /// The rows of its table, the pool itself first.
    pub vdevs: Vec<Vdev>,
    /// What it says after each `errors:`; a pool that could not be opened says nothing.
    pub errors: Vec<DataErrors>,
}

/// What a pool knows of damage in its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataErrors {
    /// No known data errors.
    None,
    /// So many, not listed.
    Count(u64),
    /// The files and objects that are damaged; none where it knows of damage, but not of what.
    Files(Vec<String>),
    /// The list cannot be read, for this reason.
    Unavailable(String),
}

impl Fact for PoolStatus {
    const ID: &'static str = "zfs.pool-status";

    fn probes() -> Vec<Probe> {
        vec![Self::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let text = out[0].ok()?;
        let says_none = |stream: &str| stream.trim() == "no pools available";
        if says_none(text) || (text.trim().is_empty() && says_none(&out[0].stderr)) {
            return Ok(Self { pools: Vec::new() });
        }
        let mut pools = Vec::new();
        for block in blocks(text)? {
            pools.push(pool(&block)?);
        }
        Ok(Self { pools })
    }
}

impl PoolStatus {
    pub(super) fn probe() -> Probe {
        Probe::root(["zpool", "status", "-pv"])
    }
}

/// One `key: value` of a pool, with the lines that belong to it.
struct Entry<'a> {
    key: &'a str,
    value: &'a str,
    more: Vec<&'a str>,
}

const KEYS: [&str; 13] = [
    "pool",
    "id",
    "state",
    "status",
    "action",
    "see",
    "scan",
    "scrub",
    "remove",
    "expand",
    "checkpoint",
    "config",
    "errors",
];

/// A key is told from text that merely holds a colon by its place: no tab and at most a few blanks before it.
fn key(line: &str) -> Option<(&str, &str)> {
    let text = line.trim_start_matches(' ');
    let (key, value) = text.split_once(':')?;
    (line.len() - text.len() <= 4 && KEYS.contains(&key)).then_some((key, value.trim()))
}

/// The entries of each pool.
fn blocks(text: &str) -> Result<Vec<Vec<Entry<'_>>>, Unreadable> {
    let mut blocks: Vec<Vec<Entry<'_>>> = Vec::new();
    for line in text.lines() {
        let found = key(line);
        if let Some((key @ "pool", value)) = found {
            blocks.push(vec![Entry { key, value, more: Vec::new() }]);
            continue;
        }
        let Some(entries) = blocks.last_mut() else {
            if line.trim().is_empty() {
                continue;
            }
            return Err(Unreadable::new(format!("not a pool's status: {}", line.trim())));
        };
        match (found, entries.last_mut()) {
            (Some((key, value)), _) => entries.push(Entry { key, value, more: Vec::new() }),
            (None, Some(entry)) => entry.more.push(line),
            (None, None) => {}
        }
    }
    if blocks.is_empty() { Err(Unreadable::new("nothing was said of any pool")) } else { Ok(blocks) }
}

fn pool(entries: &[Entry<'_>]) -> Result<Pool, Unreadable> {
    let mut pool = Pool::default();
    for entry in entries {
        match entry.key {
            "pool" => entry.value.clone_into(&mut pool.name),
            "id" => return Err(Unreadable::new(format!("{}: of pools to import, not of imported ones", pool.name))),
            "state" => entry.value.clone_into(&mut pool.state),
            "status" => pool.status = Some(joined(entry)),
            "scan" | "scrub" => pool.scans.push(joined(entry)),
            "remove" | "checkpoint" | "expand" => pool.works.push((entry.key.to_owned(), joined(entry))),
            "config" => pool.vdevs = vdevs(&pool.name, entry)?,
            "errors" => pool.errors.push(data_errors(&pool.name, entry)?),
            _ => {}
        }
    }
    let name = &pool.name;
    if pool.state.is_empty() {
        return Err(Unreadable::new(format!("{name}: no state")));
    }
    if pool.vdevs.is_empty() {
        return Err(Unreadable::new(format!("{name}: no table of devices")));
    }
    if pool.state == "ONLINE" && pool.errors.is_empty() {
        return Err(Unreadable::new(format!("{name}: cut off before its errors line")));
    }
    Ok(pool)
}

fn joined(entry: &Entry<'_>) -> String {
    let words = std::iter::once(entry.value).chain(entry.more.iter().copied()).flat_map(str::split_whitespace);
    words.collect::<Vec<_>>().join(" ")
}

fn vdevs(pool: &str, entry: &Entry<'_>) -> Result<Vec<Vdev>, Unreadable> {
    let mut rows = entry.more.iter().filter(|line| !line.trim().is_empty());
    let header: Vec<_> = rows.next().map(|line| line.split_whitespace().collect()).unwrap_or_default();
    if !header.starts_with(&["NAME", "STATE", "READ", "WRITE", "CKSUM"]) {
        return Err(Unreadable::new(format!("{pool}: no table of devices")));
    }
    let mut section = None;
    let mut vdevs: Vec<Vdev> = Vec::new();
    for row in rows {
        // A section's name stands alone; the pool's own row is first and has its state beside it, whatever its name.
        match row.trim() {
            word @ ("logs" | "cache" | "spares" | "special" | "dedup") => section = Some(word.to_owned()),
            _ => vdevs.push(Vdev::read(row, section.as_deref())?),
        }
    }
    match vdevs.first() {
        Some(first) if first.name == pool => Ok(vdevs),
        _ => Err(Unreadable::new(format!("{pool}: its table does not begin with it"))),
    }
}

fn data_errors(pool: &str, entry: &Entry<'_>) -> Result<DataErrors, Unreadable> {
    let unreadable = |what: &str| Err(Unreadable::new(format!("{pool}: {what}")));
    if entry.value == "No known data errors" {
        return Ok(DataErrors::None);
    }
    if let Some((count, _)) = entry.value.split_once(" data errors, use '-v'") {
        return count.parse().map(DataErrors::Count).or_else(|_| unreadable(entry.value));
    }
    if let Some(why) = entry.value.strip_prefix("List of errors unavailable") {
        let why = why.trim_start_matches(':').trim();
        if why.contains("privileges") || why.contains("permission") {
            return unreadable(entry.value);
        }
        return Ok(DataErrors::Unavailable(why.to_owned()));
    }
    if entry.value.starts_with("Permanent errors have been detected in the following files") {
        let files = entry.more.iter().map(|line| line.trim()).filter(|line| !line.is_empty());
        // None is named where the damage is in what no longer exists; that an answer is whole is seen before this.
        return Ok(DataErrors::Files(files.map(str::to_owned).collect()));
    }
    unreadable(&format!("errors that cannot be read: {}", entry.value))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{DataErrors, PoolStatus};
    use crate::{
        fact::Fact,
        probe::{Exit, Output},
    };

    fn status(scan: &str, errors: &str) -> PoolStatus {
        let stdout = format!(
            "  pool: tank\n state: ONLINE\n{scan}config:\n\n\tNAME        STATE     READ WRITE CKSUM\n\ttank        ONLINE       0     0     0\n\t  sda       ONLINE       0     0     0\n\nerrors: {errors}\n"
        );
        let (exit, stderr, took) = (Exit::Code(0), String::new(), Duration::ZERO);
        PoolStatus::parse(&[Output { exit, stdout, stderr, truncated: false, took }]).unwrap()
    }

    #[test]
    fn an_expansion_is_not_a_part_of_the_scan_before_it() {
        let text = "  scan: resilvered 2M in 00:00:01 with 0 errors on Mon Jul 14 23:10:20 2025\n\
                    expand: expansion of raidz1-0 in progress since Mon Jul 14 23:12:01 2025\n\
                    \t1G / 2G copied at 100M/s, 50.00% done, 00:00:10 to go\n";
        let pool = &status(text, "No known data errors").pools[0];
        assert_eq!(pool.scans, ["resilvered 2M in 00:00:01 with 0 errors on Mon Jul 14 23:10:20 2025"]);
    }

    #[test]
    fn damage_of_which_no_file_is_named_is_damage() {
        let pool = &status("", "Permanent errors have been detected in the following files:\n").pools[0];
        assert_eq!(pool.errors, [DataErrors::Files(Vec::new())]);
    }
}
