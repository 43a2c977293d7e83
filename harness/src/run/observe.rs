//! An expectation from what a machine is today: the nearest sheet, and what this machine is otherwise.

use std::fmt::Write as _;

use kverify_checks::{Output, Status, all};
use toml::{Table, Value};

use super::Run;

/// The text of an expectation file that a person edits: it extends the sheet that the run used, holds a value for each
/// check that failed where a value describes the machine, and names the other failures in comments.
#[must_use]
pub fn observed(run: &Run) -> String {
    let report = &run.report;
    let mut values = Table::new();
    let mut ill = String::new();
    for outcome in report.outcomes.iter().filter(|outcome| outcome.status == Status::Fail) {
        let Some(check) = all().find(|check| check.about().id == outcome.check) else { continue };
        let answers = run.answers.get(&outcome.check).map_or(&[][..], Vec::as_slice);
        let outputs: Vec<Output> = answers.iter().map(|(_, output)| output.clone()).collect();
        let fact = (check.fact().parse)(&outputs).ok();
        if let Some(value) = fact.and_then(|fact| check.observed(fact.as_ref())) {
            put(&mut values, check.about().key, value);
        } else {
            let got = outcome.got.as_deref().unwrap_or_default().replace(char::is_control, " ");
            let _ = writeln!(ill, "# {}: {got}", outcome.check);
        }
    }
    let mut text = format!(
        "# What {} was on {}, by kverify expect ({}).\n# Edit what it should not be.\nextends = \"{}\"\n",
        report.subject.name.replace(char::is_control, " "),
        report.started.strftime("%Y-%m-%d"),
        report.subject.digest,
        report.expectation.name,
    );
    if !ill.is_empty() {
        text.push_str("\n# These failed, and no value would make them hold: mend the image.\n");
        text.push_str(&ill);
    }
    if !values.is_empty() {
        text.push('\n');
        text.push_str(&toml::to_string_pretty(&values).unwrap_or_default());
    }
    text
}

/// Puts a value at a dotted key.
fn put(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => drop(table.insert(key.to_owned(), value)),
        Some((first, rest)) => {
            let inner = table.entry(first).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use kverify_checks::{Book, Exit, Outcome, Output, Source, Status, all};

    use super::observed;
    use crate::{
        book,
        report::{facts, sample_refuted},
        run::Run,
    };

    #[test]
    fn what_the_machine_is_becomes_what_is_expected() {
        let id = "zfs.root-mounted";
        let stdout = "1 0 0:1 / / rw - zfs tank/os rw\n".to_owned();
        let output =
            Output { exit: Exit::Code(0), stdout, stderr: String::new(), truncated: false, took: Duration::ZERO };
        let check = all().find(|check| check.about().id == id).unwrap();
        let answers: Vec<(Source, Output)> =
            (check.fact().probes)().into_iter().map(|probe| (probe.source, output.clone())).collect();
        let mut report = sample_refuted();
        let failed =
            |check: &str, got: &str| Outcome { got: Some(got.to_owned()), ..Outcome::new(check, Status::Fail) };
        report.expectation.name = "debian-13-server".to_owned();
        report.outcomes = vec![failed("console.no-kernel-oops", "BUG:\u{1b}[0m x"), failed(id, "tank/os (zfs)")];
        let run = Run {
            report,
            console: Vec::new(),
            answers: BTreeMap::from([(id.to_owned(), answers)]),
            facts: facts::sample(),
            sbom: None,
            screenshot: None,
            snapshot: None,
        };
        let text = observed(&run);
        assert!(text.contains("# console.no-kernel-oops: BUG: [0m x\n"), "{text}");
        let mut sheets: Book = book::built_in();
        sheets.add("mine", text);
        let mine = sheets.resolve("mine").unwrap();
        assert_eq!(mine.expectation.zfs.root.as_deref(), Some("tank/os"));
        assert_eq!(mine.expectation.zfs.pool.as_deref(), Some("rpool"), "from the sheet below");
    }
}
