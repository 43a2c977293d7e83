//! Getting an image out of the store: written to a file without a name while it is hashed.

use std::{fs::File, io};

use super::{Key, Store, StoreError};
use crate::image::Digest;

impl Store {
    /// Writes the image to an empty file, and gives its size in bytes.
    ///
    /// The file should have no name until this has said that the image is the right one: see
    /// [`Unnamed`](crate::image::Unnamed).
    ///
    /// # Errors
    /// [`StoreError::Missing`] if it is not there, [`StoreError::Altered`] if it has another digest, and others if it cannot
    /// be read or written. The file then holds anything, and is not to be used.
    pub async fn fetch(&self, digest: Digest, name: &str, to: &File) -> Result<u64, StoreError> {
        self.fetch_file(&Key::image(digest, name)?, digest, to).await
    }

    /// The same of a file of this digest that was made of the image `of`.
    ///
    /// # Errors
    /// The same.
    pub async fn fetch_export(&self, of: Digest, digest: Digest, name: &str, to: &File) -> Result<u64, StoreError> {
        self.fetch_file(&Key::export(of, digest, name)?, digest, to).await
    }

    async fn fetch_file(&self, key: &Key, digest: Digest, to: &File) -> Result<u64, StoreError> {
        let unwritable =
            |source: io::Error| StoreError::Unwritable { store: self.to_string(), key: key.to_string(), source };
        let to = to.try_clone().map_err(unwritable)?;
        let passed = self.pass(key, Some(to)).await?.ok_or_else(|| self.missing(key))?;
        if passed.digest == digest { Ok(passed.bytes) } else { Err(self.altered(key, &digest, &passed.digest)) }
    }
}
