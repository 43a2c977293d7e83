//! Whether dpkg's database is consistent in itself: `dpkg --audit`, and what a broken-off run left behind.

use std::time::Duration;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// What dpkg finds wrong with its database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// The lines of its report, without the blank ones.
    pub complaints: Vec<String>,
    /// Changes that were written down and never taken in, as files of `/var/lib/dpkg/updates`.
    pub pending: Vec<String>,
}

const SCRIPT: &str = "dpkg --audit; echo \"ended with $?\"; ls -1 /var/lib/dpkg/updates";

impl Fact for Audit {
    const ID: &'static str = "packages.audit";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["sh", "-c", SCRIPT]).limit(Duration::from_mins(1))]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let text = out[0].ok()?;
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let mut complaints = Vec::new();
        let ended = loop {
            match lines.next() {
                Some(line) if line.starts_with("ended with ") => break line,
                Some(line) => complaints.push(line.to_owned()),
                None => return Err(Unreadable::new("dpkg --audit did not end")),
            }
        };
        // It may end with 0 though it found something, or with 1.
        if ended != "ended with 0" && (ended != "ended with 1" || complaints.is_empty()) {
            let why = out[0].stderr.lines().last().unwrap_or_default();
            return Err(Unreadable::new(format!("dpkg --audit {ended}: {why}")));
        }
        Ok(Self { complaints, pending: lines.map(str::to_owned).collect() })
    }
}

/// The package database is whole.
pub struct DatabaseConsistent;

impl Check for DatabaseConsistent {
    type Fact = Audit;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "packages.database-consistent",
            demand: "`dpkg --audit` finds nothing wrong, and no run of dpkg was broken off",
            remedy: "`dpkg --configure -a`; where lists or sums are missing, reinstall the packages that the audit names",
            key: "packages.consistent",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.packages.consistent == Some(true)).then_some(())
    }

    fn judge(&self, got: &Audit, (): &()) -> Verdict {
        let mut said = got.complaints.clone();
        if !got.pending.is_empty() {
            said.push(format!("changes not taken in: {}", got.pending.join(", ")));
        }
        Verdict::of(
            said.is_empty(),
            "consistent",
            if said.is_empty() { "consistent".to_owned() } else { said.join(" ") },
        )
    }
}
