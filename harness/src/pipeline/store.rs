//! Where images, their papers and the records of what was promoted are kept: a folder, or a bucket.
//!
//! It knows bytes and keys, not what they mean. What was created is never written again, nothing is under its final name
//! before it is whole, and what was written is read back. All of it stands on one promise of the server, that of two who
//! create a key only the first does so; [`Store::keeps_the_first`] finds out.

mod claim;
mod error;
mod fetch;
mod folder;
mod key;
mod location;
mod object;
mod passage;
mod promise;
mod put;
mod row;
#[cfg(test)]
mod tests;

use std::{fmt, io, sync::Arc};

use object_store::ObjectStore;

pub use error::StoreError;
pub use object::Creation;
pub use put::Put;

use folder::Folder;
use key::Key;
use location::Location;

/// A place where images are kept; a clone is the same place.
#[derive(Clone, Debug)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    /// Where the objects are files of this machine.
    folder: Option<Folder>,
    /// As it was given.
    location: Arc<str>,
}

impl Store {
    /// Opens a store: the path of a folder, which is made if it is not there, or an address of the form `file:///folder`,
    /// `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`.
    ///
    /// Credentials, endpoint and time limits of a bucket come from the environment, by the names that its own tools know:
    /// `AWS_…`, `GOOGLE_…`, `AZURE_…`. A request is given 30 s (`AWS_TIMEOUT`) and three more attempts.
    ///
    /// # Errors
    /// [`StoreError::Location`] if that is no place for a store; whether a bucket can be reached shows with its first use.
    pub fn open(location: &str) -> Result<Self, StoreError> {
        let wrong = |why| StoreError::Location { location: location::shown(location), why };
        let (objects, folder) = match Location::parse(location).map_err(wrong)? {
            Location::Folder(path) => {
                let folder = Folder::make(&path).map_err(wrong)?;
                (folder.objects().map_err(|error| wrong(error::shown(&error)))?, Some(folder))
            }
            Location::Bucket(bucket) => {
                let why =
                    |error| format!("cannot be opened; see its variables in the environment: {}", error::shown(&error));
                (bucket.objects().map_err(|error| wrong(why(error)))?, None)
            }
        };
        Ok(Self { objects, folder, location: location.into() })
    }

    /// Turns what the objects' crate says into an error that names what was being done.
    fn failed(&self, doing: &'static str, key: &Key) -> impl FnOnce(object_store::Error) -> StoreError {
        let (store, key) = (self.to_string(), key.to_string());
        move |error| StoreError::Failed { store, doing, key, why: error::shown(&error) }
    }

    /// The same of what the system says.
    fn unusable(&self, doing: &'static str, key: &str, error: &io::Error) -> StoreError {
        StoreError::Failed { store: self.to_string(), doing, key: key.to_string(), why: error.to_string() }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.location)
    }
}
