//! Whose account is used: one made for this run, or the image's own.

use std::fmt;

use ssh_key::{Algorithm, EcdsaCurve, LineEnding, PrivateKey, rand_core::OsRng};

/// How to log in. `Debug` shows no secret.
#[derive(Clone)]
pub enum Credential {
    /// A private key in PEM or OpenSSH form.
    Key {
        /// The account.
        user: String,
        /// The private key's text.
        pem: String,
    },
    /// A password; also given to `sudo` where that asks for one.
    Password {
        /// The account.
        user: String,
        /// The password.
        password: String,
    },
}

impl Credential {
    /// The account.
    #[must_use]
    pub fn user(&self) -> &str {
        match self {
            Self::Key { user, .. } | Self::Password { user, .. } => user,
        }
    }

    pub(crate) fn password(&self) -> Option<&str> {
        match self {
            Self::Key { .. } => None,
            Self::Password { password, .. } => Some(password),
        }
    }

    /// What was tried, for errors.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Key { .. } => "key",
            Self::Password { .. } => "password",
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.kind(), self.user())
    }
}

/// A key pair made for one run and gone with it.
pub struct RunKey {
    /// The private key in OpenSSH form.
    pub private: String,
    /// The public key as one line of `authorized_keys`.
    pub public: String,
}

impl RunKey {
    /// A fresh ECDSA P-256 key pair.
    ///
    /// # Errors
    /// What the system says when it has no entropy.
    pub fn generate() -> Result<Self, ssh_key::Error> {
        let mut key = PrivateKey::random(&mut OsRng, Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 })?;
        // Some readers (paramiko) take half of the keys without a comment for damaged ones.
        key.set_comment("kverify");
        Ok(Self { private: key.to_openssh(LineEnding::LF)?.to_string(), public: key.public_key().to_openssh()? })
    }
}
