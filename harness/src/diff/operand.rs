//! What is compared: the folder of a report, or a file of it.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

use crate::{
    image::Digest,
    report::{FACTS, Facts, REPORT, Report, facts::SCHEMA},
};

/// The largest file that is read, in bytes.
const LARGEST: u64 = 64 << 20;

/// Why something cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum OperandError {
    /// A file cannot be read.
    #[error("{}: cannot be read; name the folder of a report, its report.json, or an image", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is larger than what it is can be.
    #[error("{}: more than {} MiB, which neither a report nor its facts have", .0.display(), LARGEST >> 20)]
    TooLarge(PathBuf),
    /// A file is something else.
    #[error("{}: not what kverify writes; name the folder of a report, its report.json, or an image", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        source: serde_json::Error,
    },
    /// The report is of an earlier kverify.
    #[error("{}: speaks of no facts.json, as reports before it do; verify the image again", .0.display())]
    NoFacts(PathBuf),
    /// The facts are of another run.
    #[error("{}: not the file that the report beside it speaks of; verify the image again", .0.display())]
    NotTheReports(PathBuf),
    /// The form of the facts is another.
    #[error("{}: its form is {found}, and this kverify reads {SCHEMA}; verify the image again", path.display())]
    OtherSchema {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: u32,
    },
}

/// Whether a path is to be read as an image: a file that is no JSON by its name.
#[must_use]
pub fn is_image(path: &Path) -> bool {
    path.is_file() && path.extension().is_none_or(|ending| ending != "json")
}

/// What is known of the image that a report is about; `path` is its folder, its report.json or its facts.json. Where there
/// is a report, the facts have to be those that it speaks of.
///
/// # Errors
/// [`OperandError`] names the file.
pub fn read(path: &Path) -> Result<Facts, OperandError> {
    if path.is_dir() {
        return of_report(path);
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let named = |name: &str| path.file_name().is_some_and(|file| file == name);
    if named(REPORT) || (named(FACTS) && folder.join(REPORT).is_file()) {
        return of_report(folder);
    }
    facts(path, &bytes(path)?)
}

fn of_report(folder: &Path) -> Result<Facts, OperandError> {
    let path = folder.join(REPORT);
    let report: Report = parsed(&path, &bytes(&path)?)?;
    let digest = report.facts.ok_or(OperandError::NoFacts(path))?;
    let path = folder.join(FACTS);
    let content = bytes(&path)?;
    let facts = facts(&path, &content)?;
    if Digest::of(&content).to_string() != digest || facts.subject != report.subject {
        return Err(OperandError::NotTheReports(path));
    }
    Ok(facts)
}

fn facts(path: &Path, content: &[u8]) -> Result<Facts, OperandError> {
    /// What a file of any form has.
    #[derive(serde::Deserialize)]
    struct Form {
        schema: u32,
    }
    let Form { schema } = parsed(path, content)?;
    if schema != SCHEMA {
        return Err(OperandError::OtherSchema { path: path.to_owned(), found: schema });
    }
    parsed(path, content)
}

fn parsed<T: DeserializeOwned>(path: &Path, content: &[u8]) -> Result<T, OperandError> {
    serde_json::from_slice(content).map_err(|source| OperandError::Foreign { path: path.to_owned(), source })
}

fn bytes(path: &Path) -> Result<Vec<u8>, OperandError> {
    let unreadable = |source| OperandError::Unreadable { path: path.to_owned(), source };
    // Whoever opens a pipe may wait for ever.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(unreadable(io::Error::other("not a file")));
    }
    let mut content = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(LARGEST + 1).read_to_end(&mut content).map_err(unreadable)?;
    if content.len() as u64 > LARGEST {
        return Err(OperandError::TooLarge(path.to_owned()));
    }
    Ok(content)
}
