//! The options that name the image's own account.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::given;
use crate::session::Credential;

/// The longest key or password file that is read, in bytes.
const LONGEST_SECRET: u64 = 64 * 1024;

/// An account of the image's own.
#[derive(Debug, clap::Args)]
pub(crate) struct Account {
    /// Log in with the image's own account instead of a seeded one.
    #[arg(id = "ssh_user", long = "ssh-user", value_name = "USER")]
    user: Option<String>,
    /// The private key of that account.
    #[arg(id = "ssh_key", long = "ssh-key", value_name = "FILE", requires = "ssh_user")]
    #[arg(conflicts_with_all = ["ssh_password_env", "ssh_password_file"])]
    key: Option<PathBuf>,
    /// The environment variable that holds its password.
    #[arg(id = "ssh_password_env", long = "ssh-password-env", value_name = "VAR")]
    #[arg(requires = "ssh_user", conflicts_with = "ssh_password_file")]
    password_env: Option<String>,
    /// The file whose first line is its password.
    #[arg(id = "ssh_password_file", long = "ssh-password-file", value_name = "FILE", requires = "ssh_user")]
    password_file: Option<PathBuf>,
}

impl Account {
    /// The credential, `None` where no account is named.
    pub(crate) fn credential(&self) -> anyhow::Result<Option<Credential>> {
        let Some(user) = self.user.clone() else { return Ok(None) };
        if let Some(path) = &self.key {
            return Ok(Some(Credential::Key { user, pem: key(path)? }));
        }
        let password = match (&self.password_env, &self.password_file) {
            (Some(name), _) => std::env::var(name).with_context(|| format!("--ssh-password-env {name}"))?,
            (None, Some(path)) => secret(path)?.lines().next().unwrap_or_default().to_owned(),
            (None, None) => bail!("--ssh-user needs --ssh-key, --ssh-password-env or --ssh-password-file"),
        };
        Ok(Some(Credential::Password { user, password }))
    }
}

/// A private key, as far as can be told without its passphrase: a mistake here would cost a boot.
fn key(path: &Path) -> anyhow::Result<String> {
    let text = secret(path)?;
    if text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----") {
        return Ok(text);
    }
    let public = ["ssh-", "ecdsa-", "sk-"].iter().any(|kind| text.starts_with(kind));
    let what = if public { "a public key; name the private one" } else { "no private key in PEM or OpenSSH form" };
    bail!("{}: {what}", path.display())
}

fn secret(path: &Path) -> anyhow::Result<String> {
    given::text(path, &path.display().to_string(), "key or password", LONGEST_SECRET)
}
