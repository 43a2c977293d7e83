//! `kverify matrix FILE --list`.

use std::fmt::Write as _;

use serde::Serialize;

use crate::{
    matrix::{Campaign, FileSource, Order, Row, foreseen},
    report::{json, plain},
};

/// A row as a program reads it.
#[derive(Serialize)]
struct Listed<'a> {
    row: &'a str,
    image: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    expect: &'a str,
    firmware: &'static str,
    bus: &'static str,
    memory_mib: u64,
    cpus: u32,
    scenarios: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
}

/// The rows that are due.
pub(super) fn said(as_json: bool, order: &Order, campaign: &Campaign) -> String {
    let rows: Vec<_> = campaign.due.iter().map(|number| &order.matrix.rows[*number]).collect();
    let listed: Vec<_> = rows.iter().zip(&campaign.loads).map(|(row, load)| listed(row, order, load.seconds)).collect();
    if as_json {
        return json::harmless(&listed);
    }
    let name = listed.iter().map(|row| row.row.len()).max().unwrap_or(0);
    let mut text = String::new();
    for row in &listed {
        let seconds = row.seconds.map(|seconds| format!("  {seconds:.0} s")).unwrap_or_default();
        let _ = writeln!(
            text,
            "{:name$}  {}, {}, {} MiB, {} CPUs; {}{seconds}",
            row.row,
            row.firmware,
            row.bus,
            row.memory_mib,
            row.cpus,
            plain::line(row.expect, 200)
        );
        let _ = writeln!(text, "{:name$}  {}", "", plain::line(&row.image, 1000));
        if !row.scenarios.is_empty() {
            let _ = writeln!(text, "{:name$}  {}", "", row.scenarios.join(", "));
        }
    }
    let shard = campaign.shard.map(|shard| format!(", part {} of {}", shard.number, shard.of)).unwrap_or_default();
    let _ = write!(text, "{} of {} rows{shard}", listed.len(), order.matrix.rows.len());
    if campaign.loads.iter().all(|load| load.seconds.is_some()) {
        let _ = write!(text, "; about {:.0} s", foreseen(&campaign.loads, campaign.room));
    }
    text.push('\n');
    text
}

fn listed<'a>(row: &'a Row, order: &Order, seconds: Option<f64>) -> Listed<'a> {
    let spec = row.hardware.of(&order.spec, row.timeout);
    Listed {
        row: &row.name,
        image: match &row.image.source {
            FileSource::File(path) => path.display().to_string(),
            FileSource::Glob { folder, name } => folder.join(name).display().to_string(),
            FileSource::Command { words, .. } => words.join(" "),
            FileSource::Channel { name, store, .. } => format!("channel {name} of {store}"),
        },
        digest: row.digest.map(|digest| digest.to_string()),
        expect: &row.expect,
        firmware: spec.firmware.word(),
        bus: spec.bus.word(),
        memory_mib: spec.memory_mib,
        cpus: spec.cpus,
        scenarios: row.scenarios.iter().map(|scenario| scenario.name.as_str()).collect(),
        seconds,
    }
}
