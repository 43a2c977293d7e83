//! Why a file that can be read is not an image that can be verified, and what its owner can do about it.

use std::path::Path;

use super::{Foreign, MAX_VIRTUAL_BYTES, MIN_RAW_BYTES, foreign::Way};

/// What is wrong with a file, as a fragment without its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No byte in it.
    #[error("an empty file")]
    Empty,
    /// Another format.
    #[error("{}", .0.what)]
    Foreign(Foreign),
    /// Text.
    #[error("a text file, not a disk image")]
    Text,
    /// Neither qcow2 nor a raw disk.
    #[error("not a disk image: no qcow2 header, and neither a partition table nor a blank disk")]
    NotADisk,
    /// A raw disk cut short.
    #[error("a raw disk of {bytes} bytes, which is not a multiple of 512")]
    OddSize {
        /// Size of the file.
        bytes: u64,
    },
    /// A raw disk that holds nothing.
    #[error("a raw disk of {bytes} bytes, less than {MIN_RAW_BYTES}")]
    TooSmall {
        /// Size of the file.
        bytes: u64,
    },
    /// A disk over the limit.
    #[error("a disk of {bytes} bytes, more than {MAX_VIRTUAL_BYTES}")]
    TooLarge {
        /// Size of the disk.
        bytes: u64,
    },
    /// A qcow2 version that is not known.
    #[error("qcow2 of version {0}; known are 2 and 3")]
    Version(u32),
    /// The disk is only a difference to another file.
    #[error("qcow2 with a backing file, `{0}`")]
    Backing(String),
    /// The content is in another file.
    #[error("qcow2 with an external data file, `{0}`")]
    ExternalData(String),
    /// The content is encrypted.
    #[error("qcow2 encrypted by {0}")]
    Encrypted(&'static str),
    /// Not closed after writing, or known to be damaged.
    #[error("qcow2 marked as {0}")]
    Marked(&'static str),
    /// Features that only a newer QEMU understands.
    #[error("qcow2 with unknown incompatible features {0:#x}")]
    Features(u64),
    /// A field of the header or a table has a value it cannot have.
    #[error("malformed qcow2: {0}")]
    Malformed(String),
    /// Something lies beyond the end of the file.
    #[error("truncated qcow2: {what} ends at byte {end}, the file at {bytes}")]
    Truncated {
        /// What lies beyond.
        what: &'static str,
        /// Where it should end.
        end: u64,
        /// Size of the file.
        bytes: u64,
    },
}

impl Refusal {
    /// What to do about it.
    pub(super) fn next(&self, path: &Path) -> String {
        let (file, plain) = (quoted(path), quoted(&path.with_extension("plain.qcow2")));
        match self {
            Self::Foreign(Foreign { way: Way::Convert(driver), .. }) => {
                let target = quoted(&path.with_extension("qcow2"));
                format!("convert it: qemu-img convert -f {driver} -O qcow2 {file} {target}")
            }
            Self::Foreign(Foreign { way: Way::Unpack(command), .. }) => format!("unpack it: {command} {file}"),
            Self::Foreign(Foreign { way: Way::Instead(what), .. }) => (*what).to_owned(),
            Self::Backing(_) | Self::ExternalData(_) => {
                format!("if you trust both files, make one of them: qemu-img convert -f qcow2 -O qcow2 {file} {plain}")
            }
            Self::Encrypted(_) => "decrypt it into a file that kverify may read: qemu-img convert".to_owned(),
            Self::Marked(_) => format!("repair it: qemu-img check -r all {file}"),
            Self::Version(_) | Self::Features(_) => {
                format!(
                    "convert it with the QEMU that wrote it: qemu-img convert -O qcow2 -o compat=1.1 {file} {plain}"
                )
            }
            Self::TooLarge { .. } => "build it with a smaller disk".to_owned(),
            Self::Text | Self::NotADisk => "give the qcow2 or raw file of an installed disk".to_owned(),
            Self::Empty
            | Self::OddSize { .. }
            | Self::TooSmall { .. }
            | Self::Malformed(_)
            | Self::Truncated { .. } => "copy or build it again".to_owned(),
        }
    }
}

/// A path as a word of a shell's command line.
fn quoted(path: &Path) -> String {
    let text = super::shown(path);
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:@,".contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        text
    } else {
        let dashed = if text.starts_with('-') { "./" } else { "" };
        format!("'{dashed}{}'", text.replace('\'', r"'\''"))
    }
}
