//! A captured machine on disk: its files with their digests, so that what was cut off or changed is not forked.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::{
    fs::{OFlags, SeekFrom, seek},
    io::Errno,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    Snapshot,
    snapshot::{Files, Frozen, Kept},
};
use crate::image::{Image, ImageError, hex};

/// What is looked at at once, in bytes; a block of zeros is neither written nor hashed.
const BLOCK: u64 = 64 * 1024;
/// The file that says what the others are.
const INDEX: &str = "machine.json";

/// Why a stored machine cannot be forked.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// A file is not there, or cannot be read.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The index is not one.
    #[error("{}: {source}", .path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// Its disk is none of ours: whoever packed it may want files of this host's read.
    #[error("{}: {source}", .path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ImageError,
    },
    /// A file is not what was stored.
    #[error("{}: not what was stored", .0.display())]
    Changed(PathBuf),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    machine: Kept,
    volumes: usize,
    /// Name, size in bytes and digest of each file.
    files: Vec<(String, u64, String)>,
}

impl Snapshot {
    /// Writes all of it into `folder`, for the owner alone. Blocks.
    ///
    /// # Errors
    /// [`StoredError`] names the file.
    pub fn store(&self, folder: &Path) -> Result<(), StoredError> {
        let Files { overlay, vars, volumes, memory, stream } = &self.0.files;
        let named = [("overlay", overlay), ("vars", vars), ("memory", memory), ("stream", stream)];
        let mut all: Vec<_> = named.map(|(name, file)| (name.to_owned(), file)).into();
        all.extend(volumes.iter().enumerate().map(|(number, file)| (volume(number), file)));
        let mut files = Vec::new();
        for (name, file) in all {
            let path = folder.join(&name);
            let error = |source| StoredError::File { path: path.clone(), source };
            let (bytes, digest) = copy(file, Some(&owners(&path).map_err(error)?)).map_err(error)?;
            files.push((name, bytes, digest));
        }
        let path = folder.join(INDEX);
        let index = Index { machine: self.0.kept.clone(), volumes: volumes.len(), files };
        let text = serde_json::to_vec(&index).map_err(|source| StoredError::Index { path: path.clone(), source })?;
        let file = owners(&path).map_err(|source| StoredError::File { path: path.clone(), source })?;
        file.write_all_at(&text, 0).map_err(|source| StoredError::File { path, source })
    }

    /// Opens what was stored in `folder`, over the image that it was captured from. Blocks.
    ///
    /// # Errors
    /// [`StoredError`] names the file that is missing or not what was stored.
    pub fn load(folder: &Path, image: Arc<Image>, scratch: PathBuf) -> Result<Self, StoredError> {
        let path = folder.join(INDEX);
        let text = fs::read(&path).map_err(|source| StoredError::File { path: path.clone(), source })?;
        let index: Index = serde_json::from_slice(&text).map_err(|source| StoredError::Index { path, source })?;
        let open = |name: &str| {
            let path = folder.join(name);
            let error = |source| StoredError::File { path: path.clone(), source };
            let flags = OFlags::NOFOLLOW.bits().cast_signed();
            let file = File::options().read(true).custom_flags(flags).open(&path).map_err(error)?;
            let (bytes, digest) = copy(&file, None).map_err(error)?;
            let known = index.files.iter().any(|file| *file == (name.to_owned(), bytes, digest.clone()));
            if known { Ok(file) } else { Err(StoredError::Changed(path)) }
        };
        let overlay = open("overlay")?;
        // It comes from a disk, and may come from somebody else: nothing but what is in it is read.
        let path = folder.join("overlay");
        Image::open(&path).map_err(|source| StoredError::Disk { path, source })?;
        let files = Files {
            overlay,
            vars: open("vars")?,
            volumes: (0..index.volumes).map(|number| open(&volume(number))).collect::<Result<_, _>>()?,
            memory: open("memory")?,
            stream: open("stream")?,
        };
        Ok(Self(Arc::new(Frozen { image, files, kept: index.machine, scratch })))
    }
}

fn volume(number: usize) -> String {
    format!("volume{number}")
}

fn owners(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

/// Reads `from`, copies it to `to` where there is one, and gives its size and its digest: over the offset and the bytes
/// of each block that is not all zero.
fn copy(from: &File, to: Option<&File>) -> io::Result<(u64, String)> {
    let length = from.metadata()?.len();
    if let Some(to) = to {
        to.set_len(length)?;
    }
    let mut hash = Sha256::new();
    let mut block = vec![0; usize::try_from(BLOCK).unwrap_or(usize::MAX)];
    let mut offset = 0;
    while offset < length {
        // Where the file system knows holes, they are not even read.
        match seek(from, SeekFrom::Data(offset)) {
            Ok(data) => offset = data / BLOCK * BLOCK,
            Err(Errno::NXIO) => break,
            Err(_) => {}
        }
        let bytes = usize::try_from(BLOCK.min(length - offset)).unwrap_or(usize::MAX);
        from.read_exact_at(&mut block[..bytes], offset)?;
        if block[..bytes].iter().any(|byte| *byte != 0) {
            hash.update(offset.to_le_bytes());
            hash.update(&block[..bytes]);
            if let Some(to) = to {
                to.write_all_at(&block[..bytes], offset)?;
            }
        }
        offset += BLOCK;
    }
    hash.update(length.to_le_bytes());
    Ok((length, hex(&hash.finalize())))
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        os::unix::fs::{FileExt, MetadataExt},
    };

    use super::{copy, owners};

    #[test]
    fn holes_stay_holes_and_do_not_change_the_digest() {
        let folder = tempfile::tempdir().unwrap();
        let (sparse, copied, full) = (folder.path().join("a"), folder.path().join("b"), folder.path().join("c"));
        let file = owners(&sparse).unwrap();
        file.set_len(30 << 20).unwrap();
        file.write_all_at(b"text", 20 << 20).unwrap();
        file.write_all_at(b"end", (30 << 20) - 3).unwrap();
        let file = File::open(&sparse).unwrap();
        let said = copy(&file, Some(&owners(&copied).unwrap())).unwrap();
        assert!(fs::metadata(&copied).unwrap().blocks() * 512 < 1 << 20);
        assert_eq!(fs::metadata(&copied).unwrap().mode() & 0o777, 0o600);
        assert!(fs::read(&copied).unwrap() == fs::read(&sparse).unwrap());
        fs::write(&full, fs::read(&sparse).unwrap()).unwrap();
        assert_eq!(copy(&File::open(&full).unwrap(), None).unwrap(), said);
        let changed = File::options().write(true).open(&full).unwrap();
        changed.write_all_at(b"x", 7).unwrap();
        assert_ne!(copy(&File::open(&full).unwrap(), None).unwrap(), said);
        changed.set_len(29 << 20).unwrap();
        assert_ne!(copy(&File::open(&full).unwrap(), None).unwrap().1, said.1);
    }
}
