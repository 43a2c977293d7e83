//! Files that a command leaves: whole, or not at all.

use std::{
    fs::{self, File, Permissions},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::{pipeline::folder_of, report::json};

/// A file that gets its name once it is whole, and vanishes where it never is.
pub(super) struct Unfinished {
    file: NamedTempFile,
    path: PathBuf,
}

impl Unfinished {
    /// An empty one in the folder that it is for.
    pub(super) fn new(path: &Path) -> anyhow::Result<Self> {
        let folder = folder_of(path);
        let everyone = Permissions::from_mode(0o644);
        let file = tempfile::Builder::new().permissions(everyone).tempfile_in(folder);
        let file = file.with_context(|| folder.display().to_string())?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// What is written to.
    pub(super) fn file(&self) -> &File {
        self.file.as_file()
    }

    /// Gives it its name, once it is on the disk.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        let Self { file, path } = self;
        file.as_file().sync_all().with_context(|| path.display().to_string())?;
        file.persist(&path).with_context(|| path.display().to_string())?;
        Ok(())
    }
}

/// Writes a file that appears whole, or not at all, in the place of one that is there.
pub(super) fn write_whole(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let unfinished = Unfinished::new(path)?;
    unfinished.file().write_all(content).with_context(|| path.display().to_string())?;
    unfinished.finish()
}

/// Writes what a command found as JSON, whole or not at all, and makes the folder that it stands in.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    write_whole(path, json::harmless(value).as_bytes())
}
