//! Opening a disk image without trusting it, and what can be told of it without booting.
//!
//! The file is opened once. That open file is judged by its content, hashed, read, and handed to QEMU by descriptor, so
//! that whatever happens to its name meanwhile, one and the same inode is meant. No other program touches it before
//! [`Image::open`] is content.

mod answer;
mod consistency;
mod content;
mod digest;
mod disk;
mod flatten;
mod foreign;
mod layout;
pub(crate) mod little_endian;
mod overlay;
mod qcow2;
mod raw;
mod refusal;
#[cfg(test)]
mod samples;
mod seed;
#[cfg(test)]
mod tests;
mod unnamed;

use std::{
    fmt,
    fs::{File, Metadata, OpenOptions},
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd},
        unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

pub use consistency::ConsistencyError;
pub(crate) use digest::hex;
pub use digest::{Digest, DigestError, ParseDigestError};
pub(crate) use disk::run_of_file;
pub use disk::{Disk, Run};
pub use flatten::FlattenError;
pub(crate) use flatten::{allocated, flatten};
pub use foreign::{Foreign, Way};
pub use layout::{Medium, MediumError};
pub use overlay::{Overlay, RESERVE_BYTES};
pub use refusal::Refusal;
pub use seed::{Seed, SeedError};
pub use unnamed::{Unnamed, UnnamedError};

/// The largest disk that is accepted, in bytes.
pub const MAX_VIRTUAL_BYTES: u64 = 64 << 40;

/// The smallest raw disk that is accepted, in bytes.
pub const MIN_RAW_BYTES: u64 = 1 << 20;

/// The formats that a golden image may have. Displayed as QEMU's name of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// QEMU's copy-on-write format, version 2 or 3, complete in one file.
    Qcow2,
    /// The bytes of the disk themselves.
    Raw,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Qcow2 => "qcow2",
            Self::Raw => "raw",
        })
    }
}

/// Why an image was not opened, or is no longer what was opened. One line that names the file.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Nothing has that name.
    #[error("{}: no such file", shown(path))]
    Missing {
        /// As given.
        path: PathBuf,
    },
    /// A directory, a device, a socket or a pipe.
    #[error("{}: {kind}, not a disk image in a file", shown(path))]
    NotAFile {
        /// As given.
        path: PathBuf,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// The system refused to open or to read it.
    #[error("{}: cannot be read", shown(path))]
    Unreadable {
        /// As given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It can be read, and is not a disk image that can be verified.
    #[error("{}: {why}; {}", shown(path), why.next(path))]
    Refused {
        /// As given.
        path: PathBuf,
        /// What is wrong with it.
        why: Refusal,
    },
    /// Size, time of change or inode are not those of the file that was opened.
    #[error("{}: changed while it was verified: {what}", shown(path))]
    Changed {
        /// As given.
        path: PathBuf,
        /// What differs.
        what: String,
    },
}

/// A path for one line of text: what hostile names hold beside characters that show themselves is written out.
fn shown(path: &Path) -> String {
    escaped(&path.to_string_lossy())
}

fn escaped(text: &str) -> String {
    let keep = |c: &char| matches!(c, '\'' | '"' | '\\') || c.escape_debug().eq([*c]);
    text.chars().flat_map(|c| if keep(&c) { vec![c] } else { c.escape_debug().collect() }).collect()
}

/// What a reader of the file's content ran into: the system, or the content itself.
#[derive(Debug)]
enum Trouble {
    Io(io::Error),
    Refused(Refusal),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Refusal> for Trouble {
    fn from(why: Refusal) -> Self {
        Self::Refused(why)
    }
}

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// What the file was found to be.
#[derive(Debug)]
enum Content {
    Qcow2(qcow2::Header),
    Raw,
}

/// A disk image, open for reading and found to be one.
#[derive(Debug)]
pub struct Image {
    path: PathBuf,
    file: File,
    content: Content,
    identity: Identity,
}

impl Image {
    /// Opens the file at `path`, following links, and tells its format from its content alone.
    ///
    /// # Errors
    /// [`ImageError`] if it is not a regular file, cannot be read, or is anything but a raw disk or a sound qcow2 file
    /// that stands alone: no backing file, no external data file, no encryption, not truncated.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ImageError> {
        let path = path.as_ref().to_path_buf();
        // Without NONBLOCK, opening a pipe would wait for a writer.
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(&path);
        let file = opened.map_err(|source| match (source.kind(), path.metadata()) {
            (io::ErrorKind::NotFound, _) => ImageError::Missing { path: path.clone() },
            (_, Ok(metadata)) if !metadata.is_file() => {
                ImageError::NotAFile { path: path.clone(), kind: kind(&metadata) }
            }
            _ => ImageError::Unreadable { path: path.clone(), source },
        })?;
        let unreadable = |source| ImageError::Unreadable { path: path.clone(), source };
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(ImageError::NotAFile { kind: kind(&metadata), path });
        }
        match judge(&file, metadata.len()) {
            Ok(content) => Ok(Self { path, file, content, identity: Identity::of(&metadata) }),
            Err(Trouble::Io(source)) => Err(unreadable(source)),
            Err(Trouble::Refused(why)) => Err(ImageError::Refused { path, why }),
        }
    }

    /// The open file. Its cursor is nobody's: read it by position.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// A path by which QEMU, run by the same user, opens this very inode; valid as long as `self` lives.
    #[must_use]
    pub fn fd_path(&self) -> PathBuf {
        fd_path(self.file.as_fd())
    }

    /// The format, as the content says.
    #[must_use]
    pub fn format(&self) -> Format {
        match self.content {
            Content::Qcow2(_) => Format::Qcow2,
            Content::Raw => Format::Raw,
        }
    }

    /// Size of the disk inside, in bytes.
    #[must_use]
    pub fn virtual_size(&self) -> u64 {
        match &self.content {
            Content::Qcow2(header) => header.virtual_bytes,
            Content::Raw => self.identity.bytes,
        }
    }

    /// Size of the file, in bytes.
    #[must_use]
    pub fn file_size(&self) -> u64 {
        self.identity.bytes
    }

    /// The path as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's name without its folder.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.file_name().map_or_else(|| shown(&self.path), |name| escaped(&name.to_string_lossy()))
    }

    /// Holds the open file and its name against what was opened: inode, size and time of change.
    ///
    /// # Errors
    /// [`ImageError::Changed`] if it was written to, or if its name means another file now.
    pub fn unchanged(&self) -> Result<(), ImageError> {
        let changed = |what: String| ImageError::Changed { path: self.path.clone(), what };
        let seen = [self.file.metadata(), self.path.metadata()];
        for now in seen {
            let now = Identity::of(&now.map_err(|error| changed(error.to_string()))?);
            if (now.device, now.inode) != (self.identity.device, self.identity.inode) {
                return Err(changed("its name is that of another file now".to_owned()));
            }
            if now.bytes != self.identity.bytes {
                return Err(changed(format!("{} bytes at first, {} at the end", self.identity.bytes, now.bytes)));
            }
            if now.modified != self.identity.modified {
                return Err(changed("it was written to".to_owned()));
            }
        }
        Ok(())
    }
}

/// The path by which a process of the same user opens what `fd` stands for, as long as this process keeps it open.
fn fd_path(fd: BorrowedFd<'_>) -> PathBuf {
    PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), fd.as_raw_fd()))
}

fn kind(metadata: &Metadata) -> &'static str {
    let kind = metadata.file_type();
    match () {
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () if kind.is_block_device() => "a block device",
        () if kind.is_char_device() => "a character device",
        () => "a special file",
    }
}

/// What the file holds, from its content alone.
fn judge(file: &File, bytes: u64) -> Result<Content, Trouble> {
    let mut head = vec![0; usize::try_from(bytes.min(raw::HEAD_BYTES)).unwrap_or(0)];
    if head.is_empty() {
        return Err(Refusal::Empty.into());
    }
    file.read_exact_at(&mut head, 0)?;
    if qcow2::is(&head) {
        let header = qcow2::Header::read(file, bytes)?;
        qcow2::bounds(file, &header, bytes)?;
        return Ok(Content::Qcow2(header));
    }
    let mut tail = [0; 512];
    if let Some(at) = bytes.checked_sub(512) {
        file.read_exact_at(&mut tail, at)?;
    }
    if let Some(foreign) = Foreign::recognise(&head, &tail) {
        return Err(Refusal::Foreign(foreign).into());
    }
    raw::judge(&head, bytes)?;
    Ok(Content::Raw)
}
