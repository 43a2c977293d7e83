//! Scrubs: what the last one found in each pool, if there ever was one.
//!
//! Apart from the pool's health, since a scrub that found and mended damage leaves a pool that looks well once its
//! counters are cleared.

use super::pool_status::{Pool, PoolStatus};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// What was last scanned in each pool, by pool, in the order printed; a pool that was never scanned has nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scrubs(pub Vec<(String, Vec<Scan>)>);

/// One scrub or resilver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scan {
    /// It came to its end.
    Ended {
        /// `scrub` or `resilver`.
        kind: &'static str,
        /// What a scrub mended, as printed; what a resilver wrote is no repair.
        repaired: Option<String>,
        /// What it could not mend.
        errors: u64,
    },
    /// It runs, is paused, or was canceled: its line, which says so.
    Unfinished(String),
}

impl Scan {
    /// Reads one `scan:` line; nothing where no scan was ever asked for.
    ///
    /// # Errors
    /// [`Unreadable`] if it is of no known form.
    fn read(line: &str) -> Result<Option<Self>, Unreadable> {
        if line == "none requested" {
            return Ok(None);
        }
        // `resilvered (mirror-0) 20M in 00:00:01 with 0 errors on …`: a rebuild names its device.
        let unfinished = [" in progress since ", " paused since ", " canceled on "];
        if let Some(words) = unfinished.iter().find_map(|words| line.find(words).map(|at| &line[..at + words.len()])) {
            let words = words.trim_end().trim_end_matches(" since").trim_end_matches(" on");
            return Ok(Some(Self::Unfinished(words.to_owned())));
        }
        let unreadable = || Unreadable::new(format!("a scan of no known form: {line}"));
        let errors = || {
            let count = line.split_once(" with ")?.1.split_once(" errors on ")?.0;
            count.parse::<u64>().ok()
        };
        let ended = match line.split_once(' ') {
            Some(("scrub", rest)) => {
                let repaired = rest.strip_prefix("repaired ").and_then(|rest| rest.split(' ').next());
                let repaired = repaired.ok_or_else(unreadable)?;
                Self::Ended {
                    kind: "scrub",
                    repaired: Some(repaired.to_owned()),
                    errors: errors().ok_or_else(unreadable)?,
                }
            }
            Some(("resilvered", _)) => {
                Self::Ended { kind: "resilver", repaired: None, errors: errors().ok_or_else(unreadable)? }
            }
            // An error scrub looks at known errors alone, and what it leaves is told by the pool's errors.
            Some(("scrubbed", rest)) if rest.contains(" error blocks in ") => return Ok(None),
            _ => return Err(unreadable()),
        };
        Ok(Some(ended))
    }

    /// What is wrong with it, or nothing.
    fn illness(&self) -> Option<String> {
        match self {
            Self::Unfinished(words) => Some(words.clone()),
            Self::Ended { kind, errors, .. } if *errors > 0 => Some(format!("{kind} left {errors} errors")),
            Self::Ended { kind, repaired: Some(repaired), .. } if !matches!(repaired.as_str(), "0" | "0B") => {
                Some(format!("{kind} repaired {repaired}"))
            }
            Self::Ended { .. } => None,
        }
    }

    /// What it is, in a word.
    fn word(&self) -> &str {
        match self {
            Self::Ended { kind, .. } => kind,
            Self::Unfinished(words) => words,
        }
    }
}

impl Fact for Scrubs {
    const ID: &'static str = "zfs.scrubs";

    fn probes() -> Vec<Probe> {
        vec![PoolStatus::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let of = |pool: &Pool| {
            let scans = pool.scans.iter().filter_map(|line| Scan::read(line).transpose());
            Ok((pool.name.clone(), scans.collect::<Result<_, _>>()?))
        };
        PoolStatus::parse(out)?.pools.iter().map(of).collect::<Result<_, Unreadable>>().map(Self)
    }
}

/// The last scrub of each pool, where there was one, is over and found nothing.
pub struct LastScrubClean;

impl Check for LastScrubClean {
    type Fact = Scrubs;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "zfs.last-scrub-clean",
            demand: "no scrub of a pool runs or was given up, and the last one found nothing to repair",
            remedy: "build the image anew on sound storage: what was mended once was damaged, whatever the counters say since",
            key: "zfs.scrub_clean",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.zfs.scrub_clean == Some(true)).then_some(())
    }

    fn judge(&self, got: &Scrubs, (): &()) -> Verdict {
        let told = |scan: &Scan| scan.illness().unwrap_or_else(|| format!("{} clean", scan.word()));
        let said = got.0.iter().map(|(pool, scans)| match &scans[..] {
            [] => format!("{pool} never scrubbed"),
            scans => format!("{pool} {}", scans.iter().map(told).collect::<Vec<_>>().join(", ")),
        });
        let said =
            if got.0.is_empty() { "no pool is imported".to_owned() } else { said.collect::<Vec<_>>().join("; ") };
        let holds = !got.0.is_empty() && got.0.iter().flat_map(|(_, scans)| scans).all(|scan| scan.illness().is_none());
        Verdict::of(holds, "every scrub over, nothing repaired", said)
    }
}

#[cfg(test)]
mod tests {
    use super::Scan;

    fn illness(line: &str) -> Option<String> {
        Scan::read(line).unwrap().and_then(|scan| scan.illness())
    }

    #[test]
    fn a_scan_is_well_that_ended_and_found_nothing() {
        assert_eq!(illness("none requested"), None);
        assert_eq!(illness("scrub repaired 0B in 00:00:01 with 0 errors on Wed Nov 25 10:00:00 2026"), None);
        assert_eq!(illness("scrub repaired 0 in 0h12m with 0 errors on Sun Nov 13 00:36:50 2016"), None);
        assert_eq!(illness("resilvered 20.1M in 00:00:01 with 0 errors on Wed Nov 25 10:00:00 2026"), None);
    }

    #[test]
    fn one_that_found_something_is_not() {
        let said = illness("scrub repaired 128K in 00:00:01 with 0 errors on Wed Nov 25 10:00:00 2026");
        assert_eq!(said.unwrap(), "scrub repaired 128K");
        let said = illness("scrub repaired 0B in 00:00:01 with 3 errors on Wed Nov 25 10:00:00 2026");
        assert_eq!(said.unwrap(), "scrub left 3 errors");
        let said = illness("resilvered (mirror-0) 20M in 00:00:01 with 1 errors on Wed Nov 25 10:00:00 2026");
        assert_eq!(said.unwrap(), "resilver left 1 errors");
    }

    #[test]
    fn nor_is_one_that_did_not_end() {
        let progress = "scrub in progress since Wed Nov 25 10:00:00 2026 1G / 2G scanned at 0B/s, 0B / 2G issued";
        assert_eq!(illness(progress).unwrap(), "scrub in progress");
        let paused = "scrub paused since Wed Nov 25 10:00:00 2026 scrub started on Wed Nov 25 09:00:00 2026";
        assert_eq!(illness(paused).unwrap(), "scrub paused");
        assert_eq!(illness("scrub canceled on Wed Nov 25 10:00:00 2026").unwrap(), "scrub canceled");
        let rebuild = "resilver (draid1:2d:4c:1s-0) in progress since Wed Nov 25 10:00:00 2026 1M / 2M scanned";
        assert_eq!(illness(rebuild).unwrap(), "resilver (draid1:2d:4c:1s-0) in progress");
    }

    #[test]
    fn what_is_cut_off_or_unknown_is_refused() {
        for line in ["", "scrub repaired 0B in 00:00:01", "scrub", "something else", "resilvered 20M in 00:00:01 with"]
        {
            assert!(Scan::read(line).is_err(), "{line}");
        }
    }
}
