//! Names of images: each stands for one image, from the first time it is used.

use super::{Creation, Key, Store, StoreError};
use crate::image::Digest;

/// The folder of the names.
const FOLDER: &str = "names";
/// The largest content of a name, in bytes: a digest and the end of its line.
const LARGEST: u64 = 128;

impl Store {
    /// Makes a name stand for this image; where it does already, that is as good.
    ///
    /// # Errors
    /// [`StoreError::Taken`] if it stands for another image, and others if the store cannot be used.
    pub async fn claim(&self, name: &str, digest: Digest) -> Result<(), StoreError> {
        let key = Key::within(FOLDER, name)?;
        let Creation::AlreadyThere(held) = self.create_at(&key, format!("{digest}\n").as_bytes()).await? else {
            return Ok(());
        };
        match self.digest_in(&key, &held)? {
            holds if holds == digest => Ok(()),
            holds => Err(StoreError::Taken { store: self.to_string(), name: name.to_owned(), holds, wanted: digest }),
        }
    }

    /// The image that a name stands for, `None` if nobody used it.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read, or holds no digest.
    pub async fn named(&self, name: &str) -> Result<Option<Digest>, StoreError> {
        let key = Key::within(FOLDER, name)?;
        self.read_at(&key, LARGEST).await?.map(|held| self.digest_in(&key, &held)).transpose()
    }

    fn digest_in(&self, key: &Key, held: &[u8]) -> Result<Digest, StoreError> {
        let text = std::str::from_utf8(held).unwrap_or_default();
        let digest = text.strip_suffix('\n').and_then(|line| line.parse().ok());
        digest.ok_or_else(|| self.altered(key, &"a digest", &format!("`{}`", text.escape_debug())))
    }
}
