//! GitHub Actions: annotations, and the summary of a step.
//!
//! <https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions>. The runner takes every line of a
//! step's output that begins with `::` for a command, and so a guest could give commands: they are stopped, by a word that
//! no guest can know, for as long as anything but annotations is written. So are those of the older form, which begin with `##[`
//! anywhere in a line.

use std::fmt::Write as _;

use kverify_checks::Status;

use super::{Judged, message};
use crate::report::{Conclusion, plain};

/// Most bytes of the tables: a summary has 1 MiB at most, and a longer one is not shown at all.
const LONGEST: usize = 900_000;

/// What stops commands until [`resumed`] is written, with a word that nobody else knows.
#[must_use]
pub fn stopped(word: &str) -> String {
    format!("::stop-commands::{word}\n")
}

/// What has commands taken again.
#[must_use]
pub fn resumed(word: &str) -> String {
    format!("::{word}::\n")
}

/// An annotation for each check that fails, then for each that could not be told; GitHub shows ten of each kind.
#[must_use]
pub fn annotations(all: &[Judged<'_>]) -> String {
    let mut text = String::new();
    for (status, kind) in [(Status::Fail, "error"), (Status::Error, "warning")] {
        for judged in all {
            for outcome in judged.outcomes.iter().filter(|outcome| outcome.status == status) {
                // A row is named already.
                let of = if judged.row.is_some() { String::new() } else { format!(" ({})", judged.subject()) };
                let title = property(&format!("{}{of}", judged.named(outcome)));
                let _ = writeln!(text, "::{kind} title={title}::{}", data(&message(outcome)));
            }
        }
    }
    text
}

/// The summary, as Markdown.
#[must_use]
pub fn summary(all: &[Judged<'_>], verdict: Conclusion) -> String {
    let mut text = format!("## kverify: {verdict}\n\n");
    let wrong = all.iter().flat_map(|judged| judged.outcomes.iter().map(move |outcome| (judged, outcome)));
    let wrong = wrong.filter(|(_, outcome)| matches!(outcome.status, Status::Fail | Status::Error));
    let wrong: Vec<_> = wrong
        .map(|(judged, outcome)| {
            let status = if outcome.status == Status::Fail { "fails" } else { "cannot be told" };
            format!("| {} | {status} | {} |\n", cell(&judged.named(outcome)), cell(&message(outcome)))
        })
        .collect();
    let subjects = all.iter().map(|judged| {
        let count = |status| judged.outcomes.iter().filter(|outcome| outcome.status == status).count();
        let [pass, fail, error, skip] = [Status::Pass, Status::Fail, Status::Error, Status::Skip].map(count);
        let digest = judged.digest.map_or_else(String::new, |digest| plain::line(digest, 100).replace(['`', '|'], ""));
        let digest = if digest.is_empty() { digest } else { format!("`{digest}`") };
        format!(
            "| {} | **{}** | {pass} | {fail} | {error} | {skip} | {digest} |\n",
            cell(&judged.subject()),
            judged.verdict
        )
    });
    let subjects: Vec<_> = subjects.collect();
    let heads = [
        ("| | verdict | pass | fail | error | skip | image |\n|---|---|---|---|---|---|---|\n", subjects),
        ("\n| check | | |\n|---|---|---|\n", wrong),
    ];
    for (head, rows) in heads.into_iter().filter(|(_, rows)| !rows.is_empty()) {
        text.push_str(head);
        let count = rows.len();
        for (row, number) in rows.into_iter().zip(0..) {
            if text.len() + row.len() > LONGEST {
                let _ = writeln!(text, "\n{} rows more; the report tells of all.", count - number);
                break;
            }
            text.push_str(&row);
        }
    }
    text
}

/// The text of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// A cell of a table of Markdown: text, whatever it looks like.
fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            // What looks like an address would be a link.
            ':' => cell.push_str("&#58;"),
            '.' => cell.push_str("&#46;"),
            '&' => cell.push_str("&amp;"),
            '<' => cell.push_str("&lt;"),
            '>' => cell.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '|' | '~' | '#' | '!' | '@' | '$' => {
                cell.push('\\');
                cell.push(character);
            }
            other => cell.push(other),
        }
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::{annotations, cell, property, resumed, stopped, summary};
    use crate::report::{
        Conclusion,
        formats::tests::{reports, rows},
    };

    #[test]
    fn what_fails_and_what_cannot_be_told() {
        let reports = reports();
        insta::assert_snapshot!("github.annotations", annotations(&rows(&reports)));
        insta::assert_snapshot!("github.summary", summary(&rows(&reports), Conclusion::Refuted));
    }

    #[test]
    fn a_summary_is_never_too_long_to_be_shown() {
        let mut reports = reports();
        let one =
            reports[0].outcomes.iter().find(|outcome| outcome.status == kverify_checks::Status::Fail).unwrap().clone();
        let long = kverify_checks::Outcome { got: Some("&".repeat(2000)), ..one };
        reports[0].outcomes = vec![long; 500];
        let text = summary(&rows(&reports), Conclusion::Refuted);
        assert!(text.len() < 1 << 20 && text.contains(" rows more; the report tells of all.\n"), "{}", text.len());
    }

    #[test]
    fn no_guest_gives_commands() {
        let mut reports = reports();
        for outcome in &mut reports[1].outcomes {
            outcome.got = Some("ok\n::error::forged\r\n::set-output name=x::y %0A::add-mask::z".to_owned());
        }
        let text = annotations(&rows(&reports));
        for line in text.lines() {
            let rest = line.strip_prefix("::error title=").or_else(|| line.strip_prefix("::warning title=")).unwrap();
            assert!(!rest.contains("%0A") && rest.matches("::").count() >= 1, "{line}");
            assert!(!rest.split_once("::").unwrap().0.contains([':', ',']), "{line}");
        }
        assert_eq!(property("a: 100 %, b"), "a%3A 100 %25%2C b");
        assert_eq!((stopped("w").as_str(), resumed("w").as_str()), ("::stop-commands::w\n", "::w::\n"));
    }

    #[test]
    fn no_guest_writes_markdown() {
        let hostile = "<img src=x> [a](http://b) **c** | @all `d` $e$ #1 www.x.y";
        assert_eq!(
            cell(hostile),
            "&lt;img src=x&gt; \\[a\\]\\(http&#58;//b\\) \\*\\*c\\*\\* \\| \\@all \\`d\\` \\$e\\$ \\#1 www&#46;x&#46;y"
        );
    }
}
