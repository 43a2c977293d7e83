//! Units that failed, and units that the service manager starts again and again.
//!
//! The state of a unit that restarts for ever depends on the moment of asking, so the journal's own entries about
//! scheduled restarts are counted too: they are indexed by message ID, and cheap.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// Units in trouble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Units {
    /// Units that failed, by name, sorted.
    pub failed: Vec<String>,
    /// Units that wait for their next start (`auto-restart`) at this moment, sorted.
    pub restarting: Vec<String>,
    /// How often each unit was started again since the boot, by name.
    pub restarts: BTreeMap<String, u32>,
}

/// `SD_MESSAGE_UNIT_RESTART_SCHEDULED` of systemd's sd-messages.h.
const RESTARTS: &str = "MESSAGE_ID=5eb03494b6584870a536b337290809b3";

/// The columns of `list-units --plain`; the description may be empty.
struct Row<'a> {
    unit: &'a str,
    active: &'a str,
    sub: &'a str,
}

impl<'a> Row<'a> {
    fn read(line: &'a str) -> Result<Self, Unreadable> {
        // Older systemd marks failed units in front even with --plain.
        let line = line.trim_start_matches(['●', '×', '*', '↻', ' ']);
        let mut columns = line.split_whitespace();
        let row = (columns.next(), columns.next(), columns.next(), columns.next());
        match row {
            (Some(unit), Some(load), Some(active), Some(sub)) if unit.contains('.') && is_load_state(load) => {
                Ok(Self { unit, active, sub })
            }
            _ => Err(Unreadable::new(format!("not a line of list-units: {line}"))),
        }
    }
}

fn is_load_state(word: &str) -> bool {
    matches!(word, "stub" | "loaded" | "not-found" | "bad-setting" | "error" | "merged" | "masked")
}

/// One entry of the journal about a restart.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "UNIT")]
    unit: Option<String>,
    #[serde(rename = "USER_UNIT")]
    user_unit: Option<String>,
    #[serde(rename = "N_RESTARTS")]
    restarts: String,
}

fn restarts(journal: &str) -> Result<BTreeMap<String, u32>, Unreadable> {
    let mut most = BTreeMap::new();
    for line in journal.lines() {
        let entry: Entry =
            serde_json::from_str(line).map_err(|error| Unreadable::new(format!("journal entry: {error}")))?;
        let count = entry.restarts.parse::<u32>();
        let (Some(unit), Ok(count)) = (entry.unit.or(entry.user_unit), count) else {
            return Err(Unreadable::new(format!("journal entry without a unit or a count: {line}")));
        };
        let known = most.entry(unit).or_insert(count);
        *known = count.max(*known);
    }
    Ok(most)
}

impl Fact for Units {
    const ID: &'static str = "boot.units";

    fn probes() -> Vec<Probe> {
        vec![
            Probe::root([
                "systemctl",
                "list-units",
                "--all",
                "--full",
                "--plain",
                "--no-legend",
                "--no-pager",
                "--state=failed,auto-restart,auto-restart-queued",
            ]),
            Probe::root([
                "journalctl",
                "-b",
                "-q",
                "--no-pager",
                "-o",
                "json",
                "--output-fields=UNIT,USER_UNIT,N_RESTARTS",
                RESTARTS,
            ]),
        ]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let mut units = Self { failed: Vec::new(), restarting: Vec::new(), restarts: restarts(out[1].ok()?)? };
        for line in out[0].ok()?.lines() {
            let Row { unit, active, sub } = Row::read(line)?;
            match (active, sub) {
                ("failed", _) => units.failed.push(unit.to_owned()),
                (_, "auto-restart" | "auto-restart-queued") => units.restarting.push(unit.to_owned()),
                _ => return Err(Unreadable::new(format!("a unit that was not asked for: {line}"))),
            }
        }
        units.failed.sort_unstable();
        units.restarting.sort_unstable();
        Ok(units)
    }
}

/// No unit failed.
pub struct NoFailedUnits;

impl Check for NoFailedUnits {
    type Fact = Units;
    /// The units that may.
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "boot.no-failed-units",
            demand: "no unit failed, but for those that are known to",
            remedy: "`systemctl status UNIT` and `journalctl -b -u UNIT` say why; disable what the image does not need",
            key: "boot.failed_units",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        image.boot.failed_units.clone()
    }

    fn judge(&self, got: &Units, known: &Vec<String>) -> Verdict {
        let failed: Vec<_> = got.failed.iter().filter(|unit| !known.contains(unit)).map(String::as_str).collect();
        let want = if known.is_empty() { "none".to_owned() } else { format!("none but {}", known.join(", ")) };
        Verdict::of(failed.is_empty(), want, named(&failed))
    }
}

/// No unit is started again and again.
pub struct NoRestartLoops;

impl Check for NoRestartLoops {
    type Fact = Units;
    type Want = u32;

    fn about(&self) -> &About {
        &About {
            id: "boot.no-restart-loops",
            demand: "no unit waits for its next start, and none was started again more often than allowed",
            remedy: "`journalctl -b -u UNIT` says why its process ends",
            key: "boot.restarts",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<u32> {
        image.boot.restarts
    }

    fn judge(&self, got: &Units, most: &u32) -> Verdict {
        let waiting = got.restarting.iter().filter(|unit| !got.restarts.contains_key(*unit)).cloned();
        let counted = got.restarts.iter().filter(|(unit, count)| *count > most || got.restarting.contains(unit));
        let looping: Vec<_> = counted.map(|(unit, count)| format!("{unit} ({count} times)")).chain(waiting).collect();
        let looping: Vec<_> = looping.iter().map(String::as_str).collect();
        Verdict::of(looping.is_empty(), format_args!("at most {most} restarts of a unit"), named(&looping))
    }
}

fn named(units: &[&str]) -> String {
    if units.is_empty() { "none".to_owned() } else { units.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::Row;

    #[test]
    fn the_mark_of_older_systemd_is_no_column() {
        for line in ["● x@1.service loaded failed failed Some words", "x@1.service not-found failed failed"] {
            let row = Row::read(line).unwrap();
            assert_eq!((row.unit, row.active, row.sub), ("x@1.service", "failed", "failed"));
        }
    }

    #[test]
    fn legends_and_headings_are_not_units() {
        for line in ["0 loaded units listed.", "UNIT LOAD ACTIVE SUB DESCRIPTION", "x.service loaded failed"] {
            assert!(Row::read(line).is_err(), "{line}");
        }
    }
}
