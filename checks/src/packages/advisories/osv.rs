//! Records of OSV (<https://ossf.github.io/osv-schema/>), as far as they speak of packages of a distribution.

use std::collections::BTreeSet;

use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Deserializer, Value};

use super::{AdvisoriesError, Advisory, Affected, End, advisory, cvss};

/// What tells a record from other JSON.
#[derive(Deserialize)]
struct Mark {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    vulns: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Record {
    id: String,
    #[serde(default)]
    withdrawn: Option<String>,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    upstream: Vec<String>,
    #[serde(default)]
    severity: Vec<Severity>,
    #[serde(default)]
    affected: Vec<OfPackage>,
    #[serde(default)]
    database_specific: Value,
}

#[derive(Deserialize)]
struct Severity {
    #[serde(rename = "type")]
    kind: String,
    score: String,
}

#[derive(Deserialize)]
struct OfPackage {
    package: Option<Package>,
    #[serde(default)]
    severity: Vec<Severity>,
    #[serde(default)]
    ranges: Vec<Range>,
    #[serde(default)]
    versions: Vec<String>,
    #[serde(default)]
    ecosystem_specific: Value,
    #[serde(default)]
    database_specific: Value,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    ecosystem: String,
}

#[derive(Deserialize)]
struct Range {
    #[serde(rename = "type")]
    kind: String,
    events: Vec<Event>,
}

/// One of these is given.
#[derive(Deserialize)]
struct Event {
    introduced: Option<String>,
    fixed: Option<String>,
    last_affected: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    vulns: Vec<Record>,
}

/// Whether the text is made of records, or of lists of them; the tracker's export is an object without their marks.
pub(super) fn is(text: &str) -> bool {
    text.trim_start().starts_with('[')
        || Deserializer::from_str(text)
            .into_iter::<Mark>()
            .next()
            .is_some_and(|mark| mark.is_ok_and(|mark| mark.id.is_some() || mark.vulns.is_some()))
}

pub(super) fn read(text: &str) -> Result<Vec<Advisory>, AdvisoriesError> {
    let form = |error: serde_json::Error| AdvisoriesError::Form(error.to_string());
    let mut records = Vec::new();
    for value in Deserializer::from_str(text).into_iter::<Value>() {
        let value = value.map_err(form)?;
        records.extend(match value {
            Value::Array(_) => Vec::deserialize(value).map_err(form)?,
            Value::Object(ref fields) if fields.contains_key("vulns") => {
                Answer::deserialize(value).map_err(form)?.vulns
            }
            value => vec![Record::deserialize(value).map_err(form)?],
        });
    }
    Ok(records.into_iter().filter(|record| record.withdrawn.is_none()).flat_map(advisories).collect())
}

fn advisories(record: Record) -> Vec<Advisory> {
    let names: BTreeSet<_> = [&record.id].into_iter().chain(&record.aliases).chain(&record.upstream).cloned().collect();
    let of = |of: OfPackage| {
        let package = of.package?;
        let mut ratings: BTreeSet<_> = [&of.ecosystem_specific, &of.database_specific, &record.database_specific]
            .into_iter()
            .flat_map(words)
            .collect();
        ratings.extend(record.severity.iter().chain(&of.severity).filter_map(rating));
        let affected = Affected {
            // Commits of a repository are ranges too, but none of packages.
            spans: of
                .ranges
                .iter()
                .filter(|range| range.kind == "ECOSYSTEM")
                .flat_map(|range| spans(&range.events))
                .collect(),
            listed: of.versions.into_iter().collect(),
        };
        Some(advisory(names.clone(), &package.ecosystem, &package.name, affected, ratings))
    };
    record.affected.into_iter().filter_map(of).collect()
}

/// Each `introduced` with the end that follows it.
fn spans(events: &[Event]) -> Vec<(String, End)> {
    let mut spans: Vec<(String, End)> = Vec::new();
    for event in events {
        if let Some(start) = &event.introduced {
            spans.push((start.clone(), End::Open));
        }
        let end = event.fixed.clone().map(End::Fixed).or_else(|| event.last_affected.clone().map(End::Last));
        if let (Some(end), Some(last)) = (end, spans.last_mut()) {
            last.1 = end;
        }
    }
    spans
}

/// What a database says in a word of its own.
fn words(of: &Value) -> Vec<String> {
    let word = |key: &str| Some(of.get(key)?.as_str()?.to_lowercase());
    ["urgency", "severity"].into_iter().filter_map(word).collect()
}

/// `high` of a vector or a word; nothing where the kind of vector is not known here.
fn rating(severity: &Severity) -> Option<String> {
    match severity.kind.as_str() {
        "CVSS_V3" => cvss::rating(&severity.score).map(str::to_owned),
        kind if kind.starts_with("CVSS") => None,
        _ => Some(severity.score.to_lowercase()),
    }
}
