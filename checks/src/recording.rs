//! Recordings: what a real machine answered to the probes of one fact, and what each check must say of it.
//!
//! They are the tests of every parser, and `kverify record` writes them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use toml::Table;

use crate::{
    fact::Unreadable,
    outcome::Status,
    probe::{Exit, Output, Probe, Source},
};

/// The recorded answers to one fact's probes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// The fact's ID.
    pub fact: String,
    /// The machine and the tool, or the public address and date it was copied from.
    pub from: String,
    /// What the machine was like, or what was done to it before.
    pub about: String,
    /// One answer per probe, in order.
    pub answers: Vec<Answer>,
    /// What each check must say of it.
    #[serde(default)]
    pub says: Vec<Says>,
}

/// One recorded answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// What was asked.
    pub probe: Source,
    /// How it ended.
    pub exit: Exit,
    /// Standard output, or the content of the file.
    #[serde(default)]
    pub stdout: String,
    /// Standard error.
    #[serde(default)]
    pub stderr: String,
}

/// What a check must say of a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Says {
    /// The check's ID.
    pub check: String,
    /// `pass`, `fail` or `error`.
    pub is: Status,
    /// A part of what it must say was found, or for an error, of the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub got: Option<String>,
    /// Expectation values that take the place of the default ones (those of debian-13-server).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Table>,
}

impl Recording {
    /// The answers as the fact reads them.
    ///
    /// # Errors
    /// [`Unreadable`] if the probes recorded are not those that the fact asks today.
    pub fn outputs(&self, probes: &[Probe]) -> Result<Vec<Output>, Unreadable> {
        let recorded: Vec<_> = self.answers.iter().map(|answer| &answer.probe).collect();
        let today: Vec<_> = probes.iter().map(|probe| &probe.source).collect();
        if recorded != today {
            return Err(Unreadable::new(format!("recorded probes {recorded:?} are not today's {today:?}")));
        }
        Ok(self.answers.iter().map(Answer::output).collect())
    }
}

impl Answer {
    fn output(&self) -> Output {
        Output {
            exit: self.exit,
            stdout: self.stdout.clone(),
            stderr: self.stderr.clone(),
            truncated: false,
            took: Duration::ZERO,
        }
    }

    /// The recorded form of an answer.
    #[must_use]
    pub fn of(probe: &Probe, output: &Output) -> Self {
        Self {
            probe: probe.source.clone(),
            exit: output.exit,
            stdout: output.stdout.clone(),
            stderr: output.stderr.clone(),
        }
    }
}
