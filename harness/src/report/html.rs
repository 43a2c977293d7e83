//! The report as one HTML file that needs nothing beside it: no script, no font, nothing from a network.
//!
//! It is well-formed XML as well. Whatever a guest or a file name brought in went through [`plain`] and is escaped.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use kverify_checks::{AnyCheck, Outcome, SkipCause, Status, all, outcome::Evidence, scenarios};
use minijinja::{AutoEscape, Environment, value::Serde};
use serde::Serialize;

use super::{Access, Carrier, ChosenBy, Conclusion, MachineRecord, Report, human, plain};

/// Most bytes of one stream that are shown; the rest stands in the check's own file.
const STREAM: usize = 16 * 1024;
/// Most characters of one value.
const VALUE: usize = 4000;
/// What would be shown of a check in one row.
const SHORT: usize = 300;

/// The report as HTML; `screenshot` is a PNG.
pub(super) fn page(report: &Report, screenshot: Option<&[u8]>) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_template("said", include_str!("html/said.html")).expect("the template is sound");
    environment.add_template("report", include_str!("html/report.html")).expect("the template is sound");
    let template = environment.get_template("report").expect("it was added");
    template.render(Serde(Page::of(report, screenshot))).expect("all that the template names is there")
}

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

#[derive(Clone, Serialize)]
struct Row {
    id: String,
    anchor: String,
    ink: &'static str,
    word: &'static str,
    open: bool,
    short: String,
    demand: Option<String>,
    want: Option<String>,
    want_at: Option<String>,
    got: Option<String>,
    why: Option<String>,
    notes: Vec<String>,
    mend: Option<String>,
    evidence: Vec<Answer>,
}

#[derive(Clone, Serialize)]
struct Answer {
    from: String,
    ended: String,
    stdout: String,
    stderr: String,
}

#[derive(Serialize)]
struct Span {
    name: &'static str,
    from: String,
    to: String,
    left: u32,
    width: u32,
}

#[derive(Serialize)]
struct Topic {
    name: String,
    count: String,
    well: bool,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Skip {
    cause: String,
    checks: String,
    why: String,
}

#[derive(Serialize)]
struct Egress {
    id: String,
    said: String,
    rows: Vec<Wanted>,
}

#[derive(Serialize)]
struct Wanted {
    first: String,
    what: String,
    times: u64,
}

#[derive(Serialize)]
struct Console {
    id: String,
    lines: String,
}

#[derive(Serialize)]
struct Machine {
    id: String,
    made: String,
    boot: String,
    way: &'static str,
    network: String,
}

impl Page {
    fn of(report: &Report, screenshot: Option<&[u8]>) -> Self {
        let rows: Vec<_> =
            report.outcomes.iter().filter(|outcome| outcome.status != Status::Skip).map(Row::of).collect();
        let machine = report.machines.first();
        let seconds = report.finished.duration_since(report.started).as_secs_f64();
        Self {
            style: include_str!("html/style.css"),
            kverify: line(&report.kverify),
            when: report.started.strftime("%Y-%m-%d %H:%M UTC").to_string(),
            verdict: Mark {
                word: report.verdict.to_string(),
                ink: match report.verdict {
                    Conclusion::Verified => "good",
                    Conclusion::Refuted => "bad",
                    Conclusion::VerifiedInPart | Conclusion::NoVerdict => "unsure",
                },
            },
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
            tally: human::tally(report),
            expectation: expectation(report),
            findings: rows.iter().filter(|row| row.open).cloned().collect(),
            time: format!("{seconds:.0} s in all"),
            spans: machine.map(spans).unwrap_or_default(),
            topics: topics(rows),
            skips: skips(&report.outcomes),
            // A fork repeats what the machine did before it was captured.
            egress: report.machines.iter().filter(|one| !one.is_fork()).filter_map(Egress::of).collect(),
            consoles: report.machines.iter().filter_map(Console::of).collect(),
            screenshot: screenshot.map(|png| STANDARD.encode(png)),
            machines: machines(&report.machines),
        }
    }
}

impl Row {
    fn of(outcome: &Outcome) -> Self {
        let (ink, word) = match outcome.status {
            Status::Pass => ("good", "ok"),
            Status::Fail => ("bad", "FAIL"),
            Status::Error => ("unsure", "ERROR"),
            Status::Skip => ("", "skip"),
        };
        let wrong = matches!(outcome.status, Status::Fail | Status::Error);
        let (demand, remedy) = about(&outcome.check);
        Self {
            id: line(&outcome.check),
            anchor: anchor(&outcome.check),
            ink,
            word,
            open: wrong,
            short: plain::line(outcome.said(), SHORT),
            demand: demand.map(str::to_owned),
            want: outcome.want.as_deref().map(value),
            want_at: outcome.want_at.as_deref().map(line),
            got: outcome.got.as_deref().map(value),
            why: outcome.why.as_deref().map(value),
            notes: outcome.notes.iter().map(|note| value(note)).collect(),
            mend: remedy.filter(|_| outcome.status == Status::Fail).map(str::to_owned),
            evidence: outcome.evidence.iter().map(Answer::of).collect(),
        }
    }
}

impl Answer {
    fn of(evidence: &Evidence) -> Self {
        let mut cut = evidence.cut;
        let mut shown = |text: &str| {
            let end = text.floor_char_boundary(STREAM);
            cut |= end < text.len();
            plain::exact(&text[..end])
        };
        let (stdout, stderr) = (shown(&evidence.stdout), shown(&evidence.stderr));
        let cut = if cut { ", not whole here" } else { "" };
        Self {
            from: plain::line(&evidence.from, 1000),
            ended: format!("{}, {:.2} s{cut}", evidence.exit, evidence.seconds),
            stdout,
            stderr,
        }
    }
}

impl Egress {
    fn of(machine: &MachineRecord) -> Option<Self> {
        let egress = machine.egress.as_ref()?;
        let names = egress.names.iter().map(|asked| {
            (asked.first, format!("asked for {} ({})", line(&asked.name), line(&asked.kinds.join(", "))), asked.times)
        });
        let tried = egress.tried.iter().map(|tried| {
            let port = tried.port.map(|port| format!(" port {port}")).unwrap_or_default();
            let name = tried.name.as_ref().map(|name| format!(", {}", line(name))).unwrap_or_default();
            (tried.first, format!("{} to {}{port}{name}", line(&tried.protocol), tried.address), tried.times)
        });
        let mut rows: Vec<_> = names.chain(tried).collect();
        rows.sort_by(|one, other| one.0.total_cmp(&other.0));
        let lost = if egress.lost > 0 { format!("; {} more were not kept", egress.lost) } else { String::new() };
        Some(Self {
            id: line(&machine.id),
            said: format!("{} within {:.0} s{lost}", if rows.is_empty() { "nothing" } else { "all" }, egress.seconds),
            rows: rows
                .into_iter()
                .map(|(first, what, times)| Wanted { first: format!("{first:.1}"), what, times })
                .collect(),
        })
    }
}

impl Console {
    fn of(machine: &MachineRecord) -> Option<Self> {
        let lines: Vec<_> = machine.console_tail.iter().map(|said| plain::line(said, 500)).collect();
        (!lines.is_empty()).then(|| Self { id: line(&machine.id), lines: lines.join("\n") })
    }
}

impl Machine {
    fn of(machine: &MachineRecord) -> Self {
        let cpus = if machine.cpus == 1 { "CPU" } else { "CPUs" };
        Self {
            id: line(&machine.id),
            made: format!(
                "{} {cpus}, {} MiB, {}, QEMU {}, {} ({})",
                machine.cpus,
                machine.memory_mib,
                line(&machine.firmware),
                line(&machine.qemu),
                line(&machine.accelerator),
                line(&machine.accelerator_why)
            ),
            boot: line(&machine.boot).replace('_', " "),
            way: match (machine.carrier, machine.access) {
                (Carrier::None, _) => "nothing: it never became ready",
                (Carrier::Ssh, Access::Seeded) => "ssh, with a user and key made for this run",
                (Carrier::Ssh, Access::Own) => "ssh, with the image's own account",
                (Carrier::Ssh, Access::Rescue) => "a rescue system",
                (Carrier::Port, _) => "a root shell on a port of the machine",
            },
            network: line(&machine.network),
        }
    }
}

/// The machines; forks are told once for all.
fn machines(machines: &[MachineRecord]) -> Vec<Machine> {
    let (forks, others): (Vec<_>, Vec<_>) = machines.iter().partition(|machine| machine.is_fork());
    let all = forks.first().map(|first| Machine { id: format!("{} forks", forks.len()), ..Machine::of(first) });
    others.into_iter().map(Machine::of).chain(all).collect()
}

/// What stands between the machine's start and the last answer, one span after the other.
fn spans(machine: &MachineRecord) -> Vec<Span> {
    let times = &machine.timings;
    let ends = [
        ("booted, until the first login", times.login),
        ("settled", times.settled),
        ("asked what is quick", times.settled.zip(times.quick_checks).map(|(settled, quick)| settled + quick)),
        (
            "captured, and asked the rest of forks",
            times
                .settled
                .zip(times.quick_checks)
                .zip(times.deep_checks)
                .map(|((settled, quick), deep)| settled + quick + deep),
        ),
    ];
    let ends: Vec<_> = ends.into_iter().filter_map(|(name, end)| Some((name, end?))).collect();
    let all = ends.last().map_or(1.0, |(_, end)| end.max(0.001));
    // A picture of a thousand parts.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1000")]
    let part = |seconds: f64| (seconds / all * 1000.0).clamp(0.0, 1000.0) as u32;
    let mut before = 0.0;
    ends.into_iter()
        .map(|(name, end)| {
            let (left, right) = (part(before), part(end));
            let from = std::mem::replace(&mut before, end);
            Span {
                name,
                from: format!("{from:.1}"),
                to: format!("{end:.1}"),
                left,
                width: right.saturating_sub(left).max(1),
            }
        })
        .collect()
}

fn topics(rows: Vec<Row>) -> Vec<Topic> {
    let mut topics: Vec<Topic> = Vec::new();
    for row in rows {
        let name = anchor(row.id.split('.').next().unwrap_or_default());
        match topics.last_mut().filter(|topic| topic.name == name) {
            Some(topic) => topic.rows.push(row),
            None => topics.push(Topic { name, count: String::new(), well: false, rows: vec![row] }),
        }
    }
    for topic in &mut topics {
        let hold = topic.rows.iter().filter(|row| !row.open).count();
        topic.well = hold == topic.rows.len();
        topic.count = if topic.well { "all hold".to_owned() } else { format!("{hold} of {} hold", topic.rows.len()) };
    }
    topics
}

fn skips(outcomes: &[Outcome]) -> Vec<Skip> {
    let mut causes: BTreeMap<(SkipCause, &str), Vec<&str>> = BTreeMap::new();
    for outcome in outcomes.iter().filter(|outcome| outcome.status == Status::Skip) {
        let cause = outcome.cause.unwrap_or(SkipCause::NotAsked);
        causes.entry((cause, outcome.why.as_deref().unwrap_or_default())).or_default().push(&outcome.check);
    }
    let skip = |((cause, why), checks): ((SkipCause, &str), Vec<&str>)| Skip {
        cause: cause.to_string().replace('-', " "),
        checks: plain::line(&checks.join(", "), usize::MAX),
        why: if why.is_empty() { "the expectation does not ask for it".to_owned() } else { value(why) },
    };
    causes.into_iter().map(skip).collect()
}

/// What a check or scenario demands, and how it is mended.
fn about(check: &str) -> (Option<&'static str>, Option<&'static str>) {
    if let Some(about) = all().map(AnyCheck::about).find(|about| about.id == check) {
        return (Some(about.demand), Some(about.remedy));
    }
    let name = check.strip_prefix("scenario.").unwrap_or_default();
    let scenario = scenarios::all().iter().find(|scenario| scenario.name == name);
    (scenario.map(|scenario| &*scenario.about), scenario.map(|scenario| &*scenario.remedy))
}

fn expectation(report: &Report) -> String {
    let chosen = match report.expectation.chosen_by {
        ChosenBy::Caller => "chosen by the caller",
        ChosenBy::Guest => "chosen by the guest's os-release",
        ChosenBy::Nobody => "chosen by nobody: the machine never said what it is",
    };
    let advised = report.expectation.advisories.as_ref().map(|digest| format!("; advisories {}", line(digest)));
    format!("{}, {chosen}{}", line(&report.expectation.name), advised.unwrap_or_default())
}

/// A name that a link can end with.
fn anchor(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || "-.".contains(letter) { letter } else { '_' })
        .collect()
}

fn line(text: &str) -> String {
    plain::line(text, 300)
}

fn value(text: &str) -> String {
    let text = plain::block(text);
    match text.char_indices().nth(VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
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
