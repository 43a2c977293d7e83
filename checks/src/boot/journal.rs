//! The errors of this boot in the journal, of programs and of the kernel.

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    pattern::Pattern,
    probe::{Output, Probe},
};

/// How much of a message stands in a verdict, and how many messages.
const SHOWN: usize = 160;
const NAMED: usize = 5;

/// The errors of this boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalErrors {
    /// How often each was logged, by `who: what`.
    pub errors: BTreeMap<String, u32>,
}

/// An error that is known and does not count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KnownError {
    /// What `who: what` matches.
    pub is: Pattern,
    /// Why it does not count.
    pub why: String,
}

impl Fact for JournalErrors {
    const ID: &'static str = "boot.journal-errors";

    fn probes() -> Vec<Probe> {
        let errors = Probe::root([
            "journalctl",
            "-b",
            "-q",
            "--no-pager",
            "--priority=err",
            "-o",
            "json",
            "--all",
            "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,_COMM",
        ]);
        // Since its start is the system's, a journal that kept nothing is told from one without errors.
        let first = Probe::root(["journalctl", "-b", "-q", "--no-pager", "-n", "1", "-o", "cat"]);
        vec![errors.limit(Duration::from_mins(1)).bound(4 * 1024 * 1024), first]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let mut errors = BTreeMap::new();
        for line in out[0].ok()?.lines() {
            *errors.entry(entry(line)?).or_insert(0) += 1;
        }
        if out[1].ok()?.trim().is_empty() {
            return Err(Unreadable::new("the journal has no entry of this boot"));
        }
        Ok(Self { errors })
    }
}

/// `who: what` of an entry.
fn entry(line: &str) -> Result<String, Unreadable> {
    let unreadable = |why: &str| Unreadable::new(format!("journal entry: {why}: {line}"));
    let entry: Value = serde_json::from_str(line).map_err(|error| unreadable(&error.to_string()))?;
    let who = text(&entry["SYSLOG_IDENTIFIER"]).or_else(|| text(&entry["_COMM"])).unwrap_or_default();
    let what = text(&entry["MESSAGE"]).ok_or_else(|| unreadable("no message"))?;
    Ok(format!("{who}: {}", what.trim_end()))
}

/// A field is text, an array of bytes where it is not UTF-8, or an array of such where it was given more than once.
fn text(field: &Value) -> Option<String> {
    match field {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let bytes = parts.iter().map(|byte| byte.as_u64().and_then(|byte| u8::try_from(byte).ok()));
            match bytes.collect::<Option<Vec<_>>>() {
                Some(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
                None => text(parts.first()?),
            }
        }
        _ => None,
    }
}

/// The journal of this boot has no errors but known ones.
pub struct JournalClean;

impl Check for JournalClean {
    type Fact = JournalErrors;
    type Want = BTreeMap<String, KnownError>;

    fn about(&self) -> &About {
        &About {
            id: "boot.journal-clean",
            demand: "the journal of this boot has no entry of priority err or worse, but for those that are known",
            remedy: "`journalctl -b -p err` shows them; mend the cause, or list it in boot.journal_errors with the reason",
            key: "boot.journal_errors",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<BTreeMap<String, KnownError>> {
        image.boot.journal_errors.clone()
    }

    fn judge(&self, got: &JournalErrors, known: &BTreeMap<String, KnownError>) -> Verdict {
        let is_known = |text: &str| known.values().any(|known| known.is.matches(text));
        let (known_ones, unknown): (Vec<_>, Vec<_>) = got.errors.iter().partition(|(text, _)| is_known(text));
        let named = unknown.iter().take(NAMED).map(|(text, count)| {
            let text: String = text.chars().take(SHOWN).collect();
            if **count > 1 { format!("{text} ({count} times)") } else { text }
        });
        let mut said: Vec<_> = named.collect();
        if unknown.len() > NAMED {
            said.push(format!("and {} more", unknown.len() - NAMED));
        }
        let said = if said.is_empty() { "none".to_owned() } else { said.join("; ") };
        let verdict = Verdict::of(unknown.is_empty(), "no errors but known ones", said);
        match known_ones.len() {
            0 => verdict,
            kinds => verdict.note(format!("{kinds} known errors passed over")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::entry;

    #[test]
    fn messages_are_text_or_bytes() {
        let line = r#"{"MESSAGE":"failed\n","SYSLOG_IDENTIFIER":"x","_COMM":"y"}"#;
        assert_eq!(entry(line).as_deref(), Ok("x: failed"));
        assert_eq!(entry(r#"{"MESSAGE":[27,91,49,109,255],"_COMM":"y"}"#).as_deref(), Ok("y: \u{1b}[1m\u{fffd}"));
        assert_eq!(entry(r#"{"MESSAGE":["one","two"],"_COMM":"y"}"#).as_deref(), Ok("y: one"));
        assert!(entry(r#"{"MESSAGE":null}"#).is_err() && entry("-- No entries --").is_err());
    }
}
