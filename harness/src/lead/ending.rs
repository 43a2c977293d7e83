//! What an outcome means for the test that stands for it.

use kverify_checks::{SkipCause, Status};

use super::spoken::{Question, Told};
use crate::report::{finding, plain};

/// How a test ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// What was demanded holds.
    Holds,
    /// It was asked, but not looked at, for the reason given: no evidence, and no fault of the image.
    LeftOut(String),
    /// It does not hold, or nobody can tell, and why.
    Fails(String),
}

impl Ending {
    /// What the answer to `question` means.
    #[must_use]
    pub fn of(question: &Question, told: &Told) -> Self {
        let outcome = &told.outcome;
        let skipped = |cause: SkipCause| {
            let why = plain::line(outcome.why.as_deref().unwrap_or_default(), 1000);
            format!("{cause}: {why}")
        };
        match (outcome.status, outcome.cause) {
            (Status::Pass, _) => Self::Holds,
            (Status::Skip, Some(cause @ (SkipCause::NotHere | SkipCause::Waived))) => Self::LeftOut(skipped(cause)),
            // Who runs a test that is listed as ignored must not read that it passed.
            (Status::Skip, cause) => Self::Fails(skipped(cause.unwrap_or(SkipCause::NotAsked))),
            (Status::Fail | Status::Error, _) => Self::Fails(finding(outcome, &question.row, told.folder.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use kverify_checks::{SkipCause, Status};

    use super::{Ending, Question, Told};
    use crate::report::sample_refuted;

    /// What becomes of the sample's check of this ID, with this status and cause.
    fn ending(check: &str, status: Status, cause: Option<SkipCause>) -> Ending {
        let outcomes = sample_refuted().outcomes;
        let mut outcome = outcomes.into_iter().find(|outcome| outcome.check == check).unwrap();
        (outcome.status, outcome.cause) = (status, cause);
        let question = Question { row: "row".to_owned(), check: check.to_owned() };
        Ending::of(&question, &Told { outcome, folder: Some("out/row".into()) })
    }

    #[test]
    fn only_a_pass_holds() {
        let check = "zfs.pools-healthy";
        assert_eq!(ending(check, Status::Pass, None), Ending::Holds);
        for status in [Status::Fail, Status::Error] {
            assert!(matches!(ending(check, status, None), Ending::Fails(_)));
        }
        for cause in [SkipCause::NotHere, SkipCause::Waived] {
            assert_eq!(ending(check, Status::Skip, Some(cause)), Ending::LeftOut(format!("{cause}: ")));
        }
        for cause in [SkipCause::NotAsked, SkipCause::Filtered] {
            assert_eq!(ending(check, Status::Skip, Some(cause)), Ending::Fails(format!("{cause}: ")));
        }
    }

    #[test]
    fn a_failure_says_what_was_wanted_what_there_is_and_where_from() {
        let Ending::Fails(said) = ending("zfs.pools-healthy", Status::Fail, None) else { panic!("it holds") };
        let begins: Vec<_> = said.lines().map(|line| line.split_whitespace().next().unwrap_or_default()).collect();
        assert_eq!(begins, ["FAIL", "want", "got", "from", "see"], "{said}");
        assert!(said.starts_with("FAIL  row · zfs.pools-healthy\n"), "{said}");
        assert!(said.contains("tank ONLINE, 1 write error on sda"), "{said}");
        assert!(said.trim_end().ends_with("out/row/zfs.pools-healthy.txt"), "{said}");
    }
}
