//! The steps of a pipeline, in the order in which they are done.

use std::{fmt, path::PathBuf, str::FromStr};

use clap::{Command, CommandFactory};
use sha2::{Digest as _, Sha256};

use super::line::Line;
use crate::{
    cli::Cli,
    image::Digest,
    pipeline::journal::{Journal, JournalError},
};

/// What a step is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StepName {
    /// An image is installed.
    Build,
    /// It is booted and checked.
    Verify,
    /// A copy of it is sealed.
    Seal,
    /// The sealed image is booted, checked, its seal proven, and the report signed.
    Prove,
    /// Files in other formats are made of it, each held against it.
    Export,
    /// It is put into a store with its papers.
    Store,
    /// A channel is pointed to it.
    Promote,
}

/// A step, ready to be done.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) name: StepName,
    /// The command lines, done one after the other.
    pub(super) lines: Vec<Line>,
    /// Files that count besides those of the lines.
    pub(super) reads: Vec<PathBuf>,
    /// The files and folders that it leaves.
    pub(super) made: Vec<PathBuf>,
    /// The folder that has to be there before it begins.
    pub(super) folder: Option<PathBuf>,
    /// What counts besides the lines.
    pub(super) also: Vec<String>,
    /// Where one looks if it stops.
    pub(super) closer: Option<String>,
}

impl Step {
    /// A step that does nothing yet.
    pub(super) fn of(name: StepName) -> Self {
        Self {
            name,
            lines: Vec::new(),
            reads: Vec::new(),
            made: Vec::new(),
            folder: None,
            also: Vec::new(),
            closer: None,
        }
    }

    /// The digest of all that counts for what comes out.
    pub(super) fn inputs(&self, journal: &mut Journal) -> Result<Digest, JournalError> {
        let mut hash = Sha256::new();
        for line in &self.lines {
            line.count(&mut hash, journal).map_err(|(path, why)| JournalError::File { path, why })?;
        }
        let reads = self.reads.iter().fold(Line::default(), Line::read);
        reads.count(&mut hash, journal).map_err(|(path, why)| JournalError::File { path, why })?;
        self.also.iter().for_each(|also| hash.update(format!("{also}\n")));
        Ok(Digest::finished(hash))
    }
}

impl Step {
    /// Whether what it makes is sent somewhere.
    pub(super) fn sends(&self) -> bool {
        self.lines.iter().any(|line| line.unsent() != *line)
    }

    /// The digest of all that counts for what it makes, wherever that is sent.
    pub(super) fn made_of(&self, journal: &mut Journal) -> Result<Digest, JournalError> {
        Self { lines: self.lines.iter().map(Line::unsent).collect(), ..self.clone() }.inputs(journal)
    }
}

impl StepName {
    pub(crate) const ALL: [Self; 7] =
        [Self::Build, Self::Verify, Self::Seal, Self::Prove, Self::Export, Self::Store, Self::Promote];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Verify => "verify",
            Self::Seal => "seal",
            Self::Prove => "prove",
            Self::Export => "export",
            Self::Store => "store",
            Self::Promote => "promote",
        }
    }

    /// The command that does it.
    pub(super) fn command(self) -> &'static str {
        match self {
            Self::Prove => "verify",
            name => name.word(),
        }
    }

    /// The commands that its table can say something about.
    pub(super) fn commands(self) -> Vec<Command> {
        let attest = matches!(self, Self::Verify | Self::Prove | Self::Export).then_some("attest");
        [self.command()].into_iter().chain(attest).map(command).collect()
    }

    /// The options of its commands that the pipeline itself gives.
    pub(super) fn own(self) -> &'static [&'static str] {
        match self {
            Self::Build => &["out", "serial-log"],
            // A seal is proven by the step of that name.
            Self::Verify => &["out", "pcap", "sealed", "installer"],
            Self::Seal => &["out", "json"],
            Self::Prove => &["out", "pcap", "sealed", "warm"],
            Self::Export => &["out-dir"],
            Self::Store => &["name", "report", "export"],
            Self::Promote => &[],
        }
    }
}

/// A command as the command line declares it.
pub(super) fn command(word: &str) -> Command {
    let cli = Cli::command();
    cli.find_subcommand(word).cloned().unwrap_or_else(|| unreachable!("{word} is a command of this program"))
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for StepName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|name| name.word() == text).ok_or_else(|| {
            let there: Vec<_> = Self::ALL.into_iter().map(Self::word).collect();
            format!("no step is called `{text}`; there are: {}", there.join(", "))
        })
    }
}
