//! Files that may be recordings: found below folders, each once, and read within a bound.

use std::{
    collections::HashSet,
    fs::{self, File, Metadata},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use kverify_checks::recording::Recording;

use super::NotJudged;
use crate::run::RecordPlan;

/// Most MiB of a recording.
pub(super) const LARGEST: u64 = 16;

/// What was found at a path that the caller named.
#[derive(Default)]
pub(super) struct Found {
    /// The files, sorted.
    pub(super) files: Vec<PathBuf>,
    /// What could not be looked at.
    pub(super) unread: Vec<(PathBuf, NotJudged)>,
    /// Whether some of it was found before, at another path.
    pub(super) known: bool,
}

/// What was found so far, by canonical path: neither a link nor a path named twice leads to it again.
#[derive(Default)]
pub(super) struct Seen(HashSet<PathBuf>);

impl Seen {
    /// The file at `path`, or every `*.toml` below it, but for what was found before.
    pub(super) fn find(&mut self, path: &Path) -> Found {
        let mut found = Found::default();
        self.look(path.to_owned(), fs::metadata(path), &mut found);
        found.files.sort();
        found
    }

    fn look(&mut self, path: PathBuf, metadata: io::Result<Metadata>, found: &mut Found) {
        let looked = metadata.and_then(|metadata| {
            if !self.0.insert(fs::canonicalize(&path)?) {
                found.known = true;
            } else if metadata.is_dir() {
                self.walk(&path, found)?;
            } else {
                found.files.push(path.clone());
            }
            Ok(())
        });
        if let Err(error) = looked {
            found.unread.push((path, error.into()));
        }
    }

    fn walk(&mut self, folder: &Path, found: &mut Found) -> io::Result<()> {
        let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        for path in paths {
            let metadata = fs::metadata(&path);
            let folder = metadata.as_ref().is_ok_and(Metadata::is_dir);
            if folder || path.extension().is_some_and(|ending| ending == "toml") {
                self.look(path, metadata, found);
            }
        }
        Ok(())
    }
}

/// Reads a recording.
pub(super) fn read(path: &Path) -> Result<Recording, NotJudged> {
    // Looked at before it is opened, which would wait for the other end of a pipe.
    if !fs::metadata(path)?.is_file() {
        return Err(NotJudged::NotAFile);
    }
    let most = LARGEST << 20;
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(NotJudged::TooLarge);
    }
    let text = String::from_utf8(bytes).map_err(|_| NotJudged::NotText)?;
    Recording::read(&text).map_err(|error| match toml::from_str::<RecordPlan>(&text) {
        Ok(_) => NotJudged::Plan,
        Err(_) => NotJudged::NotRecorded(error),
    })
}
