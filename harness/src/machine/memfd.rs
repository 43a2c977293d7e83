//! Files that live in memory: a guest's memory, and the state of its devices once it is captured.
//!
//! They have no name and no place on a disk: nothing is left of them after the last process that has them open, and no
//! limit on `/dev/shm` ends a guest in the middle.

use std::{fs::File, io};

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};

use super::process::path_of;

/// A file in memory; it takes only what was written to it.
#[derive(Debug)]
pub(crate) struct Memfd(File);

impl Memfd {
    /// A file of `bytes` bytes, all zero. `name` shows in `/proc/PID/maps`.
    pub(crate) fn create(name: &str, bytes: u64) -> io::Result<Self> {
        let fd = memfd_create(name, MemfdFlags::CLOEXEC)?;
        ftruncate(&fd, bytes)?;
        Ok(Self(fd.into()))
    }

    /// The path by which another process of this user opens it, as long as `self` lives.
    pub(crate) fn path(&self) -> String {
        path_of(&self.0)
    }

    /// The file itself.
    pub(crate) fn into_file(self) -> File {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::Memfd;

    #[test]
    fn another_process_writes_it_and_it_takes_no_more_than_that() {
        let memfd = Memfd::create("test", 64 << 20).unwrap();
        let allocated = || memfd.0.metadata().unwrap().blocks() * 512;
        assert_eq!(allocated(), 0);
        let write = format!("printf text >'{}'", memfd.path());
        assert!(std::process::Command::new("sh").args(["-c", &write]).status().unwrap().success());
        assert_eq!(std::fs::read(memfd.path()).unwrap(), b"text");
        assert!((1..=65536).contains(&allocated()));
    }
}
