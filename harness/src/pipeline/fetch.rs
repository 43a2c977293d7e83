//! What a deployment calls: the image that a channel points to, believed at every step, or no file at all.

use std::path::{Path, PathBuf};

use super::{
    named::{folder_of, name},
    promotion::{PromotionError, records},
    shelf::{self, ShelfError},
    store::{Store, StoreError},
};
use crate::{
    gate::{ExportedFile, PublicKey, Record, Target},
    image::{Digest, Unnamed, UnnamedError},
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
    /// There is no file of that format.
    #[error("{image} was not exported as {format} by anybody trusted; there are: {there}")]
    NoFormat {
        /// The image.
        image: String,
        /// What was asked for.
        format: Target,
        /// What there is.
        there: String,
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

/// What is fetched.
pub struct Wanted<'a> {
    /// The channel whose image it is.
    pub channel: &'a str,
    /// The least number of records that the channel has to have: as many as the caller has seen before.
    pub least: u64,
    /// The format; `None` is the image itself, as it was verified.
    pub format: Option<Target>,
}

/// Fetches what a channel points to into `out`, where nothing may be; gives the record and the file's digest.
///
/// # Errors
/// [`FetchError`] says what does not hold; nothing is then at `out`.
pub async fn fetch(
    store: &Store,
    wanted: &Wanted<'_>,
    trusted: &[PublicKey],
    out: &Path,
) -> Result<(Record, Digest), FetchError> {
    let Wanted { channel, least, format } = *wanted;
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
    let image = record.image;
    let room = |bytes| Unnamed::create(folder_of(out), "the fetched image", bytes);
    let (file, digest) = match format {
        None => {
            let manifest = shelf::manifest(store, &image.to_string()).await?;
            let file = room(manifest.bytes)?;
            store.fetch(image, &manifest.file, file.file()).await?;
            (file, image)
        }
        Some(format) => {
            let made = made_of(store, &record, format, trusted).await?;
            let file = room(made.bytes)?;
            store.fetch_export(image, made.sha256, &made.file, file.file()).await?;
            (file, made.sha256)
        }
    };
    name(file.file(), out).map_err(|error| wrong(error.to_string()))?;
    Ok((record, digest))
}

/// The file of a format that was made of a record's image, as a trusted key has signed it.
async fn made_of(
    store: &Store,
    record: &Record,
    format: Target,
    trusted: &[PublicKey],
) -> Result<ExportedFile, FetchError> {
    let (exports, _) = shelf::exports(store, record.image, trusted).await?;
    let of_it = exports.into_iter().filter(|signed| signed.exported.digest == record.image);
    let files: Vec<_> = of_it.flat_map(|signed| signed.exported.files).collect();
    files.iter().find(|file| file.format == format).cloned().ok_or_else(|| {
        let there: Vec<_> = files.iter().map(|file| file.format.to_string()).collect();
        let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
        FetchError::NoFormat { image: record.name.clone(), format, there }
    })
}
