//! The text view of a matrix: a row per row, topics beside each other where there is room.

use std::{collections::BTreeMap, fmt::Write as _};

use kverify_checks::Status;
use unicode_width::UnicodeWidthStr as _;

use super::{MatrixReport, RowReport};
use crate::report::{Conclusion, Detail, Ink, Page, Style, plain, words};

/// Most differences that are shown, one that is asked for with `--verbose` excepted.
const DIFFERENCES: usize = 10;

/// The matrix as a table, ending in its verdict.
#[must_use]
pub fn table(report: &MatrixReport, style: &Style) -> String {
    let mut page = Page::new(style);
    page.rows_by_topic(report);
    page.troubles(report);
    page.differences(report);
    page.gap();
    let count = |verdict: &[Conclusion]| report.rows.iter().filter(|row| verdict.contains(&row.verdict)).count();
    let good = count(&[Conclusion::Verified, Conclusion::VerifiedInPart]);
    let shard = report.shard.map(|shard| format!(", part {} of {}", shard.number, shard.of)).unwrap_or_default();
    let left_out = match report.all.len() - report.due.len().min(report.all.len()) {
        left if left > 0 && report.shard.is_none() => format!(", and {left} were left out"),
        _ => String::new(),
    };
    page.line(&format!(
        "{}  {}{shard}: {good} of {} rows hold{left_out}",
        style.paint(words::ink(report.verdict), &report.verdict.to_string()),
        plain::line(&report.matrix, 200),
        report.due.len(),
    ));
    page.field("matrix", &report.digest.to_string());
    if let Some(folder) = &style.folder {
        page.field("see", &plain::line(&folder.display().to_string(), 1000));
    }
    page.finish()
}

/// How many of a topic's checks hold, or how many do not.
#[derive(Clone, Copy, Default)]
pub(super) struct Cell {
    good: usize,
    bad: usize,
    unsure: usize,
}

impl Cell {
    pub(super) fn of(row: &RowReport) -> BTreeMap<&str, Self> {
        let mut cells: BTreeMap<&str, Self> = BTreeMap::new();
        for (check, status) in &row.checks {
            let cell = cells.entry(words::topic(check)).or_default();
            match status {
                Status::Pass => cell.good += 1,
                Status::Fail => cell.bad += 1,
                Status::Error => cell.unsure += 1,
                Status::Skip => {}
            }
        }
        cells
    }

    pub(super) fn text(self) -> (String, Ink) {
        match self {
            Self { bad: 0, unsure: 0, good: 0 } => ("-".to_owned(), Ink::Faint),
            Self { bad: 0, unsure: 0, good } => (good.to_string(), Ink::Good),
            Self { bad: 0, unsure, .. } => (format!("{unsure} ?"), Ink::Unsure),
            Self { bad, .. } => (format!("{bad} fail"), Ink::Bad),
        }
    }
}

impl Page<'_> {
    fn rows_by_topic(&mut self, report: &MatrixReport) {
        let rows: Vec<_> = report.rows.iter().map(|row| (row, Cell::of(row))).collect();
        let brief = self.style.detail == Detail::Brief;
        let mut topics: Vec<&str> = rows.iter().flat_map(|(_, cells)| cells.keys().copied()).collect();
        topics.sort_unstable();
        topics.dedup();
        let name = report.rows.iter().map(|row| row.row.len()).max().unwrap_or(0).max(3);
        let widths: Vec<_> = topics
            .iter()
            .map(|topic| {
                let cells = rows.iter().map(|(_, cells)| cells.get(topic).copied().unwrap_or_default().text().0.len());
                cells.max().unwrap_or(0).max(topic.width())
            })
            .collect();
        let verdict = report.rows.iter().map(|row| row.verdict.to_string().len()).max().unwrap_or(0);
        let grid = widths.iter().map(|width| width + 2).sum::<usize>() + name + 2 + verdict + 10 <= self.width();
        if grid && !brief && !rows.is_empty() {
            let mut head = format!("{:name$}  {:verdict$}", "", "");
            for (topic, width) in topics.iter().zip(&widths) {
                let _ = write!(head, "  {topic:>width$}");
            }
            let head = self.style.paint(Ink::Faint, &head);
            self.line(&head);
        }
        for (row, cells) in rows {
            if brief && row.verdict == Conclusion::Verified {
                continue;
            }
            let mut line = format!("{:name$}  ", row.row);
            line += &self.style.paint(words::ink(row.verdict), &format!("{:verdict$}", row.verdict.to_string()));
            for (topic, width) in topics.iter().zip(&widths) {
                let (text, ink) = cells.get(topic).copied().unwrap_or_default().text();
                if grid {
                    let _ = write!(line, "  {}{}", " ".repeat(width - text.len()), self.style.paint(ink, &text));
                } else if (ink == Ink::Bad || ink == Ink::Unsure) && row.why.is_none() {
                    let _ = write!(line, "  {topic} {}", self.style.paint(ink, &text));
                }
            }
            self.line(&format!("{line}  {:>4.0} s", row.seconds));
        }
        for row in report.missing() {
            let line = format!("{row:name$}  {}", self.style.paint(Ink::Unsure, "not run"));
            self.line(&line);
        }
    }

    /// What does not hold, by row.
    fn troubles(&mut self, report: &MatrixReport) {
        for row in &report.rows {
            let ended = |wanted: Status| {
                let checks = row.checks.iter().filter(move |(_, status)| **status == wanted);
                checks.map(|(check, _)| plain::line(check, 100)).collect::<Vec<_>>().join(", ")
            };
            let failed = ended(Status::Fail);
            if failed.is_empty() && row.why.is_none() && row.tries.is_empty() && row.verdict != Conclusion::NoVerdict {
                continue;
            }
            self.gap();
            let name = self.style.paint(Ink::Strong, &row.row);
            self.line(&name);
            if !failed.is_empty() {
                self.field("fail", &failed);
            }
            match &row.why {
                Some(why) => self.field("why", &plain::line(why, 1000)),
                None if row.verdict == Conclusion::NoVerdict => self.field("error", &ended(Status::Error)),
                None => {}
            }
            for (number, why) in row.tries.iter().enumerate() {
                self.field("tried", &format!("{}: {}", number + 1, plain::line(why, 1000)));
            }
        }
    }

    fn differences(&mut self, report: &MatrixReport) {
        if report.differences.is_empty() {
            return;
        }
        self.gap();
        self.line("rows of one image that differ");
        let most = if self.style.detail == Detail::Full { usize::MAX } else { DIFFERENCES };
        for difference in report.differences.iter().take(most) {
            let ended = difference
                .ended
                .iter()
                .map(|(status, rows)| format!("{} on {}", words::ended(*status), rows.join(", ")));
            let ended = ended.collect::<Vec<_>>().join("; ");
            self.field(&plain::line(&difference.check, 100), &plain::line(&ended, 2000));
        }
        if let Some(more) = report.differences.len().checked_sub(most).filter(|more| *more > 0) {
            self.line(&format!("  … and {more} more; --verbose shows them"));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use kverify_checks::Status::{Error, Fail, Pass, Skip};

    use super::{
        super::tests::{report, row},
        table,
    };
    use crate::report::{Detail, Style};

    pub(in crate::report::matrix) fn sample() -> crate::report::MatrixReport {
        let good = [("boot.ready", Pass), ("boot.locale-set", Pass), ("zfs.pools-healthy", Pass), ("cloud.x", Skip)];
        let mut lost = row("debian-12-server", 2, &[("boot.ready", Error), ("zfs.pools-healthy", Error)]);
        (lost.image, lost.why) = (None, Some("no image at golden.qcow2".to_owned()));
        lost.tries = vec!["qemu did not start".to_owned()];
        let sata = row("debian-13.sata", 1, &[("boot.ready", Pass), ("zfs.pools-healthy", Fail)]);
        report(
            &["debian-13", "debian-13.sata", "debian-12-server", "fedora-44"],
            vec![row("debian-13", 1, &good), sata, lost],
        )
    }

    #[test]
    fn rows_by_topics_where_there_is_room() {
        insta::assert_snapshot!(table(&sample(), &Style { width: 100, ..Style::default() }));
    }

    #[test]
    fn only_what_does_not_hold_where_there_is_none() {
        let style = Style { width: 50, detail: Detail::Brief, ..Style::default() };
        insta::assert_snapshot!(table(&sample(), &style));
    }
}
