//! A matrix file as it is written, and how it becomes rows.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use kverify_checks::{Expectation, Origin, scenarios::Scenario};
use serde::Deserialize;
use toml::Spanned;

use super::{ImageSource, Matrix, MatrixError, Row};
use crate::{book, run::scenario_named};

/// Most characters of a row's name.
const LONGEST_NAME: usize = 100;

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    row: Vec<WrittenRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRow {
    name: Spanned<String>,
    image: WrittenImage,
    expect: Spanned<String>,
    #[serde(default)]
    scenarios: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenImage {
    File(Spanned<PathBuf>),
    Command(Spanned<Vec<String>>),
}

/// A matrix file that is being read.
pub(super) struct Page<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl Page<'_> {
    /// The rows, or what is wrong with one of them.
    pub(super) fn matrix(&self) -> Result<Matrix, MatrixError> {
        let written: Written = toml::from_str(self.text)
            .map_err(|error| self.invalid(error.span().map_or(0, |span| span.start), error.message()))?;
        let mut lines: BTreeMap<String, usize> = BTreeMap::new();
        let mut rows = Vec::new();
        for row in written.row {
            let at = row.name.span().start;
            let row = self.row(row)?;
            if let Some(line) = lines.insert(row.name.clone(), self.at(at).line) {
                let message = format!("a second row called `{}`; the first is in line {line}", row.name);
                return Err(self.invalid(at, &message));
            }
            rows.push(row);
        }
        if rows.is_empty() {
            return Err(MatrixError::Empty(self.path.to_owned()));
        }
        Ok(Matrix { rows })
    }

    fn row(&self, row: WrittenRow) -> Result<Row, MatrixError> {
        let (named_at, name) = (row.name.span().start, row.name.into_inner());
        let letter = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        if name.is_empty() || name.len() > LONGEST_NAME || name.starts_with('.') || !name.chars().all(letter) {
            let message = format!(
                "`{}` is no name for a row: it names tests and a folder, so at most {LONGEST_NAME} letters, digits, \
                 `-`, `_` and `.`, and no `.` first",
                name.escape_default()
            );
            return Err(self.invalid(named_at, &message));
        }
        let (image_at, image) = match row.image {
            WrittenImage::File(file) => (file.span().start, ImageSource::File(self.folder().join(file.into_inner()))),
            WrittenImage::Command(words) => {
                let at = words.span().start;
                let words = words.into_inner();
                if words.first().is_none_or(String::is_empty) {
                    return Err(self.invalid(at, "an empty command; its first word is the program that gets the image"));
                }
                (at, ImageSource::Command { words, folder: self.folder() })
            }
        };
        let (expect, expectation) = self.expectation(&row.expect)?;
        let scenarios = self.scenarios(&row.scenarios)?;
        Ok(Row { name, image, image_at: self.at(image_at), expect, expectation, scenarios })
    }

    fn scenarios(&self, named: &[Spanned<String>]) -> Result<Vec<Scenario>, MatrixError> {
        let mut scenarios: Vec<Scenario> = Vec::new();
        for name in named {
            let wrong = |message: &str| self.invalid(name.span().start, message);
            let scenario = scenario_named(name.get_ref(), &self.folder()).map_err(|message| wrong(&message))?;
            if scenarios.iter().any(|other| other.name == scenario.name) {
                return Err(wrong(&format!("a second scenario called `{}`", scenario.name)));
            }
            scenarios.push(scenario);
        }
        Ok(scenarios)
    }

    fn expectation(&self, expect: &Spanned<String>) -> Result<(String, Expectation), MatrixError> {
        let at = || self.at(expect.span().start);
        let mut book = book::built_in();
        let mut given = expect.get_ref().clone();
        let name = if book::is_file(&given) {
            let path = self.folder().join(&given);
            given = path.display().to_string();
            book::add_file(&mut book, &path).map_err(|source| MatrixError::Sheet { at: at(), source })?
        } else {
            given.clone()
        };
        let resolved = book.resolve(&name).map_err(|source| MatrixError::Expect { at: at(), source })?;
        Ok((given, *resolved.expectation))
    }

    fn folder(&self) -> PathBuf {
        match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder.to_owned(),
            _ => PathBuf::from("."),
        }
    }

    fn at(&self, byte: usize) -> Origin {
        let line = self.text.as_bytes().iter().take(byte).filter(|byte| **byte == b'\n').count() + 1;
        Origin { file: self.path.display().to_string(), line }
    }

    fn invalid(&self, byte: usize, message: &str) -> MatrixError {
        MatrixError::Invalid { at: self.at(byte), message: message.to_owned() }
    }
}
