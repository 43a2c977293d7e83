//! Giving a finished file its name: all at once, and only where nothing is yet.
//!
//! Until then it has none, so whatever ends the work before leaves nothing behind.

use std::{fs, io, path::Path};

use rustix::fs::{AtFlags, CWD, linkat};

use crate::image::Unnamed;

/// Gives a file without a name the name `out`; the content and the name then outlive a power cut.
///
/// # Errors
/// What the system says, `AlreadyExists` where there is something at `out`.
pub fn name(file: &Unnamed, out: &Path) -> io::Result<()> {
    file.file().sync_all()?;
    linkat(CWD, file.fd_path(), CWD, out, AtFlags::SYMLINK_FOLLOW)?;
    fs::File::open(folder_of(out))?.sync_all()
}

/// The folder that a file is in, or will be.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
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
        name(&file(b"first"), &out).unwrap();
        assert_eq!(fs::read(&out).unwrap(), b"first");
        assert_eq!(name(&file(b"second"), &out).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&out).unwrap(), b"first");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_bare_name_is_in_this_folder() {
        assert_eq!(folder_of(Path::new("out")), Path::new("."));
        assert_eq!(folder_of(Path::new("a/out")), Path::new("a"));
    }
}
