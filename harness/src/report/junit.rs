//! The report as JUnit XML: a suite per topic, a case per check.
//!
//! The writer escapes markup but not what XML 1.0 cannot hold, and its CDATA has no way to hold its own end: all text
//! goes through [`plain`] first, and that end is broken up.

use jiff::Timestamp;
use junit_report::{Duration, OffsetDateTime, Report as Junit, TestCase, TestCaseBuilder, TestSuite, TestSuiteBuilder};
use kverify_checks::{Outcome, Status, outcome::Evidence};

use super::{Report, plain, words::topic};

/// Most characters of a message.
const MESSAGE: usize = 2000;
/// Most characters of one stream of one probe: readers of JUnit show it whole.
const STREAM: usize = 8000;

/// The report as JUnit XML, well-formed whatever the guest printed.
///
/// Suites are named by topic and stamped with the start of the run; cases are named by check ID and last as long as
/// the probes they rest on. A probe that several checks share counts for each.
///
/// # Panics
/// Never: nothing that is written to can fail.
#[must_use]
pub fn xml(report: &Report) -> String {
    let image = plain::line(&report.subject.name, 200);
    written(suites(&report.outcomes, "", &image, report.started))
}

/// The rows of a matrix as JUnit XML: each with its name, its outcomes by check ID, and the time at which it began.
///
/// Suites are named `row/topic`.
///
/// # Panics
/// Never: nothing that is written to can fail.
#[must_use]
pub fn matrix(rows: &[(&str, &[Outcome], Timestamp)]) -> String {
    written(rows.iter().flat_map(|(row, outcomes, started)| {
        let row = plain::line(row, 100);
        suites(outcomes, &format!("{row}/"), &row, *started)
    }))
}

fn written(suites: impl IntoIterator<Item = TestSuite>) -> String {
    let mut junit = Junit::new();
    junit.add_testsuites(suites);
    let mut bytes = Vec::new();
    junit.write_xml(&mut bytes).expect("a vector takes whatever is written");
    let mut text = String::from_utf8(bytes).expect("the writer is given text");
    text.push('\n');
    text
}

/// A suite for each topic; `before` is what its name begins with.
fn suites(outcomes: &[Outcome], before: &str, image: &str, started: Timestamp) -> Vec<TestSuite> {
    let topics = outcomes.chunk_by(|one, other| topic(&one.check) == topic(&other.check));
    topics.map(|outcomes| suite(outcomes, before, image, started)).collect()
}

fn suite(outcomes: &[Outcome], before: &str, image: &str, started: Timestamp) -> TestSuite {
    let at = OffsetDateTime::from_unix_timestamp(started.as_second()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let mut suite = TestSuiteBuilder::new(&format!("{before}{}", plain::line(topic(&outcomes[0].check), 100)));
    suite.set_timestamp(at).add_testcases(outcomes.iter().map(|outcome| case(outcome, image)));
    TestSuite { package: image.to_owned(), ..suite.build() }
}

fn case(outcome: &Outcome, image: &str) -> TestCase {
    let id = plain::line(&outcome.check, 100);
    let time = Duration::seconds_f64(outcome.evidence.iter().map(|evidence| evidence.seconds).sum());
    let why = outcome.why.as_deref().unwrap_or_default();
    let mut case = match outcome.status {
        Status::Pass => TestCaseBuilder::success(&id, time),
        Status::Skip => {
            let cause = outcome.cause.map_or_else(String::new, |cause| cause.to_string());
            TestCaseBuilder::skipped_with_cause(&id, &cause, &plain::line(why, MESSAGE))
        }
        Status::Fail => {
            let want = outcome.want.as_deref().unwrap_or_default();
            let got = outcome.got.as_deref().unwrap_or_default();
            let message = format!("want {want}, got {got}");
            let mut case = TestCaseBuilder::failure(&id, time, "fail", &plain::line(&message, MESSAGE));
            case.set_trace(&trace(outcome));
            case
        }
        Status::Error => {
            let mut case = TestCaseBuilder::error(&id, time, "error", &plain::line(why, MESSAGE));
            case.set_trace(&trace(outcome));
            case
        }
    };
    case.set_classname(image);
    if !outcome.notes.is_empty() {
        let notes: Vec<_> = outcome.notes.iter().map(|note| format!("note: {}", plain::line(note, MESSAGE))).collect();
        case.set_system_out(&inside_cdata(&notes.join("\n")));
    }
    case.build()
}

/// What was wanted and where that is written, what was found, and every answer it rests on.
fn trace(outcome: &Outcome) -> String {
    let mut lines = Vec::new();
    if let Some(want) = &outcome.want {
        let at = outcome.want_at.as_ref().map_or_else(String::new, |at| format!("   ({at})"));
        lines.push(format!("want  {want}{at}"));
    }
    lines.extend(outcome.got.iter().map(|got| format!("got   {got}")));
    lines.extend(outcome.why.iter().map(|why| format!("why   {why}")));
    lines.extend(outcome.evidence.iter().map(answer));
    inside_cdata(&plain::block(&lines.join("\n")))
}

fn answer(evidence: &Evidence) -> String {
    let cut = if evidence.cut { ", not whole" } else { "" };
    let mut text = format!("from  {}   ({}, {:.2} s{cut})", evidence.from, evidence.exit, evidence.seconds);
    for stream in [&evidence.stdout, &evidence.stderr] {
        if !stream.trim().is_empty() {
            text.push('\n');
            text.extend(stream.trim_end().chars().take(STREAM));
        }
    }
    text
}

fn inside_cdata(text: &str) -> String {
    text.replace("]]>", "]] >")
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        process::{Command, Stdio},
    };

    use quick_xml::{Reader, XmlVersion, events::Event};

    use super::{inside_cdata, xml};
    use crate::report::samples::{hostile, refuted, verified};

    /// Names of elements, and values of `attribute` of those called `element`, as another program reads them.
    fn read(xml: &str, element: &str, attribute: &str) -> Vec<String> {
        let mut reader = Reader::from_str(xml);
        reader.config_mut().check_end_names = true;
        let mut values = Vec::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Eof => return values,
                Event::Start(start) | Event::Empty(start) if start.name().as_ref() == element.as_bytes() => {
                    let found = start.try_get_attribute(attribute).unwrap();
                    values.extend(
                        found.map(|found| found.normalized_value(XmlVersion::Explicit1_0).unwrap().into_owned()),
                    );
                }
                _ => {}
            }
        }
    }

    #[test]
    fn each_outcome_is_a_case_of_its_topic() {
        let report = refuted();
        let xml = xml(&report);
        let ids: Vec<_> = report.outcomes.iter().map(|outcome| outcome.check.clone()).collect();
        assert_eq!(read(&xml, "testcase", "name"), ids);
        assert_eq!(read(&xml, "testsuite", "name"), ["boot", "security", "zfs"]);
        assert_eq!(read(&xml, "testsuite", "failures"), ["0", "1", "1"]);
        assert_eq!(read(&xml, "testsuite", "errors"), ["0", "1", "0"]);
        assert_eq!(read(&xml, "skipped", "type"), ["not-asked"]);
        assert_eq!(
            read(&xml, "failure", "message")[1],
            "want ONLINE, no errors, got tank ONLINE, 1 write error on sda"
        );
    }

    #[test]
    fn other_programs_read_what_a_hostile_guest_said() {
        let xml = xml(&hostile());
        assert_eq!(read(&xml, "testcase", "name").len(), hostile().outcomes.len(), "a guest adds no case");
        let mut lint = Command::new("xmllint").args(["--noout", "-"]).stdin(Stdio::piped()).spawn().unwrap();
        lint.stdin.take().unwrap().write_all(xml.as_bytes()).unwrap();
        assert!(lint.wait().unwrap().success());
    }

    #[test]
    fn cdata_never_holds_its_end() {
        assert!(!inside_cdata("a]]>b]]]]>>c").contains("]]>"));
        assert!(xml(&verified()).ends_with("</testsuites>\n"));
    }
}
