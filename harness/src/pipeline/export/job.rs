//! Writing one format and proving it; VMDK and OVA together, since the one is inside the other.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use futures_util::future::try_join_all;
use tokio::task::spawn_blocking;

use super::{
    Compression, ExportError, ExportedFile, Target,
    convert::convert,
    gce,
    hash::digest_of,
    ova,
    prove::{Claim, prove},
    vmdk_text,
};
use crate::{
    image::{Image, Unnamed, UnnamedError},
    run::Progress,
};

/// What all formats of one export share.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) program: PathBuf,
    pub(super) image: Arc<Image>,
    pub(super) stem: String,
    pub(super) folder: PathBuf,
    pub(super) compression: Compression,
    pub(super) stop: Arc<AtomicBool>,
}

/// A file that is proven and has no name yet.
pub(super) struct Finished {
    pub(super) file: Arc<Unnamed>,
    pub(super) exported: ExportedFile,
    pub(super) wrote: f64,
    pub(super) proved: f64,
}

impl Job {
    /// Writes and proves the formats of one unit.
    ///
    /// # Errors
    /// [`ExportError`] of the first that fails.
    pub(super) async fn unit(
        &self,
        targets: &[Target],
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Vec<Finished>, ExportError> {
        let begun = Instant::now();
        let first = match targets {
            [Target::Gce] => Target::Gce,
            [Target::Vmdk | Target::Ova, ..] => Target::Vmdk,
            [first, ..] => *first,
            [] => return Ok(Vec::new()),
        };
        let file = match first {
            Target::Gce => self.archived().await?,
            first => self.converted(first).await?,
        };
        let wrote = seconds(begun);
        let finishing = targets.iter().map(|target| {
            let file = Arc::clone(&file);
            async move {
                let begun = Instant::now();
                let file = if *target == Target::Ova { self.packed(file).await? } else { file };
                let wrote = if *target == Target::Ova { wrote + seconds(begun) } else { wrote };
                progress(Progress::Step { about: format!("{target}: written in {wrote:.1} s") });
                let finished = self.proven(*target, file, wrote).await?;
                let (reader, proved) = (&finished.exported.proof.reader, finished.proved);
                progress(Progress::Step {
                    about: format!("{target}: equal to the image, says {reader}; {proved:.1} s"),
                });
                Ok(finished)
            }
        });
        try_join_all(finishing).await
    }

    /// What QEMU writes.
    async fn converted(&self, target: Target) -> Result<Arc<Unnamed>, ExportError> {
        let file = self.empty()?;
        let done = convert(&self.program, &self.image, target, self.compression, &file).await;
        done.map_err(|source| ExportError::Convert { target, source })?;
        if target == Target::Vmdk {
            let renamed = vmdk_text::rename(file.file(), &format!("{}.vmdk", self.stem));
            renamed.map_err(|source| ExportError::Write { target, source })?;
        }
        Ok(file)
    }

    /// The archive with the raw disk.
    async fn archived(&self) -> Result<Arc<Unnamed>, ExportError> {
        let target = Target::Gce;
        let (file, job) = (self.empty()?, self.clone());
        let into = Arc::clone(&file);
        let bytes = target.disk_bytes(self.image.virtual_size());
        let written = spawn_blocking(move || gce::write(&mut job.image.disk()?, bytes, into.file(), &job.stop)).await?;
        written.map_err(|stopped| ExportError::Write { target, source: stopped.stopped() })?;
        Ok(file)
    }

    /// The archive with a VMDK that is written.
    async fn packed(&self, vmdk: Arc<Unnamed>) -> Result<Arc<Unnamed>, ExportError> {
        let target = Target::Ova;
        let (file, job) = (self.empty()?, self.clone());
        let into = Arc::clone(&file);
        let packed = spawn_blocking(move || {
            let bytes = vmdk.file().metadata()?.len();
            let digest = digest_of(vmdk.file(), 0, bytes, &job.stop)?;
            let part = ova::Part { file: vmdk.file(), bytes, digest, disk_bytes: job.image.virtual_size() };
            ova::write(&job.stem, &part, into.file(), &job.stop)
        });
        packed.await?.map_err(|stopped| ExportError::Write { target, source: stopped.stopped() })?;
        Ok(file)
    }

    async fn proven(&self, target: Target, file: Arc<Unnamed>, wrote: f64) -> Result<Finished, ExportError> {
        let begun = Instant::now();
        let (job, read) = (self.clone(), Arc::clone(&file));
        let proven = spawn_blocking(move || {
            let claim = Claim { target, compression: job.compression, stem: &job.stem };
            let (proof, firmware) = prove(&claim, &job.image, &read, &job.stop)?;
            let bytes = read.file().metadata()?.len();
            Ok(ExportedFile {
                format: target,
                file: format!("{}.{}", job.stem, target.ending()),
                bytes,
                sha256: digest_of(read.file(), 0, bytes, &job.stop)?,
                virtual_bytes: target.disk_bytes(job.image.virtual_size()),
                firmware,
                proof,
            })
        });
        let exported = proven.await?.map_err(|flaw| ExportError::Unproven { target, flaw })?;
        Ok(Finished { file, exported, wrote, proved: seconds(begun) })
    }

    fn empty(&self) -> Result<Arc<Unnamed>, ExportError> {
        let file = Unnamed::create(&self.folder, "an exported file", 0);
        file.map(Arc::new).map_err(|error| no_file(&self.folder, error))
    }
}

/// The folder of an export is not one for scratch, and is named as such.
pub(super) fn no_file(folder: &Path, error: UnnamedError) -> ExportError {
    let why = match error {
        UnnamedError::Folder { source, .. } => format!("it takes no file: {source}; name another --out-dir"),
        other => other.to_string(),
    };
    ExportError::File { path: folder.to_owned(), why }
}

fn seconds(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64()
}
