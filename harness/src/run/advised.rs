//! The advisory file that a run is given: what is known of packages' vulnerabilities is no part of an expectation, and is
//! of the day.

use std::path::PathBuf;

use kverify_checks::{
    expect::Resolved,
    packages::{Advisories, AdvisoriesError},
};

use crate::image::Digest;

/// An advisory file that was read.
pub(super) struct Advised {
    advisories: Advisories,
    /// SHA-256 of the file.
    pub(super) digest: String,
}

/// Why an advisory file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum AdvisedError {
    /// It cannot be read.
    #[error("advisories {}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It says nothing that is understood.
    #[error("advisories {}", .path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: AdvisoriesError,
    },
    /// Nothing is to be compared with it.
    #[error(
        "the expectation {0} does not say which vulnerabilities are borne, so nothing would be compared with the \
         advisories; write `[packages.vulnerabilities]` in it"
    )]
    NotAsked(String),
}

impl Advised {
    /// Reads a file.
    pub(super) fn read(path: &std::path::Path) -> Result<Self, AdvisedError> {
        let file = |source| AdvisedError::File { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(file)?;
        let advisories = Advisories::read(&text);
        let advisories = advisories.map_err(|source| AdvisedError::Text { path: path.to_owned(), source })?;
        Ok(Self { advisories, digest: Digest::of(text.as_bytes()).to_string() })
    }
}

/// Lets the checks of an expectation see the advisories, where both are there.
pub(super) fn join(advised: Option<&Advised>, resolved: Option<&mut Resolved>) -> Result<(), AdvisedError> {
    let (Some(advised), Some(resolved)) = (advised, resolved) else { return Ok(()) };
    if resolved.expectation.packages.vulnerabilities.is_none() {
        return Err(AdvisedError::NotAsked(resolved.name.clone()));
    }
    resolved.expectation.packages.advisories = Some(advised.advisories.clone());
    Ok(())
}
