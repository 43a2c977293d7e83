//! Views for other programs: what a CI shows beside a change, and streams that tools read line by line.
//!
//! All of them tell of one image, or of each row of a matrix. What guests and file names brought in goes through
//! [`plain`], and then by the rules of the format, so that no image writes anything but text into it.

pub mod github;
pub mod gitlab;
pub mod lines;
pub mod tap;

use kverify_checks::{Outcome, Status};

use super::{Conclusion, Report, plain};

/// Most characters of what is said of a check.
const MESSAGE: usize = 2000;

/// What came of one image, or of one row of a matrix.
#[derive(Clone, Debug)]
pub struct Judged<'a> {
    /// The row; nothing where there is but one image.
    pub row: Option<&'a str>,
    /// The name of the image; nothing where it was not come to.
    pub image: Option<&'a str>,
    /// Its digest, in the same case.
    pub digest: Option<&'a str>,
    /// What its outcomes say together.
    pub verdict: Conclusion,
    /// One for each check and scenario.
    pub outcomes: &'a [Outcome],
}

impl<'a> Judged<'a> {
    /// What a report says of its image.
    #[must_use]
    pub fn of(report: &'a Report) -> Self {
        Self {
            row: None,
            image: Some(&report.subject.name),
            digest: Some(&report.subject.digest),
            verdict: report.verdict,
            outcomes: &report.outcomes,
        }
    }

    /// A check's name among those of all rows.
    fn named(&self, outcome: &Outcome) -> String {
        let check = plain::line(&outcome.check, 200);
        match self.row {
            None => check,
            Some(row) => format!("{}: {check}", plain::line(row, 200)),
        }
    }

    /// The row, or else the image.
    fn subject(&self) -> String {
        plain::line(self.row.or(self.image).unwrap_or("image"), 200)
    }
}

/// What is said of a check in one harmless line: what was wanted and found, or why that could not be told.
fn message(outcome: &Outcome) -> String {
    let said = match (outcome.status, &outcome.want, &outcome.got) {
        (Status::Fail, Some(want), Some(got)) => format!("want {want}, got {got}"),
        _ => outcome.said().to_owned(),
    };
    plain::line(&said, MESSAGE)
}

#[cfg(test)]
pub(super) mod tests {
    use super::Judged;
    use crate::report::{Report, samples};

    /// One that fails and one whose every text is an attack, as rows of a matrix.
    pub(super) fn reports() -> [Report; 2] {
        [samples::refuted(), samples::hostile()]
    }

    pub(super) fn rows(reports: &[Report; 2]) -> [Judged<'_>; 2] {
        let [one, other] = reports;
        [Judged { row: Some("one"), ..Judged::of(one) }, Judged { row: Some("other"), ..Judged::of(other) }]
    }
}
