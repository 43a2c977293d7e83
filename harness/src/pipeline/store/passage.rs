//! The one pass over the bytes of an image that comes out of a store: hashed, and written where they are wanted.
//!
//! A bucket is read in ranges, so that no request lasts longer than its time limit allows however large the image is, and
//! hashing happens beside the network.

use std::{fs::File, io, os::unix::fs::FileExt};

use futures_util::TryStreamExt;
use object_store::{Error, GetOptions, GetResultPayload, ObjectStoreExt, path::Path};
use sha2::{Digest as _, Sha256};
use tokio::{sync::mpsc, task::spawn_blocking};

use super::{Key, Store, StoreError};
use crate::image::Digest;

/// How much is read from a file at once, in bytes.
pub(super) const STEP: usize = 1 << 20;
/// How much of an object one request asks for, in bytes.
const RANGE: u64 = 8 << 20;
/// How many pieces of an answer may wait to be hashed.
const WAITING: usize = 4;

/// Bytes on their way.
struct Passage {
    hash: Sha256,
    bytes: u64,
    to: Option<File>,
}

/// What passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) digest: Digest,
    pub(super) bytes: u64,
}

impl Passage {
    fn new(to: Option<File>) -> Self {
        Self { hash: Sha256::new(), bytes: 0, to }
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        if let Some(to) = &self.to {
            to.write_all_at(bytes, self.bytes)?;
        }
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn end(self) -> Passed {
        Passed { digest: Digest::finished(self.hash), bytes: self.bytes }
    }
}

impl Store {
    /// Reads a whole object, `None` if it is not there, and writes it to `to` from its first byte.
    pub(super) async fn pass(&self, key: &Key, to: Option<File>) -> Result<Option<Passed>, StoreError> {
        let path = key.path();
        if self.folder.is_none() {
            return match self.objects.head(&path).await {
                Err(Error::NotFound { .. }) => Ok(None),
                meta => {
                    let size = meta.map_err(self.failed("read", key))?.size;
                    self.pass_ranges(key, &path, size, Passage::new(to)).await.map(Some)
                }
            };
        }
        let got = match self.objects.get(&path).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            got => got.map_err(self.failed("read", key))?,
        };
        let GetResultPayload::File(file, _) = got.payload else {
            return Err(self.altered(key, &"a file", &"something else"));
        };
        let passed = spawn_blocking(move || pass_file(&file, Passage::new(to))).await;
        passed.map_err(io::Error::other).flatten().map(Some).map_err(|source| self.unwritable(key, source))
    }

    async fn pass_ranges(&self, key: &Key, path: &Path, size: u64, passage: Passage) -> Result<Passed, StoreError> {
        let (sender, receiver) = mpsc::channel(WAITING);
        let passing = spawn_blocking(move || pass_pieces(receiver, passage));
        let mut at = 0;
        'all: while at < size {
            let range = at..size.min(at + RANGE);
            let options = GetOptions::new().with_range(Some(range.clone()));
            let got = self.objects.get_opts(path, options).await.map_err(self.failed("read", key))?;
            let mut stream = got.into_stream();
            while let Some(chunk) = stream.try_next().await.map_err(self.failed("read", key))? {
                at += chunk.len() as u64;
                // It fails only where nothing more can be written; that error is the one to tell.
                if at > range.end || sender.send(chunk).await.is_err() {
                    break 'all;
                }
            }
            if at < range.end {
                break;
            }
        }
        drop(sender);
        let passed = passing.await.map_err(io::Error::other).flatten();
        let passed = passed.map_err(|source| self.unwritable(key, source))?;
        if passed.bytes == size {
            return Ok(passed);
        }
        Err(self.altered(
            key,
            &format!("{size} bytes"),
            &format!("answers of other lengths, {} bytes so far", passed.bytes),
        ))
    }

    fn unwritable(&self, key: &Key, source: io::Error) -> StoreError {
        StoreError::Unwritable { store: self.to_string(), key: key.to_string(), source }
    }
}

fn pass_pieces(mut pieces: mpsc::Receiver<impl AsRef<[u8]>>, mut passage: Passage) -> io::Result<Passed> {
    while let Some(piece) = pieces.blocking_recv() {
        passage.take(piece.as_ref())?;
    }
    Ok(passage.end())
}

fn pass_file(file: &File, mut passage: Passage) -> io::Result<Passed> {
    let mut buffer = vec![0; STEP];
    loop {
        match file.read_at(&mut buffer, passage.bytes) {
            Ok(0) => return Ok(passage.end()),
            Ok(read) => passage.take(&buffer[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The digest of a file's content, read beside whatever else happens.
pub(super) async fn digest_of(file: File) -> Result<Digest, StoreError> {
    let digest = spawn_blocking(move || Digest::of_file(&file)).await;
    digest.map_err(io::Error::other).flatten().map_err(|source| StoreError::Unreadable { source })
}
