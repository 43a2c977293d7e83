//! The evidence file of one check: what it demands, what came of it, and every answer in full.
//!
//! Lines that a guest wrote begin with a bar, so that they cannot pass for ours.

use kverify_checks::{AnyCheck, Exit, Outcome, Output, Source, Status, all, outcome::Evidence};

use crate::report::plain;

/// The name of a check's file.
pub(super) fn file_name(check: &str) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() || "-_.".contains(letter) { letter } else { '_' };
    format!("{}.txt", check.chars().map(letter).collect::<String>())
}

/// The file's text; `answers` are the full ones, and where there are none the outcome's own excerpts are shown.
pub(super) fn text(outcome: &Outcome, answers: &[(Source, Output)]) -> String {
    let about = all().map(AnyCheck::about).find(|about| about.id == outcome.check);
    let status = serde_json::to_value(outcome.status).unwrap_or_default();
    let want = outcome.want.as_ref().map(|want| match &outcome.want_at {
        Some(at) => format!("{want}   ({at})"),
        None => want.clone(),
    });
    let mut lines = vec![plain::line(&outcome.check, 200), String::new()];
    let mut field = |name: &str, value: Option<&str>| {
        let value = value.map(plain::exact).unwrap_or_default();
        lines.extend(value.lines().map(|line| format!("{name:8}{line}")));
    };
    field("demand", about.map(|about| about.demand));
    field("status", status.as_str());
    field("want", want.as_deref());
    field("got", outcome.got.as_deref());
    field("why", outcome.why.as_deref());
    for note in &outcome.notes {
        field("note", Some(note));
    }
    if outcome.status == Status::Fail {
        field("mend", about.map(|about| about.remedy));
    }
    for (source, output) in answers {
        let Output { exit, stdout, stderr, truncated, took } = output;
        lines.extend(answer(&source.to_string(), *exit, took.as_secs_f64(), *truncated, [stdout, stderr]));
    }
    if answers.is_empty() {
        for Evidence { from, exit, seconds, stdout, stderr, cut } in &outcome.evidence {
            lines.extend(answer(from, *exit, *seconds, *cut, [stdout, stderr]));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

fn answer(from: &str, exit: Exit, seconds: f64, cut: bool, streams: [&String; 2]) -> Vec<String> {
    let cut = if cut { ", not whole" } else { "" };
    let from = format!("from    {}", plain::line(from, 1000));
    let mut lines = vec![String::new(), from, format!("ended   {exit}, {seconds:.2} s{cut}")];
    for (name, stream) in ["stdout", "stderr"].iter().zip(streams).filter(|(_, stream)| !stream.is_empty()) {
        lines.push(format!("{name}  {} bytes", stream.len()));
        lines.extend(plain::exact(stream).lines().map(|line| format!("| {line}")));
    }
    lines
}
