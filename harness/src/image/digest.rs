//! SHA-256 of an image: what every verdict is bound to.

use std::{
    fmt::{self, Write as _},
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::Path,
    str::FromStr,
    sync::atomic::{AtomicBool, Ordering},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Image;

/// How much is read at once, in bytes.
const STEP: usize = 1 << 20;

/// A SHA-256, written `sha256:` and 64 hexadecimal digits in lower case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
pub struct Digest([u8; 32]);

/// Why there is no digest.
#[derive(Debug, thiserror::Error)]
pub enum DigestError {
    /// It was asked to stop.
    #[error("{image}: hashing was cancelled")]
    Cancelled {
        /// The image's name.
        image: String,
    },
    /// A read failed, or the file had become shorter.
    #[error("{image}: cannot be hashed at byte {at}")]
    Read {
        /// The image's name.
        image: String,
        /// Where.
        at: u64,
        /// What the system said.
        source: io::Error,
    },
}

/// Not a digest as [`Digest`] writes them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a digest of the form sha256:<64 hexadecimal digits>: `{0}`")]
pub struct ParseDigestError(String);

impl Image {
    /// Hashes the open file, from its first byte to the size that it had when it was opened.
    ///
    /// `progress` is given the bytes done so far, about once a MiB. Setting `cancel` ends it soon. It blocks for about a
    /// second per GiB, and moves no cursor, so others may read the same file meanwhile.
    ///
    /// # Errors
    /// [`DigestError`] if it was cancelled or a read failed.
    pub fn digest(&self, mut progress: impl FnMut(u64), cancel: &AtomicBool) -> Result<Digest, DigestError> {
        let mut hash = Sha256::new();
        let mut buffer = vec![0; STEP];
        let mut done = 0;
        while done < self.file_size() {
            if cancel.load(Ordering::Relaxed) {
                return Err(DigestError::Cancelled { image: self.name() });
            }
            let step = usize::try_from(self.file_size() - done).unwrap_or(STEP).min(STEP);
            let read = self.file().read_exact_at(&mut buffer[..step], done);
            read.map_err(|source| DigestError::Read { image: self.name(), at: done, source })?;
            hash.update(&buffer[..step]);
            done += step as u64;
            progress(done);
        }
        Ok(Digest::finished(hash))
    }
}

impl Digest {
    /// The digest of what was hashed.
    pub(crate) fn finished(hash: Sha256) -> Self {
        Self(hash.finalize().into())
    }

    /// The digest of bytes that are at hand.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of all of the file at a path.
    ///
    /// # Errors
    /// What the system says.
    pub fn of_path(path: &Path) -> io::Result<Self> {
        Self::of_file(&File::open(path)?)
    }

    /// The digest of all of a file, whatever it holds.
    ///
    /// # Errors
    /// What the system says.
    pub fn of_file(file: &File) -> io::Result<Self> {
        let mut hash = Sha256::new();
        let mut buffer = vec![0; STEP];
        let mut at = 0;
        loop {
            match file.read_at(&mut buffer, at) {
                Ok(0) => return Ok(Self::finished(hash)),
                Ok(read) => {
                    hash.update(&buffer[..read]);
                    at += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The 64 digits alone, as `sha256sum` prints them.
    #[must_use]
    pub fn hex(&self) -> String {
        hex(&self.0)
    }
}

/// Bytes as hexadecimal digits in lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A string takes whatever is written.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        let wrong = || ParseDigestError(text.to_owned());
        let digits = text.strip_prefix("sha256:").filter(|digits| digits.len() == 64).ok_or_else(wrong)?;
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(wrong()),
        };
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().as_chunks::<2>().0) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = ParseDigestError;

    fn try_from(text: String) -> Result<Self, ParseDigestError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        sync::atomic::{AtomicBool, Ordering},
    };

    use super::{Digest, DigestError, Image};

    fn blank(bytes: usize) -> (tempfile::TempDir, Image) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blank.raw");
        fs::write(&path, vec![0; bytes]).unwrap();
        let image = Image::open(path).unwrap();
        (folder, image)
    }

    #[test]
    fn is_what_sha256sum_prints() {
        let (_folder, image) = blank(3 * 1024 * 1024 + 512);
        let mut seen = Vec::new();
        let digest = image.digest(|done| seen.push(done), &AtomicBool::new(false)).unwrap();
        let sum = std::process::Command::new("sha256sum").arg(image.path()).output().unwrap().stdout;
        assert_eq!(
            digest.to_string(),
            format!("sha256:{}", String::from_utf8(sum).unwrap().split(' ').next().unwrap())
        );
        assert_eq!(seen, [1 << 20, 2 << 20, 3 << 20, image.file_size()]);
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
    }

    #[test]
    fn stops_when_cancelled() {
        let (_folder, image) = blank(3 * 1024 * 1024);
        let cancel = AtomicBool::new(false);
        let ended = image.digest(|_| cancel.store(true, Ordering::Relaxed), &cancel);
        assert!(matches!(ended, Err(DigestError::Cancelled { .. })));
    }

    #[test]
    fn a_file_cut_meanwhile_is_an_error() {
        let (_folder, image) = blank(3 * 1024 * 1024);
        fs::File::options().write(true).open(image.path()).unwrap().set_len(1 << 20).unwrap();
        let ended = image.digest(|_| {}, &AtomicBool::new(false));
        assert!(matches!(ended, Err(DigestError::Read { at: 1_048_576, .. })), "{ended:?}");
    }

    #[test]
    fn nothing_else_reads_as_a_digest() {
        let zeros = "0".repeat(64);
        assert!(format!("sha256:{zeros}").parse::<Digest>().is_ok());
        for text in ["", "sha256:", &zeros, &format!("sha512:{zeros}"), &format!("sha256:{}", &zeros[1..])] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
        assert!(format!("sha256:{}", "G".repeat(64)).parse::<Digest>().is_err());
        assert!(format!("sha256:{}", "A".repeat(64)).parse::<Digest>().is_err());
    }
}
