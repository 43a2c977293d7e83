//! GitLab: the report of code quality that a merge request shows; the JUnit file is beside it already.
//!
//! <https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>

use kverify_checks::{Outcome, Status};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{Judged, message};
use crate::{
    image::hex,
    report::{json, plain},
};

/// What is wrong in one place.
#[derive(Serialize)]
struct Issue {
    description: String,
    check_name: String,
    /// The same for the same check of the same image or row, so that it is told what a change mends.
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: usize,
}

/// An issue for each check that fails or cannot be told, where what it wants is written.
#[must_use]
pub fn code_quality(all: &[Judged<'_>]) -> String {
    let issues = all.iter().flat_map(|judged| judged.outcomes.iter().filter_map(move |outcome| issue(judged, outcome)));
    json::harmless(&issues.collect::<Vec<_>>())
}

fn issue(judged: &Judged<'_>, outcome: &Outcome) -> Option<Issue> {
    let severity = match outcome.status {
        Status::Fail => "critical",
        Status::Error => "major",
        Status::Pass | Status::Skip => return None,
    };
    let named = judged.named(outcome);
    let fingerprint = hex(&Sha256::digest(format!("{}\0{named}", judged.subject()))[..16]);
    let at = outcome.want_at.as_deref().map(|at| plain::line(at, 300));
    let (path, line) =
        at.as_deref().and_then(|at| at.rsplit_once(':')).unwrap_or((at.as_deref().unwrap_or("kverify"), "1"));
    let location = Location { path: path.to_owned(), lines: Lines { begin: line.parse().unwrap_or(1) } };
    let description = format!("{named}: {}", message(outcome));
    Some(Issue { description, check_name: plain::line(&outcome.check, 200), fingerprint, severity, location })
}

#[cfg(test)]
mod tests {
    use super::code_quality;
    use crate::report::formats::tests::{reports, rows};

    #[test]
    fn an_issue_for_each_that_does_not_hold() {
        let reports = reports();
        insta::assert_snapshot!("gitlab.code_quality", code_quality(&rows(&reports)));
    }

    #[test]
    fn an_issue_is_known_again_whatever_is_found_then() {
        let fingerprints = |text: &str| {
            let issues: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
            issues.iter().map(|issue| issue["fingerprint"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let mut changed = reports();
        let before = fingerprints(&code_quality(&rows(&changed)));
        for outcome in &mut changed[0].outcomes {
            outcome.got = Some("something else".to_owned());
        }
        assert_eq!(fingerprints(&code_quality(&rows(&changed))), before);
        let mut all = before.clone();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), before.len(), "each is another");
    }
}
