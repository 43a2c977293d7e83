//! `/etc/zfs/zpool.cache`: the pools that are imported at the next boot without being looked for.
//!
//! A file that names a pool that is gone, or another one of the same name, makes that import fail or wait.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    packed::{CutOff, Packed},
    pool_properties::PoolProperties,
};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Exit, Output, Probe},
};

/// What the cache file has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExpectedCache {
    /// Not there, or empty: pools are looked for.
    Absent,
    /// Naming every imported pool, and none beside.
    Current,
    /// One of both: whether there is a file depends on what was done to the pool since it was imported.
    NotStale,
}

/// The cache file, beside the pools that are imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheFile {
    /// The pools that it names; nothing where there is no file, or an empty one.
    pub cached: Option<Vec<CachedPool>>,
    /// The pools that are imported.
    pub imported: Vec<CachedPool>,
}

/// A pool by name and GUID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedPool {
    /// Its name.
    pub name: String,
    /// What tells it from another of that name.
    pub guid: u64,
}

impl Fact for CacheFile {
    const ID: &'static str = "zfs.cachefile";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["od", "-An", "-v", "-tx1", "/etc/zfs/zpool.cache"]), PoolProperties::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let mut imported = Vec::new();
        for (pool, has) in PoolProperties::read(&out[1])?.pools() {
            let guid = has.get("guid").and_then(|guid| guid.parse().ok());
            let guid = guid.ok_or_else(|| Unreadable::new(format!("{pool} has no GUID")))?;
            imported.push(CachedPool { name: pool.to_owned(), guid });
        }
        Ok(Self { cached: cached(&out[0])?, imported })
    }
}

/// The pools in the file as `od -tx1` prints it.
fn cached(out: &Output) -> Result<Option<Vec<CachedPool>>, Unreadable> {
    if out.exit == Exit::Code(1) && out.stderr.trim_end().ends_with("/etc/zfs/zpool.cache: No such file or directory") {
        return Ok(None);
    }
    let unreadable = || Unreadable::new("the cache file is no packed list of pools");
    let bytes = out.ok()?.split_whitespace().map(|byte| u8::from_str_radix(byte, 16));
    let bytes = bytes.collect::<Result<Vec<_>, _>>().map_err(|_| unreadable())?;
    if bytes.is_empty() {
        return Ok(None);
    }
    // Packed as it lies in memory, by a little-endian machine.
    let [0, 1, 0, 0, list @ ..] = &bytes[..] else { return Err(unreadable()) };
    Packed(list).pools().map(Some).map_err(|CutOff| unreadable())
}

/// The cache file is as expected.
pub struct CacheFileAsExpected;

impl Check for CacheFileAsExpected {
    type Fact = CacheFile;
    type Want = ExpectedCache;

    fn about(&self) -> &About {
        &About {
            id: "zfs.cachefile-as-expected",
            demand: "/etc/zfs/zpool.cache is absent, or names exactly the pools that are imported, as expected",
            remedy: "remove it, or `zpool set cachefile=/etc/zfs/zpool.cache POOL` on the machine itself, and make the initramfs anew",
            key: "zfs.cachefile",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<ExpectedCache> {
        image.zfs.cachefile
    }

    fn judge(&self, got: &CacheFile, want: &ExpectedCache) -> Verdict {
        let said = match &got.cached {
            None => "absent".to_owned(),
            Some(pools) if pools.is_empty() => "of no pool".to_owned(),
            Some(pools) => pools.iter().map(|pool| of(pool, &got.imported)).collect::<Vec<_>>().join(", "),
        };
        let cached = got.cached.as_deref().unwrap_or_default();
        let uncached = got.imported.iter().filter(|pool| !cached.contains(pool));
        let uncached: Vec<_> = uncached.map(|pool| format!("without {}", pool.name)).collect();
        let stray = cached.iter().any(|pool| !got.imported.contains(pool));
        let current = !stray && uncached.is_empty() && !cached.is_empty();
        let missing = if cached.is_empty() { Vec::new() } else { uncached };
        let said = std::iter::once(said).chain(missing).collect::<Vec<_>>().join(", ");
        match want {
            ExpectedCache::Absent => Verdict::of(cached.is_empty(), "absent", said),
            ExpectedCache::Current => Verdict::of(current, "every imported pool, and none beside", said),
            ExpectedCache::NotStale => {
                Verdict::of(current || cached.is_empty(), "absent, or every imported pool and none beside", said)
            }
        }
    }
}

/// A cached pool, and what it has to do with those that are imported.
fn of(pool: &CachedPool, imported: &[CachedPool]) -> String {
    let name = &pool.name;
    match imported.iter().find(|other| other.name == *name) {
        _ if imported.contains(pool) => name.clone(),
        Some(other) => format!("{name} of GUID {}, not {}", pool.guid, other.guid),
        None => format!("{name}, which is not imported"),
    }
}
