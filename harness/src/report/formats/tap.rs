//! TAP, the Test Anything Protocol, version 14: <https://testanything.org/tap-version-14-specification.html>.

use std::fmt::Write as _;

use kverify_checks::Status;

use super::{Judged, message};
use crate::report::{Conclusion, plain};

/// The document; its last point is what all of them say together, so that nothing passes of which nothing is known.
#[must_use]
pub fn document(all: &[Judged<'_>], verdict: Conclusion) -> String {
    let count: usize = all.iter().map(|judged| judged.outcomes.len()).sum();
    let mut text = format!("TAP version 14\n1..{}\n", count + 1);
    let each = all.iter().flat_map(|judged| judged.outcomes.iter().map(move |outcome| (judged, outcome)));
    for ((judged, outcome), number) in each.zip(1..) {
        let name = escaped(&judged.named(outcome));
        let _ = match outcome.status {
            Status::Pass => writeln!(text, "ok {number} - {name}"),
            Status::Skip => {
                let cause = outcome.cause.map_or_else(String::new, |cause| cause.to_string());
                let why = outcome.why.as_deref().map(|why| format!(": {}", plain::line(why, 500))).unwrap_or_default();
                writeln!(text, "ok {number} - {name} # SKIP {}", escaped(&format!("{cause}{why}")))
            }
            Status::Fail | Status::Error => {
                let severity = if outcome.status == Status::Fail { "fail" } else { "error" };
                // JSON's text is YAML's.
                let message = serde_json::to_string(&message(outcome)).unwrap_or_default();
                let at = outcome
                    .want_at
                    .as_deref()
                    .map(|at| serde_json::to_string(&plain::line(at, 300)).unwrap_or_default());
                let at = at.map(|at| format!("  at: {at}\n")).unwrap_or_default();
                writeln!(
                    text,
                    "not ok {number} - {name}\n  ---\n  message: {message}\n  severity: {severity}\n{at}  ..."
                )
            }
        };
    }
    let good = matches!(verdict, Conclusion::Verified | Conclusion::VerifiedInPart);
    let _ = writeln!(text, "{}ok {} - verdict: {verdict}", if good { "" } else { "not " }, count + 1);
    text
}

/// A description in which nothing is a directive.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('#', "\\#")
}

#[cfg(test)]
mod tests {
    use super::{document, escaped};
    use crate::report::{
        Conclusion,
        formats::tests::{reports, rows},
    };

    #[test]
    fn a_line_for_each_check() {
        let reports = reports();
        let rows = rows(&reports);
        let text = document(&rows, Conclusion::Refuted);
        let count: usize = rows.iter().map(|row| row.outcomes.len()).sum();
        assert_eq!(text.lines().nth(1), Some(format!("1..{}", count + 1).as_str()));
        let told = text.lines().filter(|line| line.starts_with("ok ") || line.starts_with("not ok ")).count();
        assert_eq!(told, count + 1);
        assert!(text.ends_with(&format!("\nnot ok {} - verdict: refuted\n", count + 1)), "{text}");
        assert_eq!(document(&[], Conclusion::NoVerdict), "TAP version 14\n1..1\nnot ok 1 - verdict: no verdict\n");
        insta::assert_snapshot!("tap", text);
    }

    #[test]
    fn no_name_is_a_directive() {
        assert_eq!(escaped("a # SKIP b \\"), "a \\# SKIP b \\\\");
    }
}
