//! `--format`: who reads what a command says at its end.

use std::{
    env,
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use anyhow::Context as _;
use clap::ValueEnum;

use crate::{
    matrix::put,
    report::{
        Conclusion,
        formats::{Judged, github, gitlab, lines, tap},
    },
    session::nonce,
};

/// The file of GitLab's report of code quality.
const CODE_QUALITY: &str = "gl-code-quality-report.json";
/// Names the file that a step's summary is appended to.
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Who reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A person.
    #[default]
    Text,
    /// GitHub Actions: the text, then annotations, and the summary of the step.
    Github,
    /// GitLab: the text, and a report of code quality in the folder of the report.
    Gitlab,
    /// TAP, version 14.
    Tap,
    /// An object of JSON in each line.
    JsonLines,
}

/// Says what came of a command, to whom it is meant.
pub(crate) struct Speaker {
    format: Format,
    /// The word by which GitHub takes commands again.
    word: String,
}

impl Format {
    /// Begins: where lines can be commands, none is until the end, and none at all of a command that ends with an error.
    pub(crate) fn begin(self) -> io::Result<Speaker> {
        let word = format!("{:032x}", nonce()?);
        if self == Self::Github {
            super::print(&github::stopped(&word));
        }
        Ok(Speaker { format: self, word })
    }

    /// Takes away what an earlier run has left in a folder that stays.
    pub(crate) fn clear(folder: &Path) -> anyhow::Result<()> {
        match fs::remove_file(folder.join(CODE_QUALITY)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| folder.join(CODE_QUALITY).display().to_string())
            }
            _ => Ok(()),
        }
    }
}

impl Speaker {
    /// Says it: `table` is the text for a person, and `folder` where the report is, if it could be kept.
    pub(crate) fn say(
        self,
        table: &str,
        all: &[Judged<'_>],
        verdict: Conclusion,
        folder: Option<&Path>,
    ) -> anyhow::Result<()> {
        match self.format {
            Format::Text => super::print(table),
            Format::Tap => super::print(&tap::document(all, verdict)),
            Format::JsonLines => super::print(&lines::document(all, verdict)),
            Format::Github => {
                super::print(table);
                // Nothing else has commands taken again: what else is said may be a guest's.
                super::print(&github::resumed(&self.word));
                super::print(&github::annotations(all));
                summarize(&github::summary(all, verdict))?;
            }
            Format::Gitlab => {
                super::print(table);
                if let Some(folder) = folder {
                    let path = || folder.join(CODE_QUALITY).display().to_string();
                    put(folder, CODE_QUALITY, &gitlab::code_quality(all)).with_context(path)?;
                }
            }
        }
        Ok(())
    }
}

/// Appends to the summary of the step, where there is one.
fn summarize(text: &str) -> anyhow::Result<()> {
    let Some(path) = env::var_os(SUMMARY).filter(|path| !path.is_empty()) else { return Ok(()) };
    let written =
        File::options().append(true).create(true).open(&path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("{SUMMARY}: {}", Path::new(&path).display()))
}
