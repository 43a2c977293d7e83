//! Files without a name: what a machine writes to, or needs for one boot.
//!
//! They take room on a file system, yet nothing has to be cleaned up: they go with the last process that has them open,
//! however it ends. QEMU opens them as `/proc/PID/fd/N`.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::FileExt,
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags},
    io::Errno,
};

use super::fd_path;

/// How much is copied at once, in bytes.
const STEP: usize = 1 << 20;

/// Why there is no such file.
#[derive(Debug, thiserror::Error)]
pub enum UnnamedError {
    /// The file system has too little room.
    #[error(
        "{}: no disk space for {what}: {needed} bytes needed, {free} free; name another folder with --scratch",
        folder.display()
    )]
    NoSpace {
        /// The folder asked for.
        folder: PathBuf,
        /// What it was for.
        what: &'static str,
        /// Bytes that must be free.
        needed: u64,
        /// Bytes that are.
        free: u64,
    },
    /// The folder takes no file.
    #[error("{}: cannot hold {what}; name another folder with --scratch", folder.display())]
    Folder {
        /// The folder asked for.
        folder: PathBuf,
        /// What it was for.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The file to copy cannot be read.
    #[error("{}: cannot be copied", source_file.display())]
    Source {
        /// The file to copy.
        source_file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A file of this process, open for reading and writing, that has no name and leaves nothing behind.
#[derive(Debug)]
pub struct Unnamed {
    file: File,
}

impl Unnamed {
    /// An empty file for `what` on the file system of `folder`, if at least `needed` bytes are free there.
    ///
    /// # Errors
    /// [`UnnamedError`] if they are not, or if the folder cannot be written to.
    pub fn create(folder: &Path, what: &'static str, needed: u64) -> Result<Self, UnnamedError> {
        let failed = |source: Errno| UnnamedError::Folder { folder: folder.to_owned(), what, source: source.into() };
        let space = rustix::fs::statvfs(folder).map_err(failed)?;
        let free = space.f_bavail.saturating_mul(space.f_frsize);
        if free < needed {
            return Err(UnnamedError::NoSpace { folder: folder.to_owned(), what, needed, free });
        }
        Ok(Self { file: File::from(open(folder).map_err(failed)?) })
    }

    /// A file that holds `content`.
    ///
    /// # Errors
    /// [`UnnamedError`] if it cannot be written.
    pub fn holding(folder: &Path, what: &'static str, content: &[u8]) -> Result<Self, UnnamedError> {
        let unnamed = Self::create(folder, what, content.len() as u64)?;
        let written = unnamed.file.write_all_at(content, 0);
        written.map_err(|source| UnnamedError::Folder { folder: folder.to_owned(), what, source })?;
        Ok(unnamed)
    }

    /// A file that holds what `source` holds now.
    ///
    /// # Errors
    /// [`UnnamedError`] if it cannot be read or written.
    pub fn copy_of(folder: &Path, what: &'static str, source: &Path) -> Result<Self, UnnamedError> {
        let unread = |error| UnnamedError::Source { source_file: source.to_owned(), source: error };
        let from = File::open(source).map_err(unread)?;
        let bytes = from.metadata().map_err(unread)?.len();
        let unnamed = Self::create(folder, what, bytes)?;
        let mut buffer = vec![0; STEP];
        let mut done = 0;
        loop {
            let read = from.read_at(&mut buffer, done).map_err(unread)?;
            if read == 0 {
                return Ok(unnamed);
            }
            let written = unnamed.file.write_all_at(&buffer[..read], done);
            written.map_err(|source| UnnamedError::Folder { folder: folder.to_owned(), what, source })?;
            done += read as u64;
        }
    }

    /// The open file.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The open file alone.
    #[must_use]
    pub fn into_file(self) -> File {
        self.file
    }

    /// A path by which a process of the same user opens it; valid as long as `self` lives.
    #[must_use]
    pub fn fd_path(&self) -> PathBuf {
        fd_path(self.file.as_fd())
    }
}

const FLAGS: OFlags = OFlags::RDWR.union(OFlags::CLOEXEC);
const MODE: Mode = Mode::RUSR.union(Mode::WUSR);

fn open(folder: &Path) -> Result<OwnedFd, Errno> {
    match rustix::fs::openat(CWD, folder, FLAGS | OFlags::TMPFILE, MODE) {
        // Some file systems know no files without a name.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => named_for_an_instant(folder),
        opened => opened,
    }
}

fn named_for_an_instant(folder: &Path) -> Result<OwnedFd, Errno> {
    let name = folder.join(format!(".kverify-{}-{}", std::process::id(), nonce()));
    let flags = FLAGS | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
    let fd = rustix::fs::openat(CWD, &name, flags, MODE)?;
    rustix::fs::unlinkat(CWD, &name, AtFlags::empty())?;
    Ok(fd)
}

fn nonce() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::{Read, Write},
    };

    use super::{Unnamed, UnnamedError};

    #[test]
    fn another_process_reads_and_writes_it_by_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let unnamed = Unnamed::holding(folder.path(), "a test", b"before").unwrap();
        let read = std::process::Command::new("cat").arg(unnamed.fd_path()).output().unwrap();
        assert_eq!(read.stdout, b"before");
        fs::File::options().write(true).open(unnamed.fd_path()).unwrap().write_all(b"behind").unwrap();
        let mut text = String::new();
        fs::File::open(unnamed.fd_path()).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "behind");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "it has a name");
    }

    #[test]
    fn where_no_file_can_do_without_a_name_it_has_one_for_an_instant() {
        let folder = tempfile::tempdir().unwrap();
        let unnamed = Unnamed { file: super::named_for_an_instant(folder.path()).unwrap().into() };
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "it has a name");
        fs::write(unnamed.fd_path(), b"text").unwrap();
        assert_eq!(fs::read(unnamed.fd_path()).unwrap(), b"text");
    }

    #[test]
    fn a_copy_is_equal_and_apart() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        fs::write(&source, &content).unwrap();
        let copy = Unnamed::copy_of(folder.path(), "a copy", &source).unwrap();
        fs::write(&source, b"changed").unwrap();
        assert!(fs::read(copy.fd_path()).unwrap() == content);
    }

    #[test]
    fn too_little_room_is_told_with_its_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let error = Unnamed::create(folder.path(), "an overlay", u64::MAX).unwrap_err();
        let UnnamedError::NoSpace { free, .. } = &error else { panic!("{error}") };
        let text = format!(
            "no disk space for an overlay: {} bytes needed, {free} free; name another folder with --scratch",
            u64::MAX
        );
        assert_eq!(error.to_string(), format!("{}: {text}", folder.path().display()));
    }

    #[test]
    fn a_folder_that_takes_no_file_is_named() {
        for folder in ["/proc", "/no/such/folder"] {
            let error = Unnamed::create(folder.as_ref(), "an overlay", 0).unwrap_err();
            let text = "cannot hold an overlay; name another folder with --scratch";
            assert_eq!(error.to_string(), format!("{folder}: {text}"));
        }
    }
}
