//! What a deployment calls: the image that a channel points to, believed at every step, or no file at all.

use std::path::{Path, PathBuf};

use super::{
    named::{folder_of, name},
    promotion::{PromotionError, records},
    shelf::{self, Manifest, ShelfError},
    store::{Store, StoreError},
};
use crate::{
    gate::{PublicKey, Record},
    image::{Unnamed, UnnamedError},
};

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The channel's records are not believed, or cannot be read.
    #[error(transparent)]
    Promotion(#[from] PromotionError),
    /// The image's papers cannot be read.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// The store did not give the image, or gave another.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no room for it.
    #[error(transparent)]
    File(#[from] UnnamedError),
    /// The channel points to nothing.
    #[error("channel {0} points to nothing yet")]
    Empty(String),
    /// The latest records are gone: whoever writes to a store can take them away unseen.
    #[error(
        "channel {channel} ends with record {number}, and record {least} was asked for: the latest were taken away"
    )]
    CutOff {
        /// The channel.
        channel: String,
        /// The number of its last record.
        number: u64,
        /// The least that it has to have.
        least: u64,
    },
    /// The image may no longer be used.
    #[error("channel {channel} points to {image}, which was revoked: {why}; kverify rollback moves the channel")]
    Revoked {
        /// The channel.
        channel: String,
        /// The image.
        image: String,
        /// Why.
        why: String,
    },
    /// The file cannot be put there.
    #[error("{}: {why}", .path.display())]
    Out {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// Fetches what a channel points to into `out`, where nothing may be; gives the record and the manifest. The channel has
/// to have at least `least` records: as many as the caller has seen before.
///
/// # Errors
/// [`FetchError`] says what does not hold; nothing is then at `out`.
pub async fn fetch(
    store: &Store,
    channel: &str,
    trusted: &[PublicKey],
    least: u64,
    out: &Path,
) -> Result<(Record, Manifest), FetchError> {
    let wrong = |why: String| FetchError::Out { path: out.to_owned(), why };
    if out.symlink_metadata().is_ok() {
        return Err(wrong("there is something already; remove it or choose another name".to_owned()));
    }
    let record = records(store, channel, trusted).await?.pop();
    let record = record.ok_or_else(|| FetchError::Empty(channel.to_owned()))?;
    if record.number < least {
        return Err(FetchError::CutOff { channel: channel.to_owned(), number: record.number, least });
    }
    if let Some(why) = shelf::revoked(store, record.image, trusted).await? {
        return Err(FetchError::Revoked { channel: channel.to_owned(), image: record.name, why });
    }
    let manifest = shelf::manifest(store, &record.image.to_string()).await?;
    let file = Unnamed::create(folder_of(out), "the fetched image", manifest.bytes)?;
    store.fetch(record.image, &manifest.file, file.file()).await?;
    name(file.file(), out).map_err(|error| wrong(error.to_string()))?;
    Ok((record, manifest))
}
