//! A process that this one does not outlive, though it is not its child: nextest ends without a word to what its
//! setup scripts have started.

use std::{io, thread};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::retry_on_intr,
    process::{Pid, PidfdFlags, pidfd_open},
};
use tokio::sync::oneshot;

/// A process whose end is noticed, whatever it ends by.
pub struct Watched(oneshot::Receiver<io::Result<()>>);

impl Watched {
    /// Watches the process with this number; a number that is given to another process later is not mistaken for it.
    ///
    /// # Errors
    /// What the system says if there is no such process.
    pub fn open(pid: i32) -> io::Result<Self> {
        let pid = Pid::from_raw(pid).ok_or_else(|| io::Error::other("no process has this number"))?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        let (gone, watched) = oneshot::channel();
        // A thread of its own, which ends with the process it is part of: tokio takes descriptors only on an unsafe
        // promise that this crate does not give.
        thread::Builder::new().name("watched".to_owned()).spawn(move || {
            let ended = retry_on_intr(|| poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], None));
            // Nobody listens any more if this process is ending by itself.
            let _ = gone.send(ended.map(drop).map_err(io::Error::from));
        })?;
        Ok(Self(watched))
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// What the system says if it cannot be waited for.
    pub async fn gone(self) -> io::Result<()> {
        self.0.await.map_err(io::Error::other)?
    }
}
