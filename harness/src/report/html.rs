//! The report as one HTML file that needs nothing beside it: no script, no font, nothing from a network.
//!
//! It is well-formed XML as well. Whatever a guest or a file name brought in went through [`plain`] and is escaped.

mod machines;
mod rows;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use kverify_checks::Status;
use minijinja::{AutoEscape, Environment, value::Serde};
use serde::Serialize;

use self::{
    machines::{Console, Egress, Machine, Span},
    rows::{Row, Skip, Topic},
};
use super::{Ink, Report, plain, words};

/// The report as HTML; `screenshot` is a PNG.
pub(super) fn page(report: &Report, screenshot: Option<&[u8]>) -> String {
    let mut environment = environment();
    environment.add_template("said", include_str!("html/said.html")).expect("the template is sound");
    environment.add_template("report", include_str!("html/report.html")).expect("the template is sound");
    let template = environment.get_template("report").expect("it was added");
    template.render(Serde(Page::of(report, screenshot))).expect("all that the template names is there")
}

/// What every page of ours has: what is shown is escaped, and its head loads nothing.
pub(crate) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_template("head", include_str!("html/head.html")).expect("the template is sound");
    environment
}

/// How every page of ours looks.
pub(crate) const STYLE: &str = include_str!("html/style.css");

/// What the template shows.
#[derive(Serialize)]
struct Page {
    style: &'static str,
    kverify: String,
    when: String,
    verdict: Mark,
    subject: Subject,
    tally: String,
    expectation: String,
    findings: Vec<Row>,
    time: String,
    spans: Vec<Span>,
    topics: Vec<Topic>,
    skips: Vec<Skip>,
    egress: Vec<Egress>,
    consoles: Vec<Console>,
    screenshot: Option<String>,
    machines: Vec<Machine>,
}

#[derive(Serialize)]
struct Mark {
    word: String,
    ink: &'static str,
}

#[derive(Serialize)]
struct Subject {
    name: String,
    digest: String,
    size: String,
}

impl Page {
    fn of(report: &Report, screenshot: Option<&[u8]>) -> Self {
        let rows: Vec<_> =
            report.outcomes.iter().filter(|outcome| outcome.status != Status::Skip).map(Row::of).collect();
        let machine = report.machines.first();
        let starved = machine.and_then(|machine| words::starved(machine.timings.starved));
        let starved = starved.map_or_else(String::new, |words| format!("; {words}"));
        let seconds = report.finished.duration_since(report.started).as_secs_f64();
        Self {
            style: STYLE,
            kverify: line(&report.kverify),
            when: report.started.strftime("%Y-%m-%d %H:%M UTC").to_string(),
            verdict: Mark { word: report.verdict.to_string(), ink: class(words::ink(report.verdict)) },
            subject: Subject {
                name: line(&report.subject.name),
                digest: line(&report.subject.digest),
                size: format!(
                    "{}, {} MiB, a disk of {} GiB",
                    line(&report.subject.format),
                    report.subject.bytes >> 20,
                    report.subject.disk_bytes >> 30
                ),
            },
            tally: words::tally(report),
            expectation: expectation(report),
            findings: rows.iter().filter(|row| row.open).cloned().collect(),
            time: format!("{seconds:.0} s in all{starved}"),
            spans: machine.map(machines::spans).unwrap_or_default(),
            topics: rows::topics(rows),
            skips: rows::skips(&report.outcomes),
            // A fork repeats what the machine did before it was captured.
            egress: report.machines.iter().filter(|one| !one.is_fork()).filter_map(Egress::of).collect(),
            consoles: report.machines.iter().filter_map(Console::of).collect(),
            screenshot: screenshot.map(|png| STANDARD.encode(png)),
            machines: machines::machines(&report.machines),
        }
    }
}

fn expectation(report: &Report) -> String {
    let chosen = words::chosen(report.expectation.chosen_by);
    let advised = report.expectation.advisories.as_ref().map(|digest| format!("; advisories {}", line(digest)));
    format!("{}, {chosen}{}", line(&report.expectation.name), advised.unwrap_or_default())
}

/// The class of what has this colour.
pub(super) fn class(ink: Ink) -> &'static str {
    match ink {
        Ink::Good => "good",
        Ink::Bad => "bad",
        Ink::Unsure => "unsure",
        Ink::Strong | Ink::Faint => "",
    }
}

fn line(text: &str) -> String {
    plain::line(text, 300)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use quick_xml::{Reader, events::Event};

    use super::page;
    use crate::report::{
        Report, plain,
        samples::{hostile, refuted, verified},
    };

    /// Every text, and every attribute with its element; panics where it is no sound XML.
    fn read(text: &str) -> (Vec<String>, Vec<(String, String, String)>) {
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        (config.check_end_names, config.check_comments) = (true, true);
        let (mut texts, mut attributes) = (Vec::new(), Vec::new());
        loop {
            match reader.read_event().unwrap_or_else(|error| panic!("{error} at {}", reader.buffer_position())) {
                Event::Eof => return (texts, attributes),
                Event::Start(start) | Event::Empty(start) => {
                    let element = String::from_utf8(start.name().as_ref().to_vec()).unwrap();
                    for attribute in start.attributes() {
                        let attribute = attribute.unwrap();
                        let key = String::from_utf8(attribute.key.as_ref().to_vec()).unwrap();
                        attributes.push((element.clone(), key, String::from_utf8(attribute.value.to_vec()).unwrap()));
                    }
                }
                Event::Text(text) => texts.push(text.decode().unwrap().into_owned()),
                _ => {}
            }
        }
    }

    fn shown(report: &Report) -> String {
        page(report, Some(b"\x89PNG"))
    }

    #[test]
    fn it_shows_every_outcome_once_and_what_is_wrong_first() {
        let report = refuted();
        let text = shown(&report);
        let (_, attributes) = read(&text);
        let ids: Vec<_> =
            attributes.iter().filter(|(_, key, _)| key == "id").map(|(.., value)| value.as_str()).collect();
        assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len(), "{ids:?}");
        for outcome in &report.outcomes {
            let asked = outcome.status != kverify_checks::Status::Skip;
            assert_eq!(ids.contains(&&*outcome.check), asked, "{}", outcome.check);
        }
        // Whatever is linked to within the page is there.
        for (.., target) in attributes.iter().filter(|(_, key, value)| key == "href" && value.starts_with('#')) {
            assert!(ids.contains(&&target[1..]), "{target}");
        }
        let first = |words: &str| text.find(words).unwrap_or_else(|| panic!("no {words}"));
        assert!(first("refuted") < first("What is wrong"));
        assert!(first("What is wrong") < first("id=\"checks\""));
        for said in
            ["1 write error on sda", "debian.toml:11", "permitrootlogin yes", "settled</th>", "0.debian.pool.ntp.org"]
        {
            first(said);
        }
        assert!(!shown(&verified()).contains("What is wrong"));
    }

    #[test]
    fn nothing_is_fetched_and_nothing_is_run() {
        let (_, attributes) = read(&shown(&refuted()));
        for (element, key, value) in attributes {
            assert!(!["script", "iframe", "object", "link", "form"].contains(&&*element), "{element}");
            assert!(!key.starts_with("on"), "{key}");
            let inside = ["#", "data:image/png;base64,", "report.json", "console.log", "junit.xml"];
            assert!(
                !["href", "src"].contains(&&*key) || inside.iter().any(|start| value.starts_with(start)),
                "{value}"
            );
        }
    }

    #[test]
    fn what_a_guest_says_is_text_and_nothing_else() {
        let text = shown(&hostile());
        let (texts, attributes) = read(&text);
        let clean = shown(&verified());
        let elements: BTreeSet<_> =
            read(&clean).1.into_iter().chain(read(&shown(&refuted())).1).map(|(element, ..)| element).collect();
        assert!(attributes.iter().all(|(element, ..)| elements.contains(element)), "an element of the guest's own");
        assert!(texts.iter().any(|text| text.contains("testcase name=")), "the sample is not hostile");
        let dangerous = |character: char| character != '\n' && plain::dangerous(character);
        assert!(!text.chars().any(dangerous), "{:?}", text.chars().find(|one| dangerous(*one)));
    }
}
