//! The table: a row per check that was asked, by topic.

use kverify_checks::{Outcome, Status};
use unicode_width::UnicodeWidthStr;

use super::findings::Findings;
use crate::report::{Ink, Page, page::shorten, plain, words};

/// Widest column of IDs.
const WIDEST: usize = 36;

impl Page<'_> {
    /// A row for each outcome that is neither skipped nor told once for many.
    pub(super) fn rows(&mut self, outcomes: &[Outcome], findings: &Findings<'_>) {
        let shown: Vec<_> = outcomes
            .iter()
            .filter(|outcome| outcome.status != Status::Skip && !findings.is_told_for_many(outcome))
            .collect();
        let column = shown.iter().map(|outcome| outcome.check.width()).max().unwrap_or(0).min(WIDEST);
        for topic in shown.chunk_by(|one, other| words::topic(&one.check) == words::topic(&other.check)) {
            let hold = topic.iter().filter(|outcome| outcome.status == Status::Pass).count();
            let count = words::holding(hold, topic.len());
            let name = self.style.paint(Ink::Strong, words::topic(&topic[0].check));
            self.line(&format!("{name}  {}", self.style.paint(Ink::Faint, &count)));
            for outcome in topic {
                self.row(outcome, column);
            }
        }
    }

    fn row(&mut self, outcome: &Outcome, column: usize) {
        let (ink, mark) = mark(outcome.status);
        let id = plain::line(&outcome.check, 100);
        let said = plain::line(outcome.said(), 400);
        let used = 2 + 5 + 2 + id.width().max(column) + 2;
        let said = shorten(&said, self.width().saturating_sub(used).max(10));
        let row = format!("  {}{:pad$}  {id:column$}  {said}", self.style.paint(ink, mark), "", pad = 5 - mark.len());
        self.line(&row);
    }
}

/// The colour and the word of a status.
pub(crate) fn mark(status: Status) -> (Ink, &'static str) {
    match status {
        Status::Pass => (Ink::Good, "ok"),
        Status::Fail => (Ink::Bad, "FAIL"),
        Status::Error => (Ink::Unsure, "ERROR"),
        Status::Skip => (Ink::Faint, "skip"),
    }
}
