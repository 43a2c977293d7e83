//! JSON, one object in each line: an outcome, and at the end what all of them say.

use kverify_checks::Outcome;
use serde::Serialize;

use super::Judged;
use crate::report::{Conclusion, json};

/// A line.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
enum Line<'a> {
    /// How one check ended.
    Outcome {
        #[serde(skip_serializing_if = "Option::is_none")]
        row: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        image: Option<&'a str>,
        outcome: &'a Outcome,
    },
    /// What those of one image or row say.
    Verdict {
        #[serde(skip_serializing_if = "Option::is_none")]
        row: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        image: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        digest: Option<&'a str>,
        verdict: Conclusion,
    },
    /// What all rows say.
    Matrix { verdict: Conclusion },
}

/// The lines; with rows, the last is that of the whole.
#[must_use]
pub fn document(all: &[Judged<'_>], verdict: Conclusion) -> String {
    let mut text = String::new();
    let mut add = |line: &Line<'_>| {
        text.push_str(&json::harmless_line(line));
        text.push('\n');
    };
    for judged in all {
        let (row, image) = (judged.row, judged.image);
        for outcome in judged.outcomes {
            add(&Line::Outcome { row, image, outcome });
        }
        add(&Line::Verdict { row, image, digest: judged.digest, verdict: judged.verdict });
    }
    if all.iter().any(|judged| judged.row.is_some()) {
        add(&Line::Matrix { verdict });
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::document;
    use crate::report::{
        Conclusion,
        formats::{
            Judged,
            tests::{reports, rows},
        },
    };

    #[test]
    fn a_line_for_each_and_one_at_the_end() {
        let reports = reports();
        let rows = rows(&reports);
        let text = document(&rows, Conclusion::Refuted);
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let outcomes: usize = rows.iter().map(|row| row.outcomes.len()).sum();
        assert_eq!(lines.len(), outcomes + rows.len() + 1);
        assert_eq!(lines[0]["kind"], "outcome");
        assert_eq!(lines[0]["row"], "one");
        assert_eq!(lines[0]["outcome"]["check"], rows[0].outcomes[0].check.as_str());
        let of = |line: usize, key: &str| lines[line][key].as_str().unwrap().to_owned();
        assert_eq!(
            (of(lines.len() - 2, "kind"), of(lines.len() - 2, "digest")),
            ("verdict".to_owned(), reports[1].subject.digest.clone())
        );
        assert_eq!(
            (of(lines.len() - 1, "kind"), of(lines.len() - 1, "verdict")),
            ("matrix".to_owned(), "refuted".to_owned())
        );
        assert!(text.chars().all(|character| character == '\n' || !crate::report::plain::dangerous(character)));
        let one = document(&[Judged::of(&reports[0])], Conclusion::Refuted);
        let last: Value = serde_json::from_str(one.lines().last().unwrap()).unwrap();
        assert_eq!((&last["kind"], &last["row"]), (&Value::from("verdict"), &Value::Null));
    }
}
