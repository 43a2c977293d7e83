//! Sealing an image: a copy of it, without what identifies the machine, what its boots left, or who looked at it.
//!
//! The image's own system seals itself; then, while it is off, a rescue system finishes what a running one cannot, and
//! the layers become one file. The image is never written, and the new one has no name until it is whole.

mod inside;
mod outside;
mod summary;
mod survey;

use std::{
    fmt, io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use kverify_checks::image::Layout;
use serde::Serialize;

use super::named::{folder_of, free, name};
use crate::{
    image::{FlattenError, Image, ImageError, Overlay, UnnamedError, allocated, flatten},
    machine::{MachineError, Spec, StartError},
    rescue::{Rescue, RescueError},
    run::{Progress, RunError, WayIn},
    session::{Credential, SessionError},
};
use inside::inside;
pub use outside::Scrub;
use outside::outside;
pub use summary::Sealed;

/// What becomes of the snapshots, which still hold what was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Snapshots {
    /// They are destroyed, and taken again of what is sealed, under the same names.
    #[default]
    Renew,
    /// They are destroyed.
    Destroy,
    /// They stay as they are.
    Keep,
}

impl fmt::Display for Snapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Renew => "renew",
            Self::Destroy => "destroy",
            Self::Keep => "keep",
        })
    }
}

/// What is sealed, and how.
pub struct SealRequest {
    /// The image; it is never written.
    pub image: PathBuf,
    /// The installer medium, whose kernel knows the image's file systems.
    pub installer: PathBuf,
    /// Where the sealed image goes; nothing may be there.
    pub out: PathBuf,
    /// What becomes of snapshots.
    pub snapshots: Snapshots,
    /// A shell script of the caller's, by name and content, that root runs once the system was sealed.
    pub steps: Option<(String, String)>,
    /// Whether the hashes of passwords stay.
    pub keep_passwords: bool,
    /// Whether what the image's own system leaves is removed once it is off; without, for tests that have to see the
    /// difference.
    pub sweep: bool,
    /// What becomes of free blocks.
    pub scrub: Scrub,
    /// The image's own account; `None` brings one by a seed, and removes it again.
    pub credential: Option<Credential>,
    /// The hardware that it is booted on.
    pub spec: Spec,
    /// The folder for files without names.
    pub scratch: PathBuf,
}

/// Why there is no sealed image.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// A file of the caller's cannot be used.
    #[error("{}: {why}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The image cannot be opened safely, or was changed meanwhile.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The disk cannot be read.
    #[error("the disk cannot be read: {0}")]
    Disk(#[from] io::Error),
    /// There is no pool to seal.
    #[error("only an image with its root on ZFS can be sealed: {0}")]
    NoPool(String),
    /// Nothing was found out about the boot, or nobody can log in.
    #[error(transparent)]
    Run(#[from] RunError),
    /// No machine could be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The system ended when it should not have.
    #[error("the image's own system: {0}")]
    NotReady(String),
    /// A step in the running system did not end with 0.
    #[error("{doing} failed (exit {status}): {said}")]
    Step {
        /// What was done.
        doing: &'static str,
        /// The exit status.
        status: i32,
        /// The last lines that it said.
        said: String,
    },
    /// The running system did not answer.
    #[error("{doing}: {source}")]
    Session {
        /// What was done.
        doing: &'static str,
        /// Why there is no answer.
        source: SessionError,
    },
    /// It did not power off.
    #[error("still on {} s after {said}; does it listen to its power button?", .limit.as_secs())]
    StillOn {
        /// The deadline.
        limit: Duration,
        /// What its console said last.
        said: String,
    },
    /// QEMU ended.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The rescue system did not do its part.
    #[error(transparent)]
    Rescue(#[from] RescueError),
    /// Something of the image's own does not let itself be sealed.
    #[error("{0}")]
    InTheWay(String),
    /// There is no room for the disk that is copied to.
    #[error(transparent)]
    Room(#[from] UnnamedError),
    /// The layers did not become one file.
    #[error(transparent)]
    Flatten(#[from] FlattenError),
    /// What came out is not sealed.
    #[error("the disk is not sealed after all: {0}")]
    Unproven(String),
}

/// Seals an image. Dropping the future ends the machines.
///
/// # Errors
/// [`SealError`] says what failed; nothing is then at `request.out`.
pub async fn seal(request: &SealRequest, progress: &(dyn Fn(Progress) + Sync)) -> Result<Sealed, SealError> {
    let file = |(path, why): (&std::path::Path, &str)| SealError::File { path: path.to_owned(), why: why.to_owned() };
    free(&request.out).map_err(file)?;
    let image = Arc::new(Image::open(&request.image)?);
    let layout = image.layout()?;
    let Some(label) = layout.labels.first() else {
        return Err(SealError::NoPool("its disk has no ZFS label".to_owned()));
    };
    // A medium that has no kernel is told before the boot, and again with the host ID of the system that booted.
    let labelled = label.hostid.and_then(|id| u32::try_from(id).ok()).unwrap_or(0).to_ne_bytes();
    Rescue::kernel(&request.installer, labelled)?;
    let way_in = WayIn::new(request.credential.clone())?;
    let mut sealed = Sealed {
        kverify: env!("CARGO_PKG_VERSION").to_owned(),
        image: request.image.display().to_string(),
        out: request.out.display().to_string(),
        snapshots: request.snapshots,
        scrubbed: request.scrub != Scrub::Not,
        ..Sealed::default()
    };
    let (off, survey) = inside(request, &image, &way_in, &mut sealed, progress).await?;
    let kernel = Rescue::kernel(&request.installer, survey.hostid.unwrap_or(labelled))?;
    let empty = match request.scrub {
        Scrub::Copy => Some(Overlay::create_fine(&request.scratch, image.virtual_size())?),
        Scrub::Not => None,
    };
    let disks = (off, &kernel, empty.as_ref());
    let off = outside(request, disks, &layout, &survey, &way_in, &mut sealed, progress).await?;

    let begun = Instant::now();
    progress(Progress::Step { about: "the disk becomes a file of its own".to_owned() });
    let disk = match &empty {
        Some(copy) => Some(copy.for_qemu_img()),
        None => off.disk(),
    };
    let disk = disk.ok_or_else(|| SealError::Unproven("it has no layers".to_owned()))?;
    let flat = flatten(&disk, "the sealed image", folder_of(&request.out), sealed.held_bytes()).await?;
    sealed.allocated_bytes = allocated(flat.file())?;
    prove(&Image::open(flat.fd_path())?.layout()?).map_err(SealError::Unproven)?;
    image.unchanged()?;
    let named = name(flat.file(), &request.out);
    named.map_err(|error| SealError::File { path: request.out.clone(), why: error.to_string() })?;
    sealed.stage("flatten", begun);
    Ok(sealed)
}

/// Reads from the new file itself that its pools were given up by whoever had them.
fn prove(layout: &Layout) -> Result<(), String> {
    if layout.labels.is_empty() {
        return Err("it has no ZFS label".to_owned());
    }
    match layout.labels.iter().find(|label| label.state != "EXPORTED") {
        Some(label) => Err(format!("pool {} was not exported: its label says {}", label.pool, label.state)),
        None => Ok(()),
    }
}
