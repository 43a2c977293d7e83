//! The keys that sign: ECDSA P-256 in OpenSSH's format, which `ssh-keygen`, `openssl` and cosign can all use.
//!
//! A private key comes from a file that nobody else can read, or from the environment; never from an argument, which
//! every user of the host sees.

use std::{
    env, fmt,
    fs::File,
    io::{self, Read as _},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use p256::{
    ecdsa::{Signature, VerifyingKey, signature::Signer as _, signature::Verifier as _},
    pkcs8::{EncodePublicKey, LineEnding as PemEnding},
};
use ssh_key::{Algorithm, EcdsaCurve, HashAlg, LineEnding, PrivateKey, SshSig, rand_core::OsRng};

/// The environment variable that holds a private key's text.
pub const KEY_VARIABLE: &str = "KVERIFY_KEY";
/// The largest key file, in bytes.
const LARGEST: u64 = 64 * 1024;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No key was given.
    #[error("no key: name a file with --key, or put its text into {KEY_VARIABLE}; `kverify keygen` makes one")]
    None,
    /// The file cannot be read.
    #[error("key {}: cannot be read", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can read it.
    #[error("key {}: its mode is {mode:04o}, so that others can read it; `chmod 600` it", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is no key that can sign here.
    #[error("key {of}: {why}; an unencrypted ECDSA P-256 key in OpenSSH's format is wanted, as `kverify keygen` makes")]
    Unusable {
        /// Where it came from.
        of: String,
        /// What is wrong with it.
        why: String,
    },
}

/// A private key. `Debug` shows its fingerprint alone.
pub struct SigningKey {
    ssh: PrivateKey,
    key: p256::ecdsa::SigningKey,
}

/// A public key.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    ssh: ssh_key::PublicKey,
    key: VerifyingKey,
}

/// The text of a key in the environment.
fn in_environment() -> Option<String> {
    env::var(KEY_VARIABLE).ok().filter(|text| !text.is_empty())
}

impl SigningKey {
    /// A fresh key.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] where the system has no entropy.
    pub fn generate() -> Result<Self, KeyError> {
        let ssh = PrivateKey::random(&mut OsRng, Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 });
        Self::of(ssh.map_err(|error| unusable("to be made", &error))?, "to be made")
    }

    /// The key in a file, or else in the environment.
    ///
    /// # Errors
    /// [`KeyError`] says what is wrong with the file or the text.
    pub fn find(path: Option<&Path>) -> Result<Self, KeyError> {
        if let Some(path) = path {
            return Self::read(path);
        }
        let text = in_environment().ok_or(KeyError::None)?;
        Self::parse(&text, &format!("in {KEY_VARIABLE}"))
    }

    /// Whether the environment has a key, or what should be one.
    #[must_use]
    pub fn is_in_environment() -> bool {
        in_environment().is_some()
    }

    fn read(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Open { path: path.to_owned(), mode });
        }
        let mut text = String::new();
        file.take(LARGEST).read_to_string(&mut text).map_err(failed)?;
        Self::parse(&text, &path.display().to_string())
    }

    fn parse(text: &str, of: &str) -> Result<Self, KeyError> {
        Self::of(PrivateKey::from_openssh(text).map_err(|error| unusable(of, &error))?, of)
    }

    fn of(ssh: PrivateKey, of: &str) -> Result<Self, KeyError> {
        if ssh.is_encrypted() {
            return Err(unusable(of, &"it is encrypted"));
        }
        let pair = ssh.key_data().ecdsa().filter(|pair| pair.curve() == EcdsaCurve::NistP256);
        let pair = pair.ok_or_else(|| unusable(of, &format!("it is of kind {}", ssh.algorithm())))?;
        let key = p256::ecdsa::SigningKey::from_slice(pair.private_key_bytes());
        let key = key.map_err(|error| unusable(of, &error))?;
        Ok(Self { ssh, key })
    }

    /// Its text in OpenSSH's format.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] where it cannot be written.
    pub fn text(&self) -> Result<String, KeyError> {
        let text = self.ssh.to_openssh(LineEnding::LF).map_err(|error| unusable("to be written", &error))?;
        Ok(text.to_string())
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey { ssh: self.ssh.public_key().clone(), key: *self.key.verifying_key() }
    }

    /// An ECDSA signature with SHA-256 in ASN.1 DER, as `openssl dgst -sha256 -verify` takes it.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature: Signature = self.key.sign(message);
        signature.to_der().as_bytes().to_vec()
    }

    /// An SSH signature, as `ssh-keygen -Y verify` takes it.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] where the key does not sign.
    pub fn sign_ssh(&self, namespace: &str, message: &[u8]) -> Result<String, KeyError> {
        let signed = SshSig::sign(&self.ssh, namespace, HashAlg::Sha512, message);
        let text = signed.and_then(|signature| signature.to_pem(LineEnding::LF));
        text.map_err(|error| unusable("that signs", &error))
    }
}

impl PublicKey {
    /// Reads a line as in `authorized_keys`: kind, key, comment.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] where it is no ECDSA P-256 key.
    pub fn parse(line: &str) -> Result<Self, KeyError> {
        let of = "that is public";
        let ssh = ssh_key::PublicKey::from_openssh(line.trim()).map_err(|error| unusable(of, &error))?;
        let data = ssh.key_data().ecdsa().ok_or_else(|| unusable(of, &format!("it is of kind {}", ssh.algorithm())))?;
        let key = VerifyingKey::from_sec1_bytes(data.as_sec1_bytes()).map_err(|error| unusable(of, &error))?;
        Ok(Self { ssh, key })
    }

    /// The line that [`PublicKey::parse`] reads.
    #[must_use]
    pub fn line(&self) -> String {
        self.ssh.to_openssh().unwrap_or_default()
    }

    /// The same as PEM, as `openssl` and cosign read it.
    #[must_use]
    pub fn pem(&self) -> String {
        self.key.to_public_key_pem(PemEnding::LF).unwrap_or_default()
    }

    /// `SHA256:` and the fingerprint that `ssh-keygen -l` shows.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.ssh.fingerprint(HashAlg::Sha256).to_string()
    }

    /// Whether `signature`, in ASN.1 DER, is this key's for `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_der(signature).is_ok_and(|signature| self.key.verify(message, &signature).is_ok())
    }
}

fn unusable(of: &str, why: &dyn fmt::Display) -> KeyError {
    KeyError::Unusable { of: of.to_owned(), why: why.to_string() }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "private key of {}", self.public().fingerprint())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

    use super::{PublicKey, SigningKey};

    fn ran(program: &str, words: &[&str], input: &Path) -> (bool, String) {
        let input = fs::File::open(input).unwrap();
        let output = Command::new(program).args(words).stdin(input).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }

    #[test]
    fn openssl_and_ssh_keygen_verify_what_it_signs() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let key = SigningKey::generate().unwrap();
        let message = b"promoted\n";
        fs::write(at("message"), message).unwrap();
        fs::write(at("other"), b"Promoted\n").unwrap();
        fs::write(at("der"), key.sign(message)).unwrap();
        fs::write(at("pem"), key.public().pem()).unwrap();
        let (pem, der) = (at("pem"), at("der"));
        let openssl = ["dgst", "-sha256", "-verify", &pem, "-signature", &der];
        assert_eq!(ran("openssl", &openssl, &folder.path().join("message")), (true, "Verified OK\n".to_owned()));
        assert!(!ran("openssl", &openssl, &folder.path().join("other")).0);
        fs::write(at("sig"), key.sign_ssh("kverify", message).unwrap()).unwrap();
        fs::write(at("allowed"), format!("gate {}\n", key.public().line())).unwrap();
        let (allowed, sig) = (at("allowed"), at("sig"));
        let ssh = ["-Y", "verify", "-f", &allowed, "-I", "gate", "-n", "kverify", "-s", &sig];
        let (good, said) = ran("ssh-keygen", &ssh, &folder.path().join("message"));
        assert!(good && said.contains(&key.public().fingerprint()), "{said}");
        assert!(!ran("ssh-keygen", &ssh, &folder.path().join("other")).0);
    }

    #[test]
    fn a_key_is_read_back_from_a_file_that_nobody_else_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let key = SigningKey::generate().unwrap();
        fs::write(&path, key.text().unwrap()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = SigningKey::find(Some(&path)).unwrap_err().to_string();
        assert!(error.ends_with("its mode is 0640, so that others can read it; `chmod 600` it"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let again = SigningKey::find(Some(&path)).unwrap();
        let public = PublicKey::parse(&again.public().line()).unwrap();
        assert!(public == key.public());
        assert!(public.verifies(b"x", &key.sign(b"x")));
        assert!(!public.verifies(b"y", &key.sign(b"x")));
        assert!(!SigningKey::generate().unwrap().public().verifies(b"x", &key.sign(b"x")));
        assert!(!format!("{key:?}").contains("PRIVATE"));
    }

    #[test]
    fn ssh_keygen_reads_it_and_other_kinds_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let name = path.display().to_string();
        let make = ["-q", "-t", "ed25519", "-N", "", "-f", &name];
        assert!(ran("ssh-keygen", &make, Path::new("/dev/null")).0);
        let error = SigningKey::find(Some(&path)).unwrap_err().to_string();
        assert!(error.contains("it is of kind ssh-ed25519; an unencrypted ECDSA P-256 key"), "{error}");
        fs::remove_file(&path).unwrap();
        let make = ["-q", "-t", "ecdsa", "-b", "256", "-N", "secret", "-f", &name];
        assert!(ran("ssh-keygen", &make, Path::new("/dev/null")).0);
        let error = SigningKey::find(Some(&path)).unwrap_err().to_string();
        assert!(error.contains("it is encrypted"), "{error}");
        fs::write(&path, "no key").unwrap();
        assert!(SigningKey::find(Some(&path)).unwrap_err().to_string().contains("OpenSSH's format is wanted"));
        let own = folder.path().join("own");
        fs::write(&own, SigningKey::generate().unwrap().text().unwrap()).unwrap();
        fs::set_permissions(&own, fs::Permissions::from_mode(0o600)).unwrap();
        let own = own.display().to_string();
        assert!(ran("ssh-keygen", &["-l", "-f", &own], Path::new("/dev/null")).0);
    }
}
