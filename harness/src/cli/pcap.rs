//! The file of `--pcap`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use super::whole::Unfinished;
use crate::lab::{Capture, MOST_CAPTURED};

/// A capture on its way into a file.
pub(super) struct Pcap {
    capture: Capture,
    file: Unfinished,
    path: PathBuf,
}

impl Pcap {
    /// Begins one; a folder that cannot be written to is told now.
    pub(super) fn begin(path: &Path) -> anyhow::Result<Self> {
        let file = Unfinished::new(path)?;
        let capture = Capture::begin(file.file().try_clone().with_context(|| path.display().to_string())?);
        Ok(Self { capture, file, path: path.to_owned() })
    }

    /// What frames are shown to.
    pub(super) fn capture(&self) -> Capture {
        self.capture.clone()
    }

    /// Gives the file its name, unless no machine came as far as a frame; says so where frames are left out.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        let captured = self.capture.end().with_context(|| self.path.display().to_string())?;
        if captured.left_out > 0 {
            let (path, most, left_out) = (self.path.display(), MOST_CAPTURED >> 20, captured.left_out);
            super::complain(&anyhow!("{path} is full at {most} MiB: {left_out} frames that came later are not in it"));
        }
        if captured.frames > 0 { self.file.finish() } else { Ok(()) }
    }
}
