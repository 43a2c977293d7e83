//! What the tests of the store stand on: places to keep images, and images to keep.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{
    super::Store,
    server::{Manner, Server},
};
use crate::image::Digest;

/// A place where images are kept.
pub(super) enum Place {
    Folder(TempDir),
    Bucket(Server),
}

impl Place {
    /// One of each kind.
    pub(super) async fn each() -> [Self; 2] {
        [Self::Folder(tempfile::tempdir().unwrap()), Self::Bucket(Server::start(Manner::Keeps).await)]
    }

    /// A handle of its own on the store.
    pub(super) fn store(&self) -> Store {
        match self {
            Self::Folder(folder) => Store::open(folder.path().to_str().unwrap()).unwrap(),
            Self::Bucket(server) => server.store(),
        }
    }

    /// The folder in which everything lies, also what is no object.
    pub(super) fn root(&self) -> &Path {
        match self {
            Self::Folder(folder) => folder.path(),
            Self::Bucket(server) => server.root(),
        }
    }

    /// Where an object lies as a file.
    pub(super) fn file(&self, key: &str) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.path().join(key),
            Self::Bucket(server) => server.folder().join(key),
        }
    }
}

/// An image of that many bytes, none like another.
pub(super) fn image(bytes: usize) -> (File, Digest) {
    let content = content(bytes);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&content).unwrap();
    (file, digest(&content))
}

/// The same at a path.
pub(super) fn image_at(path: &Path, bytes: usize) -> Digest {
    let content = content(bytes);
    fs::write(path, &content).unwrap();
    digest(&content)
}

pub(super) fn digest(content: &[u8]) -> Digest {
    Digest::of(content)
}

fn content(bytes: usize) -> Vec<u8> {
    (0..=bytes as u64 / 8).flat_map(|n| (n * n).to_le_bytes()).take(bytes).collect()
}

/// The names of the files in a folder and below, relative and sorted.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders: Vec<_> = folder.exists().then(|| folder.to_owned()).into_iter().collect();
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                names.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    names.sort();
    names
}
