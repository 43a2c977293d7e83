//! Exporting an image: files in the formats that clouds and hypervisors take, each read back by another program than
//! the one that wrote it, and held against the image byte by byte.
//!
//! QEMU writes the formats of disks; archives, descriptors and manifests are written here. No file has a name before all
//! of them are proven, so a failed or interrupted export leaves nothing behind.

mod compare;
mod convert;
mod crc32c;
mod finished;
mod flaw;
mod gce;
mod hash;
mod job;
mod ova;
mod ovf;
mod prove;
mod qcow2;
mod room;
mod tape;
mod target;
#[cfg(test)]
mod tests;
mod vhd;
mod vhdx;
mod vmdk;
mod vmdk_text;

use std::{
    fs, io,
    num::NonZero,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use futures_util::future::{try_join, try_join_all};
use tokio::{
    sync::Semaphore,
    task::{JoinError, spawn_blocking},
};

use super::named::{free, name};
use crate::{
    gate::{Exported, ExportedFile, Target},
    image::{DigestError, Image, ImageError, Unnamed},
    run::Progress,
};
pub use convert::ConvertError;
pub use finished::finished;
pub use flaw::Flaw;
use job::{Finished, Job};
pub use target::Compression;

/// The file of digests, as `sha256sum -c` reads it.
pub const SUMS: &str = "SHA256SUMS";
/// The record of what was proven, an [`Exported`].
pub const RECORD: &str = "export.json";

/// The longest name without its ending, in bytes: what an archive takes with an ending behind it.
const LONGEST: usize = 90;
/// The most formats that are written at once; each keeps a processor busy, and a disk.
const AT_ONCE: usize = 4;

/// What is exported, and where to.
pub struct ExportRequest {
    /// The image; it is never written.
    pub image: PathBuf,
    /// The formats.
    pub targets: Vec<Target>,
    /// The folder that the files go to, which has to be there.
    pub folder: PathBuf,
    /// How qcow2 is compressed.
    pub compression: Compression,
}

/// Why nothing was exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file of the caller's cannot be used, or one cannot be put there.
    #[error("{}: {why}", .path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The image cannot be opened safely, or was changed meanwhile.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The image cannot be hashed.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// The image's disk cannot be read.
    #[error("the disk cannot be read: {0}")]
    Disk(#[from] io::Error),
    /// The files have no room.
    #[error("{}: the files can take {needed} bytes, and {free} are free; name another --out-dir, or fewer formats", .folder.display())]
    Room {
        /// The folder.
        folder: PathBuf,
        /// The most that they take.
        needed: u64,
        /// What is free.
        free: u64,
    },
    /// QEMU did not write one.
    #[error("{target}: it was not written")]
    Convert {
        /// The format.
        target: Target,
        /// Why.
        source: ConvertError,
    },
    /// One was not written here.
    #[error("{target}: it was not written")]
    Write {
        /// The format.
        target: Target,
        /// What the system said.
        source: io::Error,
    },
    /// One is not what it has to be.
    #[error("{target}: the file that was written is not the image: {flaw}")]
    Unproven {
        /// The format.
        target: Target,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// A part of kverify itself failed.
    #[error("a part of the export ended without an answer")]
    Broken(#[from] JoinError),
}

/// An export, with what it cost.
pub struct Export {
    /// What was left, and what was proven of it.
    pub exported: Exported,
    /// The time that each format took to write, and to prove, in seconds.
    pub seconds: Vec<(Target, f64, f64)>,
}

/// An export that can begin: nothing is in its way, and there is room for it.
pub struct Prepared<'a> {
    request: &'a ExportRequest,
    image: Arc<Image>,
    stem: String,
    targets: Vec<Target>,
    needed: u64,
}

/// Exports an image. Dropping the future ends what was begun.
///
/// # Errors
/// [`ExportError`] says what failed; nothing is then in `request.folder`.
pub async fn export(request: &ExportRequest, progress: &(dyn Fn(Progress) + Sync)) -> Result<Export, ExportError> {
    Prepared::of(request).await?.export(progress).await
}

impl<'a> Prepared<'a> {
    /// Looks whether anything is in the way of an export.
    ///
    /// # Errors
    /// [`ExportError`] says what is.
    pub async fn of(request: &'a ExportRequest) -> Result<Self, ExportError> {
        let file = |path: &Path, why: String| ExportError::File { path: path.to_owned(), why };
        let stem = stem(&request.image)?;
        let mut targets: Vec<Target> = Vec::new();
        for target in &request.targets {
            if !targets.contains(target) {
                targets.push(*target);
            }
        }
        let image = Arc::new(Image::open(&request.image)?);
        let mut prepared = Self { request, image: Arc::clone(&image), stem, targets: targets.clone(), needed: 0 };
        for name in prepared.names() {
            free(&request.folder.join(name)).map_err(|(path, why)| file(path, why.to_owned()))?;
        }
        prepared.needed = spawn_blocking(move || room::needed(&mut image.disk()?, &targets)).await??;
        let space = rustix::fs::statvfs(&request.folder).map_err(|error| file(&request.folder, error.to_string()))?;
        let free = space.f_bavail.saturating_mul(space.f_frsize);
        if free < prepared.needed {
            return Err(ExportError::Room { folder: request.folder.clone(), needed: prepared.needed, free });
        }
        Ok(prepared)
    }

    /// The names that its files will have.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let files = self.targets.iter().map(|target| format!("{}.{}", self.stem, target.ending()));
        files.chain([SUMS.to_owned(), RECORD.to_owned()]).collect()
    }

    /// The most bytes that they take.
    #[must_use]
    pub fn needed(&self) -> u64 {
        self.needed
    }

    /// Exports. Dropping the future ends what was begun.
    ///
    /// # Errors
    /// [`ExportError`] says what failed; nothing is then in the folder.
    pub async fn export(self, progress: &(dyn Fn(Progress) + Sync)) -> Result<Export, ExportError> {
        self.export_by(Path::new("qemu-img"), progress).await
    }

    async fn export_by(self, program: &Path, progress: &(dyn Fn(Progress) + Sync)) -> Result<Export, ExportError> {
        let Self { request, image, stem, targets, .. } = self;
        let stop = Stop::default();
        let job = Job {
            program: program.to_owned(),
            image: Arc::clone(&image),
            stem: stem.clone(),
            folder: request.folder.clone(),
            compression: request.compression,
            stop: Arc::clone(&stop.0),
        };
        let permits = Semaphore::new(thread::available_parallelism().map_or(2, NonZero::get).clamp(2, AT_ONCE));
        let units = units(&targets).into_iter().map(|unit| {
            let (job, permits) = (&job, &permits);
            async move {
                let _permit = permits.acquire().await;
                job.unit(&unit, progress).await
            }
        });
        let hashing = {
            let (image, stop) = (Arc::clone(&image), Arc::clone(&stop.0));
            async { Ok::<_, ExportError>(spawn_blocking(move || image.digest(|_| (), &stop)).await??) }
        };
        let (finished, digest) = try_join(try_join_all(units), hashing).await?;
        image.unchanged()?;
        let mut finished: Vec<_> = finished.into_iter().flatten().collect();
        finished.sort_by_key(|one| targets.iter().position(|target| *target == one.exported.format));
        let exported = Exported {
            kverify: env!("CARGO_PKG_VERSION").to_owned(),
            image: image.name(),
            digest,
            virtual_bytes: image.virtual_size(),
            files: finished.iter().map(|one| one.exported.clone()).collect(),
        };
        let seconds = finished.iter().map(|one| (one.exported.format, one.wrote, one.proved)).collect();
        progress(Progress::Step { about: "the files get their names".to_owned() });
        let (folder, record) = (request.folder.clone(), exported.clone());
        spawn_blocking(move || name_all(&folder, finished, &record)).await??;
        Ok(Export { exported, seconds })
    }
}

/// Ends what runs on other threads when nobody waits for it any more.
#[derive(Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The name of the image without its ending, if every platform takes it.
fn stem(image: &Path) -> Result<String, ExportError> {
    let stem = image.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+~".contains(c);
    if stem.is_empty() || stem.len() > LONGEST || stem.starts_with(['-', '.']) || !stem.chars().all(plain) {
        return Err(ExportError::File {
            path: image.to_owned(),
            why: format!(
                "its name becomes that of the files, and not every platform takes it; call it by up to {LONGEST} of a to z, A to Z, 0 to 9 and ._-+~"
            ),
        });
    }
    Ok(stem.to_owned())
}

/// The formats, those together that are made of one another.
fn units(targets: &[Target]) -> Vec<Vec<Target>> {
    let joint = |target: &Target| matches!(target, Target::Vmdk | Target::Ova);
    let (joint, alone): (Vec<_>, Vec<_>) = targets.iter().copied().partition(joint);
    // The longest first.
    let units = [joint].into_iter().chain(alone.into_iter().map(|target| vec![target]));
    units.filter(|unit| !unit.is_empty()).collect()
}

/// The digests, as `sha256sum -c` reads them.
fn sums(exported: &Exported) -> String {
    let line = |sums, one: &ExportedFile| format!("{sums}{}  {}\n", one.sha256.hex(), one.file);
    exported.files.iter().fold(String::new(), line)
}

/// Gives all of them their names, the record last: where it stands, everything does.
fn name_all(folder: &Path, finished: Vec<Finished>, exported: &Exported) -> Result<(), ExportError> {
    let unnamed = |what, content: &[u8]| {
        let file = Unnamed::holding(folder, what, content);
        file.map(Arc::new).map_err(|error| job::no_file(folder, error))
    };
    let sums = sums(exported);
    let mut record = serde_json::to_vec_pretty(exported).map_err(io::Error::other)?;
    record.push(b'\n');
    let mut files: Vec<_> = finished.into_iter().map(|one| (one.exported.file, one.file)).collect();
    files.push((SUMS.to_owned(), unnamed("the digests", sums.as_bytes())?));
    files.push((RECORD.to_owned(), unnamed("the record", &record)?));
    // All on the disk first: the names then follow each other at once.
    for (_, file) in &files {
        rustix::fs::fsync(file.file()).map_err(io::Error::from)?;
    }
    for (number, (file_name, file)) in files.iter().enumerate() {
        let path = folder.join(file_name);
        if let Err(error) = name(file.file(), &path) {
            for (given, _) in &files[..number] {
                let _ = fs::remove_file(folder.join(given));
            }
            return Err(ExportError::File { path, why: error.to_string() });
        }
    }
    Ok(())
}
