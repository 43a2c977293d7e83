//! The page of a matrix: a row per row, topics beside each other, each with the way to its report.

use std::collections::BTreeSet;

use kverify_checks::Status;
use minijinja::value::Serde;
use serde::Serialize;

use super::{MatrixReport, RowReport, table::Cell};
use crate::report::{
    Conclusion,
    html::{self, class},
    plain, words,
};

/// The matrix as one HTML file; what it leads to are the reports in the folders of its rows.
///
/// # Panics
/// Never: the template is ours.
#[must_use]
pub fn page(report: &MatrixReport) -> String {
    let mut environment = html::environment();
    environment.add_template("matrix", include_str!("page.html")).expect("the template is sound");
    let template = environment.get_template("matrix").expect("it was added");
    template.render(Serde(Page::of(report))).expect("all that the template names is there")
}

#[derive(Serialize)]
struct Page {
    style: &'static str,
    kverify: String,
    when: String,
    took: String,
    verdict: Mark,
    matrix: String,
    digest: String,
    tally: String,
    topics: Vec<String>,
    rows: Vec<Row>,
    missing: Vec<String>,
    troubles: Vec<Trouble>,
    differences: Vec<Difference>,
}

#[derive(Serialize)]
struct Mark {
    word: String,
    ink: &'static str,
}

#[derive(Serialize)]
struct Row {
    name: String,
    /// The folder of its report, where it has one.
    folder: Option<String>,
    image: String,
    machine: String,
    verdict: Mark,
    cells: Vec<Mark>,
    seconds: String,
}

#[derive(Serialize)]
struct Trouble {
    name: String,
    folder: Option<String>,
    ink: &'static str,
    /// The checks that fail, and those that could not be told.
    checks: Vec<Mark>,
    why: Option<String>,
    tries: Vec<String>,
}

#[derive(Serialize)]
struct Difference {
    check: String,
    ended: Vec<String>,
}

impl Page {
    fn of(report: &MatrixReport) -> Self {
        let topics: BTreeSet<&str> =
            report.rows.iter().flat_map(|row| row.checks.keys()).map(|check| words::topic(check)).collect();
        let count = |verdict| report.rows.iter().filter(|row| row.verdict == verdict).count();
        let good = count(Conclusion::Verified) + count(Conclusion::VerifiedInPart);
        let part = report.shard.map(|shard| format!(", part {} of {}", shard.number, shard.of)).unwrap_or_default();
        Self {
            style: html::STYLE,
            kverify: line(&report.kverify),
            when: report.started.strftime("%Y-%m-%d %H:%M UTC").to_string(),
            took: format!("{:.0} s", report.finished.duration_since(report.started).as_secs_f64()),
            verdict: mark(report.verdict),
            matrix: line(&report.matrix),
            digest: report.digest.to_string(),
            tally: format!("{good} of {} rows hold{part}", report.due.len()),
            topics: topics.iter().map(|topic| line(topic)).collect(),
            rows: report.rows.iter().map(|row| Row::of(row, &topics)).collect(),
            missing: report.missing().map(line).collect(),
            troubles: report.rows.iter().filter_map(Trouble::of).collect(),
            differences: report.differences.iter().map(Difference::of).collect(),
        }
    }
}

impl Row {
    fn of(row: &RowReport, topics: &BTreeSet<&str>) -> Self {
        let cells = Cell::of(row);
        let cell = |topic: &&str| {
            let (word, ink) = cells.get(topic).copied().unwrap_or_default().text();
            Mark { word, ink: class(ink) }
        };
        let cpus = if row.cpus == 1 { "CPU" } else { "CPUs" };
        Self {
            name: line(&row.row),
            folder: folder(row),
            image: row.image.as_ref().map_or_else(|| "none".to_owned(), |image| line(&image.name)),
            machine: format!(
                "{}, {}, {} {cpus}, {} MiB",
                line(&row.firmware),
                line(&row.bus),
                row.cpus,
                row.memory_mib
            ),
            verdict: mark(row.verdict),
            cells: topics.iter().map(cell).collect(),
            seconds: format!("{:.0} s", row.seconds),
        }
    }
}

impl Trouble {
    fn of(row: &RowReport) -> Option<Self> {
        let wrong = row.checks.iter().filter(|(_, status)| matches!(status, Status::Fail | Status::Error));
        // Where there is no report, what could not be told was not for that reason.
        let wrong = wrong.filter(|(_, status)| row.why.is_none() || **status == Status::Fail);
        let checks = wrong.map(|(check, status)| {
            let ink = if *status == Status::Fail { "bad" } else { "unsure" };
            Mark { word: line(check), ink }
        });
        let checks: Vec<_> = checks.collect();
        (!checks.is_empty() || row.why.is_some() || !row.tries.is_empty()).then(|| Self {
            name: line(&row.row),
            folder: folder(row),
            ink: mark(row.verdict).ink,
            checks,
            why: row.why.as_deref().map(|why| plain::line(why, 1000)),
            tries: row.tries.iter().map(|why| plain::line(why, 1000)).collect(),
        })
    }
}

impl Difference {
    fn of(difference: &super::Difference) -> Self {
        let ended = difference.ended.iter();
        let ended = ended.map(|(status, rows)| line(&format!("{} on {}", words::ended(*status), rows.join(", "))));
        Self { check: line(&difference.check), ended: ended.collect() }
    }
}

/// Names of rows are names of folders, and hold nothing that an address would have to escape.
fn folder(row: &RowReport) -> Option<String> {
    row.why.is_none().then(|| line(&row.row))
}

fn mark(verdict: Conclusion) -> Mark {
    Mark { word: verdict.to_string(), ink: class(words::ink(verdict)) }
}

fn line(text: &str) -> String {
    plain::line(text, 300)
}

#[cfg(test)]
mod tests {
    use quick_xml::{Reader, events::Event};

    use super::{super::table::tests::sample, page};

    #[test]
    fn each_row_and_the_way_to_its_report() {
        let text = page(&sample());
        let mut reader = Reader::from_str(&text);
        reader.config_mut().check_end_names = true;
        let mut ways = Vec::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Eof => break,
                Event::Start(start) | Event::Empty(start) => {
                    assert!(![&b"script"[..], b"link", b"iframe"].contains(&start.name().as_ref()));
                    if let Some(way) = start.try_get_attribute("href").unwrap() {
                        ways.push(String::from_utf8(way.value.to_vec()).unwrap());
                    }
                }
                _ => {}
            }
        }
        for way in
            ["debian-13/report.html", "debian-13.sata/report.html", "debian-13.sata/report.html#zfs.pools-healthy"]
        {
            assert!(ways.iter().any(|there| there == way), "no {way} in {ways:?}");
        }
        assert!(!ways.iter().any(|way| way.starts_with("debian-12-server")), "it has no report");
        for said in [
            "refuted",
            "1 fail",
            "no image at golden.qcow2",
            "qemu did not start",
            "fedora-44",
            "fails on debian-13.sata",
        ] {
            assert!(text.contains(said), "no {said}");
        }
    }

    #[test]
    fn what_a_record_holds_is_text() {
        let mut report = sample();
        report.matrix = "<script>alert(1)</script>\u{202e}".to_owned();
        report.rows[2].why = Some("</td><img src=x onerror=alert(1)>".to_owned());
        let text = page(&report);
        assert!(!text.contains("<script>") && !text.contains("<img") && !text.contains('\u{202e}'));
    }
}
