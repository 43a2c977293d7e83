//! What a trial and the leader say to each other: one line of JSON for the question, then lines of JSON until the answer.

use std::path::PathBuf;

use kverify_checks::Outcome;
use serde::{Deserialize, Serialize};

/// What came of one check of one row?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The row of the matrix.
    pub row: String,
    /// The ID of the check.
    pub check: String,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// The outcome.
    pub outcome: Outcome,
    /// The folder of the row's report; `None` if the row came to none.
    pub folder: Option<PathBuf>,
}

/// One line of the leader's.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Line {
    /// Not yet, and what it is waiting for. Said every few seconds, so that silence means that nobody is there.
    Waiting(String),
    /// The answer.
    Told(Box<Told>),
    /// There is no such row or check.
    Refused(String),
}
