//! Recordings: what a real machine answered to the probes of one fact, and what each check must say of it.
//!
//! They are the tests of every parser, and `kverify record` writes them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use toml::Table;

use crate::{
    expect::line_of,
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
    /// Expectation values that take the place of the default ones: those of debian-13-server, or of
    /// `kverify replay --expect`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Table>,
}

/// Why a text is no recording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct NotRecorded {
    /// The line, from 1.
    pub line: usize,
    /// What the reader says.
    pub message: String,
}

impl Recording {
    /// Reads a recording from TOML.
    ///
    /// # Errors
    /// [`NotRecorded`] names the line.
    pub fn read(text: &str) -> Result<Self, NotRecorded> {
        toml::from_str(text).map_err(|error| NotRecorded {
            line: line_of(text, error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })
    }

    /// The answers as the fact reads them.
    ///
    /// # Errors
    /// [`Unreadable`] if the probes recorded are not those that the fact asks today.
    pub fn outputs(&self, probes: &[Probe]) -> Result<Vec<Output>, Unreadable> {
        let (recorded, today) = (self.answers.len(), probes.len());
        if recorded != today {
            return Err(Unreadable::new(format!("{recorded} answers are recorded, and {today} are asked for today")));
        }
        let other = self.answers.iter().zip(probes).find(|(answer, probe)| answer.probe != probe.source);
        if let Some((Answer { probe: recorded, .. }, Probe { source: today, .. })) = other {
            return Err(Unreadable::new(format!("recorded is the answer to {recorded:?}, asked today is {today:?}")));
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

#[cfg(test)]
mod tests {
    use super::Recording;
    use crate::probe::Probe;

    const TEXT: &str = "fact = 'a.b'\nfrom = 'c'\nabout = 'd'\n\n[[answers]]\nprobe = 'console'\nexit = { code = 0 }\n";

    #[test]
    fn what_is_no_recording_is_told_with_its_line() {
        let error = |text: &str| Recording::read(text).unwrap_err().to_string();
        assert!(error("fact = 'a.b'\nfrmo = 'c'\n").starts_with("line 2: unknown field `frmo`"));
        assert!(error("fact = 'a.b'\n\n= 1\n").starts_with("line 3: "));
    }

    #[test]
    fn answers_to_other_questions_are_not_read() {
        let recording = Recording::read(TEXT).unwrap();
        let outputs = |probes: &[Probe]| recording.outputs(probes).map_err(|error| error.to_string());
        assert_eq!(outputs(&[Probe::console()]).unwrap().len(), 1);
        let both = outputs(&[Probe::console(), Probe::file("/x")]);
        assert_eq!(both.unwrap_err(), "1 answers are recorded, and 2 are asked for today");
        let other = outputs(&[Probe::file("/x")]).unwrap_err();
        assert_eq!(other, "recorded is the answer to Console, asked today is File(\"/x\")");
    }
}
