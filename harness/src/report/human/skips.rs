//! What was not asked: counted by cause, and named where somebody could have wanted to know it.

use std::collections::{BTreeMap, BTreeSet};

use kverify_checks::{Outcome, SkipCause, Status};

use crate::report::{Detail, Ink, Page, plain, words::topic};

/// Most IDs named for one reason.
const NAMED: usize = 8;

impl Page<'_> {
    /// One line of counts, then a line for each reason that is more than "the expectation does not ask".
    pub(super) fn skips(&mut self, outcomes: &[Outcome]) {
        let mut causes: BTreeMap<SkipCause, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
        for outcome in outcomes.iter().filter(|outcome| outcome.status == Status::Skip) {
            let cause = outcome.cause.unwrap_or(SkipCause::NotAsked);
            let why = outcome.why.as_deref().unwrap_or_default();
            causes.entry(cause).or_default().entry(why).or_default().push(&outcome.check);
        }
        if causes.is_empty() {
            return;
        }
        self.gap();
        let count = |reasons: &BTreeMap<&str, Vec<&str>>| reasons.values().map(Vec::len).sum::<usize>();
        let counts: Vec<_> = causes.iter().map(|(cause, reasons)| format!("{} {cause}", count(reasons))).collect();
        self.hanging(0, 9, Ink::Strong, "skipped", &counts.join(", "));
        for (cause, reasons) in &causes {
            if *cause == SkipCause::NotAsked && self.style.detail < Detail::Full {
                continue;
            }
            for (why, ids) in reasons {
                let why = if why.is_empty() { String::new() } else { format!(": {}", plain::line(why, 400)) };
                let names = names(ids, outcomes, self.style.detail);
                self.hanging(2, 11, Ink::Faint, &cause.to_string(), &format!("{names}{why}"));
            }
        }
    }
}

/// `ids` joined with commas, a topic all of whose checks are among them as `topic.*`.
fn names(ids: &[&str], outcomes: &[Outcome], detail: Detail) -> String {
    let whole: BTreeSet<_> =
        outcomes.iter().map(|outcome| topic(&outcome.check)).filter(|topic| has_whole(ids, outcomes, topic)).collect();
    let mut names: Vec<_> = ids
        .iter()
        .map(|id| match id.split('.').next() {
            Some(topic) if whole.contains(topic) => format!("{topic}.*"),
            _ => (*id).to_owned(),
        })
        .collect();
    names.dedup();
    let more = names.len().saturating_sub(NAMED);
    if more > 1 && detail < Detail::Full {
        names.truncate(NAMED);
        names.push(format!("{more} more"));
    }
    plain::line(&names.join(", "), usize::MAX)
}

/// Whether `topic` has more than one check, all of them among `ids`.
fn has_whole(ids: &[&str], outcomes: &[Outcome], topic: &str) -> bool {
    let mut of_it = outcomes.iter().filter(|outcome| self::topic(&outcome.check) == topic).peekable();
    of_it.peek().is_some() && of_it.clone().count() > 1 && of_it.all(|outcome| ids.contains(&outcome.check.as_str()))
}
