//! What came of a check: pass, fail, skip or error, with the evidence for it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::probe::Exit;

/// What a check says of a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether what was demanded holds.
    pub holds: bool,
    /// What was wanted, in words.
    pub want: String,
    /// What was found, in words.
    pub got: String,
    /// What is worth knowing though it decides nothing.
    pub notes: Vec<String>,
}

impl Verdict {
    /// A pass if `holds`, else a fail.
    pub fn of(holds: bool, want: impl fmt::Display, got: impl fmt::Display) -> Self {
        Self { holds, want: want.to_string(), got: got.to_string(), notes: Vec::new() }
    }

    /// The same verdict with a note.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// The four ends of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// What was demanded holds. Only this is evidence.
    Pass,
    /// It does not hold.
    Fail,
    /// It was not asked, for the cause that the outcome names.
    Skip,
    /// It could not be told.
    Error,
}

/// Why a check was not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SkipCause {
    /// The expectation does not ask for it.
    NotAsked,
    /// A waiver covers it.
    Waived,
    /// This host or network lacks what it needs.
    NotHere,
    /// `--only` or `--skip` left it out.
    Filtered,
}

impl fmt::Display for SkipCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAsked => "not-asked",
            Self::Waived => "waived",
            Self::NotHere => "not-here",
            Self::Filtered => "filtered",
        })
    }
}

/// One answer that an outcome rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// What was asked, as a person would write it.
    pub from: String,
    /// How it ended.
    pub exit: Exit,
    /// Seconds it took in the guest.
    pub seconds: f64,
    /// The beginning of standard output.
    pub stdout: String,
    /// The beginning of standard error.
    pub stderr: String,
    /// Whether something of either is left out here.
    pub cut: bool,
}

/// What came of one check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The check's ID.
    pub check: String,
    /// Its end.
    pub status: Status,
    /// The machine of the run that it was asked of, where it was asked of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// Why it was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<SkipCause>,
    /// Why it could not be told, or what the skip rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub want: Option<String>,
    /// Where that was written: `file:line`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub want_at: Option<String>,
    /// What was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub got: Option<String>,
    /// What is worth knowing though it decides nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The answers it rests on, in the order of the fact's probes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
}

impl Outcome {
    /// The outcome of a check of which nothing more is known.
    pub fn new(check: impl Into<String>, status: Status) -> Self {
        Self {
            check: check.into(),
            status,
            machine: None,
            cause: None,
            why: None,
            want: None,
            want_at: None,
            got: None,
            notes: Vec::new(),
            evidence: Vec::new(),
        }
    }

    /// The same outcome with what was judged, or why that could not be told.
    #[must_use]
    pub fn judged(self, verdict: Result<Verdict, String>) -> Self {
        match verdict {
            Err(why) => Self { status: Status::Error, why: Some(why), ..self },
            Ok(Verdict { holds, want, got, notes }) => {
                let status = if holds { Status::Pass } else { Status::Fail };
                Self { status, want: Some(want), got: Some(got), notes, ..self }
            }
        }
    }

    /// What was found, or why nothing was; empty where neither is told.
    #[must_use]
    pub fn said(&self) -> &str {
        self.got.as_ref().or(self.why.as_ref()).map_or("", String::as_str)
    }
}
