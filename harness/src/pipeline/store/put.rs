//! Putting an image: one pass over its file, hashed while it is sent in parts, under a key made of its digest.
//!
//! The digest has to be known before, from the report: it is a part of the key. If the file turns out to be another one,
//! the upload is dropped before anything has its final name.

use std::{fs::File, io, os::unix::fs::FileExt};

use object_store::{Error, MultipartUpload, ObjectStoreExt, PutPayload};
use sha2::{Digest as _, Sha256};
use tokio::{
    sync::mpsc,
    task::{JoinSet, spawn_blocking},
};

use super::{
    Creation, Key, Store, StoreError,
    passage::{STEP, digest_of},
};
use crate::image::Digest;

/// The smallest part that a bucket takes, in bytes.
const SMALLEST_PART: u64 = 5 << 20;
/// The most parts that a bucket takes for one object.
const MOST_PARTS: u64 = 10_000;
/// How many parts are on their way at once. With the one being read and the one that waits, these are in memory.
const AT_ONCE: usize = 2;

/// An image that is in the store and was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Its key; the file for `sha256sum -c` has the same with `.sha256` behind it.
    pub key: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// It was there before, and was read again instead of sent.
    pub already_there: bool,
}

impl Store {
    /// Puts an image into the store as `images/<digest>/<name>`, and beside it a file for `sha256sum -c`.
    ///
    /// It is sent in parts while it is hashed, and read back. An image that is there already is not sent again, but both it
    /// and the file are hashed. Memory stays under 60 MiB up to 50 GiB; over that it grows with the parts.
    ///
    /// # Errors
    /// [`StoreError::Changed`] if the file is not the one that `want` stands for, [`StoreError::Altered`] if the stored
    /// one is not, and others if it cannot be read or sent. Nothing is then under the final name that was not there before.
    pub async fn put_image(&self, file: &File, name: &str, want: Digest) -> Result<Put, StoreError> {
        self.put_file(Key::image(want, name)?, file, name, want).await
    }

    /// Puts a file that was made of the image `of` into the store as `images/<of>/exports/<digest>/<name>`, as
    /// [`Self::put_image`] puts the image itself.
    ///
    /// # Errors
    /// The same.
    pub async fn put_export(&self, of: Digest, file: &File, name: &str, want: Digest) -> Result<Put, StoreError> {
        self.put_file(Key::export(of, want, name)?, file, name, want).await
    }

    async fn put_file(&self, key: Key, file: &File, name: &str, want: Digest) -> Result<Put, StoreError> {
        let unreadable = |source| StoreError::Unreadable { source };
        if let Some(folder) = &self.folder {
            folder.sweep().map_err(|error| self.unusable("remove what killed runs left of", "images", &error))?;
        }
        let already_there = match self.objects.head(&key.path()).await {
            Ok(_) => true,
            Err(Error::NotFound { .. }) => false,
            Err(error) => return Err(self.failed("look for", &key)(error)),
        };
        let file = file.try_clone().map_err(unreadable)?;
        let bytes = if already_there {
            let (got, stored) = tokio::join!(digest_of(file), self.pass(&key, None));
            same(got?, want)?;
            let stored = stored?.ok_or_else(|| self.missing(&key))?;
            if stored.digest != want {
                return Err(self.altered(&key, &want, &stored.digest));
            }
            stored.bytes
        } else {
            self.upload(&key, file, want).await?;
            self.read_back(&key, want).await?
        };
        let sum = format!("{}  {name}\n", want.hex());
        if let Creation::AlreadyThere(held) = self.create_at(&key.sum(), sum.as_bytes()).await?
            && held != sum.as_bytes()
        {
            return Err(self.altered(&key.sum(), &sum.trim(), &String::from_utf8_lossy(&held).escape_debug()));
        }
        Ok(Put { key: key.to_string(), bytes, already_there })
    }

    /// Reads what was just sent; what is wrong goes again.
    async fn read_back(&self, key: &Key, want: Digest) -> Result<u64, StoreError> {
        let stored = self.pass(key, None).await?.ok_or_else(|| self.missing(key))?;
        if stored.digest == want {
            return Ok(stored.bytes);
        }
        let altered = self.altered(key, &want, &stored.digest);
        // If it cannot be removed either, the error still says what is there.
        let _ = self.delete_at(key).await;
        Err(altered)
    }

    async fn upload(&self, key: &Key, file: File, want: Digest) -> Result<(), StoreError> {
        let mut upload = self.objects.put_multipart(&key.path()).await.map_err(self.failed("write", key))?;
        let sent = match self.send(key, file, want, &mut *upload).await {
            Ok(()) => upload.complete().await.map(drop).map_err(self.failed("write", key)),
            Err(error) => Err(error),
        };
        if sent.is_err() {
            // The parts take room until the bucket's own rules remove them; the first error is the one to tell.
            let _ = upload.abort().await;
        }
        sent
    }

    async fn send(
        &self,
        key: &Key,
        file: File,
        want: Digest,
        upload: &mut dyn MultipartUpload,
    ) -> Result<(), StoreError> {
        let unreadable = |source| StoreError::Unreadable { source };
        let part = match &self.folder {
            Some(_) => STEP,
            None => part(file.metadata().map_err(unreadable)?.len()),
        };
        let (sender, mut receiver) = mpsc::channel(1);
        let reading = spawn_blocking(move || read(&file, part, &sender));
        let mut sending = JoinSet::new();
        loop {
            // Before the next part is taken: it would be one more in memory.
            if sending.len() == AT_ONCE {
                self.sent(key, sending.join_next().await)?;
            }
            let Some(bytes) = receiver.recv().await else { break };
            sending.spawn(upload.put_part(PutPayload::from(bytes)));
        }
        while !sending.is_empty() {
            self.sent(key, sending.join_next().await)?;
        }
        same(reading.await.map_err(io::Error::other).flatten().map_err(unreadable)?, want)
    }

    fn sent(
        &self,
        key: &Key,
        ended: Option<Result<Result<(), Error>, tokio::task::JoinError>>,
    ) -> Result<(), StoreError> {
        ended.map_or(Ok(()), |ended| ended.map_err(Error::from).flatten()).map_err(self.failed("write", key))
    }

    pub(super) fn missing(&self, key: &Key) -> StoreError {
        StoreError::Missing { store: self.to_string(), key: key.to_string() }
    }
}

fn same(got: Digest, want: Digest) -> Result<(), StoreError> {
    if got == want { Ok(()) } else { Err(StoreError::Changed { want, got }) }
}

/// How large the parts of an object are, in bytes: whole MiB.
fn part(bytes: u64) -> usize {
    let part = bytes.div_ceil(MOST_PARTS).max(SMALLEST_PART).next_multiple_of(1 << 20);
    usize::try_from(part).unwrap_or(usize::MAX)
}

/// Reads the file in parts, each full but the last, and hashes them; it ends early where nobody takes them any more.
fn read(file: &File, part: usize, parts: &mpsc::Sender<Vec<u8>>) -> io::Result<Digest> {
    let mut hash = Sha256::new();
    let mut at = 0;
    loop {
        let mut bytes = vec![0; part];
        let mut filled = 0;
        while filled < part {
            let step = &mut bytes[filled..part.min(filled + STEP)];
            match file.read_at(step, at) {
                Ok(0) => break,
                Ok(read) => {
                    hash.update(&step[..read]);
                    filled += read;
                    at += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        let last = filled < part;
        if (filled > 0 && parts.blocking_send(bytes).is_err()) || last {
            return Ok(Digest::finished(hash));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST_PARTS, part};

    #[test]
    fn no_image_has_more_parts_than_a_bucket_takes() {
        for bytes in [1, 600 << 20, 48 << 30, 49 << 30, 1 << 40] {
            let part = part(bytes) as u64;
            assert!(part >= 5 << 20 && bytes.div_ceil(part) <= MOST_PARTS, "{bytes}: {part}");
        }
        assert_eq!(part(600 << 20), 5 << 20);
    }
}
