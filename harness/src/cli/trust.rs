//! Whose signatures a command believes.

use std::path::PathBuf;

use super::attest::trusted;
use crate::gate::PublicKey;

/// The keys of files, of a policy, or of both.
#[derive(Debug, clap::Args)]
pub(crate) struct Trust {
    /// A public key whose signatures are believed: a `.pub` file.
    #[arg(long, value_name = "FILE", required_unless_present = "policy")]
    trust: Vec<PathBuf>,
    /// A policy, whose keys are trusted.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

impl Trust {
    pub(crate) fn keys(&self) -> anyhow::Result<Vec<PublicKey>> {
        trusted(&self.trust, self.policy.as_deref())
    }
}
