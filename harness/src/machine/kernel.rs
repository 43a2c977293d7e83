//! A kernel that a machine is started with, instead of what its disk would boot.
//!
//! What stands on the disk takes no part then: a system can be looked at, and worked on, while it does not run.

use std::{fs::File, io, os::unix::fs::FileExt};

use super::memfd::Memfd;

/// A kernel, what it unpacks, and what it is told.
pub struct Kernel {
    image: Memfd,
    initramfs: Memfd,
    words: String,
}

impl Kernel {
    /// A kernel's image, the archives of its initramfs, and its command line.
    ///
    /// # Errors
    /// What the system says where there is no memory for them.
    pub fn new(image: &[u8], initramfs: &[u8], words: impl Into<String>) -> io::Result<Self> {
        Ok(Self { image: held("kernel", image)?, initramfs: held("initramfs", initramfs)?, words: words.into() })
    }

    /// What stands on QEMU's command line for it.
    pub(super) fn booted(&self) -> Booted {
        Booted { image: self.image.path(), initramfs: self.initramfs.path(), words: self.words.clone() }
    }
}

/// A kernel by the paths to open it by.
#[derive(Clone, Debug)]
pub(super) struct Booted {
    pub(super) image: String,
    pub(super) initramfs: String,
    pub(super) words: String,
}

fn held(name: &str, content: &[u8]) -> io::Result<Memfd> {
    let memfd = Memfd::create(name, content.len() as u64)?;
    File::options().write(true).open(memfd.path())?.write_all_at(content, 0)?;
    Ok(memfd)
}
