//! Small objects: papers, names, records. They are created once, read whole within a limit, listed, and removed.

use std::time::Duration;

use futures_util::TryStreamExt;
use object_store::{Error, ObjectStoreExt, PutMode, PutOptions, PutPayload};

use super::{Key, Store, StoreError};
use crate::{image::Digest, session::nonce};

/// The largest object that is held in memory, in bytes.
pub(super) const LARGEST: u64 = 16 << 20;
/// The most objects that are listed.
const MOST: usize = 100_000;
/// How often a creation is tried that the server refuses for another one that is under way.
const TRIES: u32 = 8;
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// What became of a creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creation {
    /// The object was not there, and now holds what it was to hold.
    Created,
    /// The object was there already, and holds this.
    AlreadyThere(Vec<u8>),
}

impl Store {
    /// Creates an object of at most 16 MiB, unless it is there; then reads back what is there.
    ///
    /// When the server's answer is lost on the way and the attempt is made again, that one finds what the first one left:
    /// an object that is there already and holds these very bytes may be this call's own.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written, or does not read back as it was written.
    pub async fn create(&self, key: &str, bytes: &[u8]) -> Result<Creation, StoreError> {
        self.create_at(&Key::parse(key)?, bytes).await
    }

    pub(super) async fn create_at(&self, key: &Key, bytes: &[u8]) -> Result<Creation, StoreError> {
        self.fits(key, bytes.len() as u64, LARGEST)?;
        for tries in 1..=TRIES {
            let created = self.put_if_absent(key, bytes).await.map_err(self.failed("create", key))?;
            match (self.read_at(key, LARGEST).await?, created) {
                (Some(held), true) if held == bytes => return Ok(Creation::Created),
                (Some(held), true) => return Err(self.altered(key, &digest(bytes), &digest(&held))),
                (Some(held), false) => return Ok(Creation::AlreadyThere(held)),
                (None, true) => return Err(self.altered(key, &digest(bytes), &"nothing")),
                // A conflict with another writer, who has not got there yet or gave up.
                (None, false) => pause(tries).await,
            }
        }
        Err(self.contended(key, TRIES))
    }

    /// Whether this put created the object; what stands there is then not known yet.
    pub(super) async fn put_if_absent(&self, key: &Key, bytes: &[u8]) -> Result<bool, Error> {
        let options = PutOptions::from(PutMode::Create);
        match self.objects.put_opts(&key.path(), PutPayload::from(bytes.to_vec()), options).await {
            Ok(_) => Ok(true),
            Err(Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// An object's bytes, `None` if it is not there.
    ///
    /// # Errors
    /// [`StoreError`] if it is larger than `limit` bytes or cannot be read.
    pub async fn read(&self, key: &str, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.read_at(&Key::parse(key)?, limit).await
    }

    pub(super) async fn read_at(&self, key: &Key, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let got = match self.objects.get(&key.path()).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            got => got.map_err(self.failed("read", key))?,
        };
        self.fits(key, got.meta.size, limit)?;
        let mut bytes = Vec::new();
        let mut stream = got.into_stream();
        while let Some(chunk) = stream.try_next().await.map_err(self.failed("read", key))? {
            // What a server says of a size is not what it sends.
            self.fits(key, bytes.len() as u64 + chunk.len() as u64, limit)?;
            bytes.extend_from_slice(&chunk);
        }
        Ok(Some(bytes))
    }

    /// The keys of all objects under `prefix` (whole segments), sorted.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be listed, or are more than 100 000.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let prefix = Key::parse(prefix)?;
        let path = prefix.path();
        let mut stream = self.objects.list(Some(&path));
        let mut keys = Vec::new();
        let mut seen = 0;
        while let Some(object) = stream.try_next().await.map_err(self.failed("list", &prefix))? {
            seen += 1;
            if seen > MOST {
                let (store, prefix) = (self.to_string(), prefix.to_string());
                return Err(StoreError::TooMany { store, prefix, limit: MOST });
            }
            // Whatever else lies there was not put there by a store.
            keys.extend(Key::parse(object.location.as_ref()).map(|key| key.to_string()));
        }
        keys.sort();
        Ok(keys)
    }

    /// Removes an object; that it is not there is no error.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be removed.
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.delete_at(&Key::parse(key)?).await
    }

    pub(super) async fn delete_at(&self, key: &Key) -> Result<(), StoreError> {
        match self.objects.delete(&key.path()).await {
            Ok(()) => {}
            Err(Error::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(self.failed("remove", key)(error)),
        }
        let Some(folder) = &self.folder else { return Ok(()) };
        folder.sync_parent(key).map_err(|error| self.unusable("remove", key.as_str(), &error))
    }

    pub(super) fn fits(&self, key: &Key, bytes: u64, limit: u64) -> Result<(), StoreError> {
        if bytes <= limit {
            return Ok(());
        }
        Err(StoreError::TooLarge { store: self.to_string(), key: key.to_string(), bytes, limit })
    }

    pub(super) fn contended(&self, key: &Key, tries: u32) -> StoreError {
        StoreError::Contended { store: self.to_string(), key: key.to_string(), tries }
    }

    pub(super) fn altered(&self, key: &Key, want: &dyn ToString, got: &dyn ToString) -> StoreError {
        let (want, got) = (want.to_string(), got.to_string());
        StoreError::Altered { store: self.to_string(), key: key.to_string(), want, got }
    }
}

/// Waits for a time drawn by lot, longer after more tries, so that those who met once do not meet again.
pub(super) async fn pause(tries: u32) {
    let longest = LONGEST_PAUSE.min(Duration::from_millis(5) * tries);
    // Without a lot all wait equally long: slower, not wrong.
    let lot = nonce().map_or(u32::MAX, |nonce| u32::from_ne_bytes(std::array::from_fn(|i| nonce.to_ne_bytes()[i])));
    tokio::time::sleep(longest.mul_f64(f64::from(lot) / f64::from(u32::MAX))).await;
}

fn digest(bytes: &[u8]) -> Digest {
    Digest::of(bytes)
}
