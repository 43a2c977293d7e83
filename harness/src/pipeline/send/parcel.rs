//! One file that is sent: what it is called there before it is whole, and afterwards.

use std::{fs::File, io, path::Path};

use crate::{
    gate::Exported,
    image::Digest,
    pipeline::{RECORD, SUMS},
};

/// How many digits of the digest are in the name of a part.
const DIGITS: usize = 16;

/// One file of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Its name, here and there.
    pub name: String,
    /// Its size, in bytes.
    pub bytes: u64,
    /// Its digest.
    pub sha256: Digest,
}

impl Parcel {
    /// The files of an export, in the order in which they get their names there: the digests first, so that what has a name
    /// stands beside what it has to be, and the record last, so that where it is, everything is.
    ///
    /// # Errors
    /// What the system says of reading the digests and the record.
    pub fn of_export(folder: &Path, exported: &Exported) -> io::Result<Vec<Self>> {
        let beside = |name: &str| {
            let file = File::open(folder.join(name))?;
            Ok::<_, io::Error>(Self {
                name: name.to_owned(),
                bytes: file.metadata()?.len(),
                sha256: Digest::of_file(&file)?,
            })
        };
        let mut parcels = vec![beside(SUMS)?];
        parcels.extend(exported.files.iter().map(|file| Self {
            name: file.file.clone(),
            bytes: file.bytes,
            sha256: file.sha256,
        }));
        parcels.push(beside(RECORD)?);
        Ok(parcels)
    }

    /// What it is called until it is whole: bound to what it has to be, so that a later call can go on with it, and hidden.
    pub(super) fn part(&self) -> String {
        format!(".{}.{}.part", self.name, &self.sha256.hex()[..DIGITS])
    }
}
