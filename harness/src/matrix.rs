//! The matrix: which images are verified, how each is found, and what it is expected to be.
//!
//! Everything that can be wrong in the file is told when it is read, with its place: what is listed and what is booted
//! later come from the same rows, and a row that is misread would be a row that nobody misses.

mod campaign;
mod fetch;
mod hardware;
mod ran;
mod row;
mod schedule;
#[cfg(test)]
mod tests;
mod written;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use kverify_checks::{AnyCheck, Expectation, Need, Origin, all, expect::ExpectError, scenarios::Scenario};

pub use campaign::{Campaign, CampaignError, Ended, MATRIX, Stage, read, run, times};
pub(crate) use campaign::{JUNIT, put, write};
pub use fetch::Fetched;
pub use hardware::Hardware;
pub(crate) use ran::Ran;
pub(crate) use row::verified;
pub use row::{Order, Step};
pub use schedule::{Load, Queue, Room, foreseen, shared_out};

use crate::{
    book::SheetError,
    gate::{PublicKey, Waivers},
    image::Digest,
};
use written::Page;
pub(crate) use written::is_row_name;

/// Most bytes of a matrix file.
const LARGEST: u64 = 1 << 20;

/// A matrix file, read and found sound.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// The rows, in the order of the file; at least one.
    pub rows: Vec<Row>,
    /// The digest of the file.
    pub digest: Digest,
}

/// One image, and what it is expected to be.
#[derive(Clone, Debug)]
pub struct Row {
    /// Letters, digits, `-`, `_` and `.`; unique in its matrix.
    pub name: String,
    /// The image.
    pub image: Wanted,
    /// The digest that the image has to have, where the matrix says so.
    pub digest: Option<Digest>,
    /// The expectation as [`crate::run::Request`] takes it: a built-in name, or the path of a file.
    pub expect: String,
    /// Its values.
    pub expectation: Expectation,
    /// The scenarios that its machine has to come through, those of clouds among them.
    pub scenarios: Vec<Scenario>,
    /// The failures that are borne.
    pub waivers: Waivers,
    /// What is said of its machine.
    pub hardware: Hardware,
    /// The variables that its firmware begins with, where they are not those that come with it.
    pub firmware_vars: Option<Wanted>,
    /// How long its boot may take.
    pub timeout: Option<Duration>,
}

/// A file that a row wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The key by which the matrix wants it: `image` or `firmware-vars`.
    pub key: &'static str,
    /// How it is found.
    pub source: FileSource,
    /// Where the matrix says so.
    pub at: Origin,
}

/// How a file of a row is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileSource {
    /// A file.
    File(PathBuf),
    /// The one file of a folder whose name is like this.
    Glob {
        /// The folder.
        folder: PathBuf,
        /// The name, with `*` and `?`.
        name: String,
    },
    /// A program, its words, and the folder that it runs in; the last line it prints is the path of the file.
    Command {
        /// The program and its words; at least one.
        words: Vec<String>,
        /// The folder of the matrix.
        folder: PathBuf,
    },
    /// What a channel points to.
    Channel {
        /// The channel.
        name: String,
        /// The store that has it, as [`crate::pipeline::store::Store::open`] takes it.
        store: String,
        /// Whose signatures are believed.
        trusted: Vec<PublicKey>,
        /// The least number of records that the channel has to have.
        least: u64,
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
        let sealed = |check: &dyn AnyCheck| check.about().needs.contains(&Need::Sealed);
        all().map(move |check| (check, check.asked(&self.expectation) && !sealed(check)))
    }
}
