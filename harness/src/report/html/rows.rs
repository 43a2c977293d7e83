//! The checks: what came of each, by topic, and what was not asked.

use std::collections::BTreeMap;

use kverify_checks::{AnyCheck, Outcome, SkipCause, Status, all, outcome::Evidence, scenarios};
use serde::Serialize;

use super::{class, line};
use crate::report::{mark, plain, words};

/// Most bytes of one stream that are shown; the rest stands in the check's own file.
const STREAM: usize = 16 * 1024;
/// Most characters of one value.
const VALUE: usize = 4000;
/// What would be shown of a check in one row.
const SHORT: usize = 300;

#[derive(Clone, Serialize)]
pub(super) struct Row {
    id: String,
    anchor: String,
    ink: &'static str,
    word: &'static str,
    pub(super) open: bool,
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
pub(super) struct Topic {
    name: String,
    count: String,
    well: bool,
    rows: Vec<Row>,
}

#[derive(Serialize)]
pub(super) struct Skip {
    cause: String,
    checks: String,
    why: String,
}

impl Row {
    pub(super) fn of(outcome: &Outcome) -> Self {
        let (ink, word) = mark(outcome.status);
        let wrong = matches!(outcome.status, Status::Fail | Status::Error);
        let (demand, remedy) = about(&outcome.check);
        Self {
            id: line(&outcome.check),
            anchor: anchor(&outcome.check),
            ink: class(ink),
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

pub(super) fn topics(rows: Vec<Row>) -> Vec<Topic> {
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
        topic.count = words::holding(hold, topic.rows.len());
    }
    topics
}

pub(super) fn skips(outcomes: &[Outcome]) -> Vec<Skip> {
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

/// A name that a link can end with.
fn anchor(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || "-.".contains(letter) { letter } else { '_' })
        .collect()
}

fn value(text: &str) -> String {
    let text = plain::block(text);
    match text.char_indices().nth(VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
