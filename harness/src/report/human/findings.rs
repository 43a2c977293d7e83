//! What failed or could not be told: a block for each, and one line for many that share one reason.

use std::collections::BTreeMap;

use kverify_checks::{Outcome, Status, outcome::Evidence};

use super::rows::mark;
use crate::report::{Carrier, Detail, Ink, Page, Report, plain};

/// From how many checks on one shared reason is told once.
const MANY: usize = 3;
/// Most characters of one value.
const VALUE: usize = 2000;
/// Most lines of one value.
const LINES: usize = 12;

/// The outcomes that need words, and those that share theirs.
pub(super) struct Findings<'a> {
    single: Vec<&'a Outcome>,
    many: BTreeMap<&'a str, Vec<&'a Outcome>>,
}

impl<'a> Findings<'a> {
    pub(super) fn of(report: &'a Report) -> Self {
        let mut many: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
        let never_ready = report.machines.iter().any(|machine| machine.carrier == Carrier::None);
        for outcome in &report.outcomes {
            if outcome.status == Status::Error && (never_ready || outcome.evidence.is_empty()) {
                many.entry(outcome.why.as_deref().unwrap_or_default()).or_default().push(outcome);
            }
        }
        many.retain(|_, outcomes| outcomes.len() >= MANY);
        let mut findings = Self { single: Vec::new(), many };
        let wordy = |outcome: &&Outcome| matches!(outcome.status, Status::Fail | Status::Error);
        findings.single =
            report.outcomes.iter().filter(wordy).filter(|outcome| !findings.is_told_for_many(outcome)).collect();
        findings
    }

    /// Whether `outcome` is one of many errors with the same reason and nothing else to say.
    pub(super) fn is_told_for_many(&self, outcome: &Outcome) -> bool {
        self.many.values().flatten().any(|other| other.check == outcome.check)
    }
}

impl Page<'_> {
    /// A block for each finding.
    pub(super) fn findings(&mut self, findings: &Findings<'_>, subject: &str) {
        for outcome in &findings.single {
            self.gap();
            self.finding(outcome, subject);
        }
        for (why, outcomes) in &findings.many {
            self.gap();
            let said = format!("{} checks could not be told: {}", outcomes.len(), plain::line(why, VALUE));
            self.hanging(0, 7, Ink::Unsure, mark(Status::Error).1, &said);
            if self.style.detail == Detail::Full {
                let ids: Vec<_> = outcomes.iter().map(|outcome| outcome.check.as_str()).collect();
                self.field("", &plain::line(&ids.join(", "), usize::MAX));
            }
        }
    }

    pub(super) fn finding(&mut self, outcome: &Outcome, subject: &str) {
        let (ink, word) = mark(outcome.status);
        let id = plain::line(&outcome.check, 100);
        self.line(&format!("{}  {subject} · {id}", self.style.paint(ink, word)));
        if let Some(want) = &outcome.want {
            let place =
                outcome.want_at.as_ref().map_or_else(String::new, |at| format!("   ({})", plain::line(at, 200)));
            self.field("want", &format!("{}{place}", value(want)));
        }
        for (label, said) in [("got", &outcome.got), ("why", &outcome.why)] {
            if let Some(said) = said {
                self.field(label, &value(said));
            }
        }
        let from: Vec<_> = outcome.evidence.iter().map(from).collect();
        if !from.is_empty() {
            self.field("from", &from.join("\n"));
        }
        if let Some(folder) = &self.style.folder {
            let path = folder.join(format!("{id}.txt"));
            self.field("see", &plain::line(&path.display().to_string(), usize::MAX));
        }
    }
}

fn from(evidence: &Evidence) -> String {
    format!("{}   ({}, {:.2} s)", plain::line(&evidence.from, 300), evidence.exit, evidence.seconds)
}

/// A value with its lines kept, as far as a table can hold them.
fn value(text: &str) -> String {
    let text = plain::block(text);
    let mut lines: Vec<_> = text.lines().take(LINES).map(|line| plain::line(line, VALUE)).collect();
    let more = text.lines().count().saturating_sub(LINES);
    if more > 0 {
        lines.push(format!("… and {more} more lines"));
    }
    lines.join("\n")
}
