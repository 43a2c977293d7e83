//! Forks that were made ahead: each has answered once and waits, stopped, to be taken.

use tokio::{
    sync::mpsc::{Receiver, channel},
    task::JoinHandle,
};

use super::forks;
use crate::{
    machine::{Machine, Snapshot},
    session::Session,
};

type Fork = Result<(Machine, Session), String>;

/// A few forks of one captured machine, made one after the other. What was not taken ends with it.
pub struct Ahead {
    ready: Receiver<Fork>,
    maker: JoinHandle<()>,
}

impl Ahead {
    /// Makes `count` forks of `snapshot` in all, and keeps at most `waiting` of them, at least one.
    #[must_use]
    pub fn new(snapshot: Snapshot, waiting: usize, count: usize) -> Self {
        let (give, ready) = channel(waiting.max(1));
        let maker = tokio::spawn(async move {
            for _ in 0..count {
                let Ok(place) = give.reserve().await else { return };
                place.send(make(&snapshot).await);
            }
        });
        Self { ready, maker }
    }

    /// How many could be taken at once now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.ready.len()
    }

    /// A fork that goes on from the capture, with the session to its shell.
    ///
    /// # Errors
    /// Why it could not be made, in words; the next may be.
    pub async fn take(&mut self) -> Result<(Machine, Session), String> {
        let (machine, session) = self.ready.recv().await.ok_or("no fork: all were taken")??;
        machine.resume().await.map_err(no_fork)?;
        Ok((machine, session))
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.maker.abort();
    }
}

/// A fork that has answered: its emulator has then translated what an answer takes, which is most of the first's time.
async fn make(snapshot: &Snapshot) -> Fork {
    let (machine, session) = forks::fork(snapshot).await?;
    machine.pause().await.map_err(no_fork)?;
    Ok((machine, session))
}

fn no_fork(error: impl std::fmt::Display) -> String {
    format!("no fork: {error}")
}
