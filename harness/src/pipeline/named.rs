//! The name of a finished image: given all at once, to a file that had none, where nothing was before.
//!
//! Whoever sees the name sees a whole image, however the making of it ended.

use std::{fs::File, io, os::fd::AsFd, path::Path};

use rustix::fs::{AtFlags, CWD, linkat};

use crate::machine::path_of;

/// The folder that holds `path`.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// Why no new file can have that name, as the path that is wrong and what is wrong with it.
pub(super) fn free(out: &Path) -> Result<(), (&Path, &'static str)> {
    if out.symlink_metadata().is_ok() {
        return Err((out, "there is something already; remove it or choose another name"));
    }
    let folder = folder_of(out);
    if folder.is_dir() { Ok(()) } else { Err((folder, "no such folder; make it first")) }
}

/// Gives a file without a name the name `out`, once all of it is on the disk.
pub(super) fn name(file: &impl AsFd, out: &Path) -> io::Result<()> {
    rustix::fs::fsync(file)?;
    linkat(CWD, path_of(file), CWD, out, AtFlags::SYMLINK_FOLLOW)?;
    File::open(folder_of(out))?.sync_all()
}
