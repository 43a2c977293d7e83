//! The name of a finished image: given all at once, to a file that had none, where nothing was before.
//!
//! Whoever sees the name sees a whole image, however the making of it ended.

use std::{fs::File, io, os::fd::AsFd, path::Path};

use rustix::fs::{AtFlags, CWD, linkat};

use crate::machine::path_of;

/// The folder that holds `path`.
pub(crate) fn folder_of(path: &Path) -> &Path {
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

#[cfg(test)]
mod tests {
    use std::{fs, io, path::Path};

    use super::{folder_of, name};
    use crate::image::Unnamed;

    #[test]
    fn a_name_is_given_once_and_takes_nobody_else_s() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let file = |content: &[u8]| Unnamed::holding(folder.path(), "a test", content).unwrap();
        name(file(b"first").file(), &out).unwrap();
        assert_eq!(fs::read(&out).unwrap(), b"first");
        assert_eq!(name(file(b"second").file(), &out).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&out).unwrap(), b"first");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_bare_name_is_in_this_folder() {
        assert_eq!(folder_of(Path::new("out")), Path::new("."));
        assert_eq!(folder_of(Path::new("a/out")), Path::new("a"));
    }
}
