//! Sending files to a folder on another host, by OpenSSH's own programs.
//!
//! A file goes to a hidden name that is bound to its digest, so that what broke off is gone on with, and gets its own name
//! once all of them are whole and their sums were asked there. A name that something has is never written over.

mod batch;
mod client;
mod error;
mod listing;
mod parcel;
mod sums;
mod target;
mod there;
mod transfer;

use std::{
    hash::{BuildHasher, RandomState},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use self::{
    batch::Batch,
    client::{Client, Ran},
    listing::Listing,
    transfer::Sending,
};
use crate::run::Progress;
pub use error::SendError;
pub use parcel::Parcel;
pub use target::{ScpTarget, TargetError};

/// How long a question may take that moves no files.
const ASK: Duration = Duration::from_mins(2);
const MIB: u64 = 1 << 20;

/// Where files are sent, and how that host is reached.
#[derive(Clone, Debug)]
pub struct SendRequest {
    /// The folder on the other host.
    pub target: ScpTarget,
    /// The configuration of ssh, in the place of the user's and the system's.
    pub config: Option<PathBuf>,
}

/// Files that are on the other host, under their names.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Each of them.
    pub files: Vec<SentFile>,
    /// What tells that they are whole.
    pub sums: Sums,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// A file that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentFile {
    /// Its name.
    pub name: String,
    /// Its size, in bytes.
    pub bytes: u64,
    /// How it came there.
    pub how: How,
}

/// How a file came to another host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// All of it was sent.
    New,
    /// So many bytes of it were there from an earlier call.
    GoneOn(u64),
    /// It had its name already.
    WasThere,
}

/// What tells that the files are whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sums {
    /// The host's own `sha256sum` says of each what was expected.
    Hold,
    /// The host cannot be asked for them, and why; of the files that were sent it told the sizes.
    NotAsked(String),
}

/// Tries whether files of these names, of so many bytes at most, could be put there. It leaves nothing.
///
/// # Errors
/// [`SendError`] says why they could not.
pub async fn try_target(
    request: &SendRequest,
    names: &[String],
    needed: u64,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(), SendError> {
    let client = Client { request, folder: Path::new(".") };
    let name = format!(".kverify-{:016x}", RandomState::new().hash_one(0));
    let there = client.list(|batch| batch.try_folder(&name)).await?;
    if let Some(name) = names.iter().find(|name| there.entry(name).is_some()) {
        let why = "and what will be exported is not known to be the same".to_owned();
        return Err(SendError::There { target: client.target(), name: name.clone(), why });
    }
    client.has_room(&there, needed)?;
    let room = there.free.map_or_else(String::new, |free| format!(", and has {} MiB free", free / MIB));
    progress(Progress::Step { about: format!("{} takes files{room}", request.target) });
    Ok(())
}

/// Sends files from a folder; each is there, whole and under its name, when this ends well. Dropping the future ends what was
/// begun, and a later call goes on with it.
///
/// # Errors
/// [`SendError`] says what failed; no file that is not whole has its name there.
pub async fn send(
    request: &SendRequest,
    folder: &Path,
    parcels: &[Parcel],
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Sent, SendError> {
    let begun = Instant::now();
    let sending = Sending { client: Client { request, folder }, parcels, progress };
    let (files, sums) = sending.all().await?;
    Ok(Sent { files, sums, seconds: begun.elapsed().as_secs_f64() })
}

impl Client<'_> {
    /// What is in the folder, after it was asked for more.
    async fn list(&self, more: impl FnOnce(Batch) -> Batch) -> Result<Listing, SendError> {
        let batch = more(Batch::within(&self.request.target.folder()).room().list());
        let ran = self.sftp(&batch, ASK, &mut |_| ()).await?;
        self.done(&ran)?;
        Ok(Listing::read(&ran.out))
    }

    /// Complains of what was not done.
    fn done(&self, ran: &Ran) -> Result<(), SendError> {
        let (target, said) = (self.target(), ran.said());
        match ran {
            ran if ran.well() => Ok(()),
            ran if ran.is_cut() => Err(SendError::Away { target, said }),
            _ => Err(SendError::Folder { target, said }),
        }
    }

    /// Complains where the host says that it has not so much room.
    fn has_room(&self, there: &Listing, needed: u64) -> Result<(), SendError> {
        match there.free {
            Some(free) if free < needed => Err(SendError::Room { target: self.target(), needed, free }),
            _ => Ok(()),
        }
    }
}
