//! What every carrier offers: a root shell that takes a script and gives back what it said.

use std::{io::Read as _, time::Duration};

use kverify_checks::{Output, Probe};

use super::{
    batch::{Batch, BatchError},
    port::PortShell,
    ssh::Ssh,
};

/// The environment that probes get, and nothing else.
pub(super) const CLEAN: &str =
    "env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C TZ=UTC";

/// Why a command on an open session gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The session is gone.
    #[error("the session ended: {0}")]
    Ended(String),
    /// It did not end in time.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// It said more than it may.
    #[error("more than {0} bytes came back")]
    TooMuch(usize),
    /// The answers of a batch are not whole.
    #[error(transparent)]
    Batch(#[from] BatchError),
}

/// What a script left.
pub(super) struct Ran {
    pub(super) stdout: Vec<u8>,
    pub(super) status: i32,
}

/// A script to be run by root, and its bounds.
pub(super) struct Job {
    pub(super) script: String,
    /// How long it may take.
    pub(super) limit: Duration,
    /// The most bytes it may say.
    pub(super) bound: usize,
    /// Told each line as it comes.
    pub(super) on_line: Box<dyn FnMut(&str) + Send>,
}

/// An open way to a root shell.
pub enum Session {
    /// Over SSH.
    Ssh(Ssh),
    /// Over a port of the machine.
    Port(PortShell),
}

impl Session {
    /// Runs a constant shell script as root and gives its exit status and output.
    ///
    /// # Errors
    /// [`SessionError`] where it did not end well within `limit`; its own exit status is no error.
    pub async fn script(&self, script: &str, limit: Duration) -> Result<(i32, String), SessionError> {
        let job = Job { script: script.to_owned(), limit, bound: 1 << 20, on_line: Box::new(|_| ()) };
        let ran = self.run(job).await?;
        Ok((ran.status, String::from_utf8_lossy(&ran.stdout).into_owned()))
    }

    /// Asks all of `probes`, two at a time, and calls `done` with the number of each as it ends.
    ///
    /// # Errors
    /// [`SessionError`] where not every answer came back.
    pub async fn ask(
        &self,
        probes: &[Probe],
        mut done: impl FnMut(usize) + Send + 'static,
    ) -> Result<Vec<Output>, SessionError> {
        let nonce = nonce().map_err(|error| SessionError::Ended(format!("no random numbers: {error}")))?;
        let (batch, shared) = (Batch::new(probes, nonce), probes.to_vec());
        let on_line = move |line: &str| {
            if let Some(number) = Batch::new(&shared, nonce).done(line) {
                done(number);
            }
        };
        let (script, limit, bound) = (batch.script(), batch.limit(), batch.bound());
        let ran = self.run(Job { script, limit, bound, on_line: Box::new(on_line) }).await?;
        Ok(batch.read(&ran.stdout)?)
    }

    async fn run(&self, job: Job) -> Result<Ran, SessionError> {
        match self {
            Self::Ssh(ssh) => ssh.run(job).await,
            Self::Port(port) => port.run(job).await,
        }
    }
}

/// 128 random bits.
pub(crate) fn nonce() -> std::io::Result<u128> {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u128::from_ne_bytes(bytes))
}
