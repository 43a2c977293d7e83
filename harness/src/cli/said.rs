//! What an informational command answers; printing it is for whoever called.

/// Text for standard output, and the exit status that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) code: u8,
}

impl Said {
    /// An answer that is no complaint.
    pub(crate) fn well(text: String) -> Self {
        Self { text, code: 0 }
    }
}
