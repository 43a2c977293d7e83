//! Why a written file is not what it has to be, as its reader has it.

use std::io;

/// What is wrong with an exported file.
#[derive(Debug, thiserror::Error)]
pub enum Flaw {
    /// The disk inside has another size.
    #[error("its disk has {got} bytes, and {want} are wanted")]
    Size {
        /// As its reader has it, in bytes.
        got: u64,
        /// As it has to be, in bytes.
        want: u64,
    },
    /// A byte of the disk is not that of the image.
    #[error("its disk differs from the image at byte {at}")]
    Differs {
        /// Where, from the beginning of the disk.
        at: u64,
    },
    /// Behind the image's end there has to be nothing but zeros.
    #[error("its disk goes on behind the image's end, and is not zero at byte {at}")]
    NotZero {
        /// Where, from the beginning of the disk.
        at: u64,
    },
    /// What the platform reads beside the disk is wrong or missing.
    #[error("{0}")]
    Metadata(String),
    /// It cannot be read as a file of its format.
    #[error("it cannot be read back: {0}")]
    Unreadable(io::Error),
    /// Whoever asked did not wait.
    #[error("it was not read to its end: cancelled")]
    Cancelled,
}

impl From<io::Error> for Flaw {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl Flaw {
    /// What stopped a writer, which reads too.
    pub(super) fn stopped(self) -> io::Error {
        match self {
            Self::Unreadable(error) => error,
            other => io::Error::other(other.to_string()),
        }
    }

    pub(super) fn metadata(what: impl Into<String>) -> Self {
        Self::Metadata(what.into())
    }
}

/// Content that is not as its format says.
pub(super) fn malformed(format: &str, what: impl AsRef<str>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed {format}: {}", what.as_ref()))
}
