//! The matrix: which images are verified, how each is found, and what it is expected to be.
//!
//! Everything that can be wrong in the file is told when it is read, with its place: what is listed and what is booted
//! later come from the same rows, and a row that is misread would be a row that nobody misses.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use kverify_checks::{AnyCheck, Expectation, Origin, all, expect::ExpectError};
use serde::Deserialize;
use toml::Spanned;

use crate::book::{self, SheetError};

/// Most bytes of a matrix file.
const LARGEST: u64 = 1 << 20;
/// Most characters of a row's name.
const LONGEST_NAME: usize = 100;

/// A matrix file, read and found sound.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// The rows, in the order of the file; at least one.
    pub rows: Vec<Row>,
}

/// One image, and what it is expected to be.
#[derive(Clone, Debug)]
pub struct Row {
    /// Letters, digits, `-`, `_` and `.`; unique in its matrix.
    pub name: String,
    /// How the image is found.
    pub image: ImageSource,
    /// Where the matrix says so.
    pub image_at: Origin,
    /// The expectation as [`crate::run::Request`] takes it: a built-in name, or the path of a file.
    pub expect: String,
    /// Its values.
    pub expectation: Expectation,
}

/// How the image of a row is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageSource {
    /// A file.
    File(PathBuf),
    /// A program, its words, and the folder that it runs in; the last line it prints is the path of the image.
    Command {
        /// The program and its words; at least one.
        words: Vec<String>,
        /// The folder of the matrix.
        folder: PathBuf,
    },
}

/// Why a matrix cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MatrixError {
    /// It is not there, or may not be read.
    #[error("{}: cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Longer than any matrix can be.
    #[error("{}: longer than a matrix can be (1 MiB)", .0.display())]
    TooLong(PathBuf),
    /// Nothing would be verified.
    #[error("{}: no row, so nothing would be verified; add a [[row]] with name, image and expect", .0.display())]
    Empty(PathBuf),
    /// Not TOML, or a key or value that means nothing.
    #[error("{at}: {message}")]
    Invalid {
        /// The place.
        at: Origin,
        /// What is wrong there.
        message: String,
    },
    /// The expectation of a row cannot be used.
    #[error("{at}: {source}")]
    Expect {
        /// The place that names it.
        at: Origin,
        /// Why.
        source: ExpectError,
    },
    /// The expectation file of a row cannot be read.
    #[error("{at}")]
    Sheet {
        /// The place that names it.
        at: Origin,
        /// Why.
        source: SheetError,
    },
}

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
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenImage {
    File(Spanned<PathBuf>),
    Command(Spanned<Vec<String>>),
}

impl Matrix {
    /// Reads a matrix file. Paths in it are relative to its folder.
    ///
    /// # Errors
    /// [`MatrixError`] names the file and the line.
    pub fn read(path: &Path) -> Result<Self, MatrixError> {
        let unreadable = |source| MatrixError::Unreadable { path: path.to_owned(), source };
        if fs::metadata(path).map_err(unreadable)?.len() > LARGEST {
            return Err(MatrixError::TooLong(path.to_owned()));
        }
        let text = fs::read_to_string(path).map_err(unreadable)?;
        Page { path, text: &text }.matrix()
    }

    /// The row of that name.
    #[must_use]
    pub fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }
}

impl Row {
    /// Every built-in check, each with whether this row's expectation asks for it.
    pub fn checks(&self) -> impl Iterator<Item = (&'static dyn AnyCheck, bool)> {
        all().map(|check| (check, check.asked(&self.expectation)))
    }
}

/// A matrix file that is being read.
struct Page<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Page<'_> {
    fn matrix(&self) -> Result<Matrix, MatrixError> {
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
        Ok(Row { name, image, image_at: self.at(image_at), expect, expectation })
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
        Ok((given, resolved.expectation))
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
