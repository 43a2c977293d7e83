//! The leader of a matrix run: it alone owns machines, and whoever wants an outcome asks it over a Unix socket.
//!
//! nextest gives each trial a process of its own, so what trials share, the one boot of an image, has to live in
//! another process. It boots a row when the row is first asked for, one at a time, and keeps what came of it. It is
//! asked for outcomes, never for a way to a machine: no trial can change what another one sees.

mod ask;
mod desk;
mod ending;
mod serve;
mod spoken;
mod watched;
mod work;

use std::{io, path::PathBuf, sync::Arc};

use tempfile::TempDir;
use tokio::net::UnixListener;

pub use ask::{AskError, ask};
pub use ending::Ending;
pub use spoken::{Question, Told};
pub use watched::Watched;

use crate::matrix::{Order, Step};
use desk::Desk;

/// Why a leader cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum LeadError {
    /// There is no place where it can be asked.
    #[error("{}: no socket for the leader; name a shorter or another temporary folder with TMPDIR", path.display())]
    Socket {
        /// Where the socket was to be.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What an earlier run left cannot be taken away.
    #[error("{}: the JUnit file of an earlier run cannot be removed; name another folder with --out", path.display())]
    Stale {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// A leader that can be asked.
pub struct Leader {
    order: Order,
    listener: UnixListener,
    /// Holds the socket; only its owner may enter.
    folder: TempDir,
}

impl Leader {
    /// Opens the socket; what is asked from then on waits until [`Leader::lead`] answers.
    ///
    /// # Errors
    /// [`LeadError`] names the path.
    pub fn open(order: Order) -> Result<Self, LeadError> {
        work::clear(&order)?;
        let unnamed = |source| LeadError::Socket { path: std::env::temp_dir(), source };
        let folder = tempfile::Builder::new().prefix("kverify-lead-").tempdir().map_err(unnamed)?;
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).map_err(|source| LeadError::Socket { path, source })?;
        Ok(Self { order, listener, folder })
    }

    /// Where it is asked.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// Answers until the socket fails. Dropping the future ends the machine that runs, and what gets an image.
    ///
    /// # Errors
    /// [`LeadError::Socket`] once it can be asked no more.
    pub async fn lead(&self, step: &(dyn Fn(Step) + Sync)) -> Result<(), LeadError> {
        let (desk, queue) = Desk::new(self.order.matrix.rows.iter().map(|row| row.name.as_str()));
        let desk = Arc::new(desk);
        let source = tokio::select! {
            source = serve::serve(&self.listener, &desk) => source,
            () = work::work(&self.order, &desk, queue, step) => io::Error::other("the queue of rows was closed"),
        };
        Err(LeadError::Socket { path: self.socket(), source })
    }
}
