//! `kverify store`: putting a tested image where channels can point to it.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};

use super::{
    attest::{ATTESTATION, SIGNED_EXPORT},
    said::Said,
};
use crate::{
    gate::Envelope,
    pipeline::{
        golden::{Parts, TEMPLATE, called},
        shelf::{Git, Papers, keep, keep_export},
        store::Store,
    },
    report::{REPORT, Report, SBOM},
};

/// Options of `kverify store`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The image that was verified.
    image: PathBuf,
    #[command(flatten)]
    pub(crate) store: At,
    /// The folder of a signed report about it; more than one may be given.
    #[arg(long, value_name = "DIR", required = true)]
    report: Vec<PathBuf>,
    /// The folder of a signed export of it, whose files are put beside it; more than one may be given.
    #[arg(long, value_name = "DIR")]
    export: Vec<PathBuf>,
    /// Its name [default: golden-<expectation>-v<date>-<commit of the working folder>, and -dirty
    /// where that has changes].
    #[arg(long)]
    name: Option<String>,
}

/// Which store is meant.
#[derive(Debug, clap::Args)]
pub(crate) struct At {
    /// The store: a folder, `s3://bucket/prefix`, `gs://…` or `az://…`; credentials come from the environment.
    #[arg(long = "store", value_name = "URL", env = "KVERIFY_STORE")]
    location: String,
}

impl At {
    pub(crate) fn open(&self) -> anyhow::Result<Store> {
        Ok(Store::open(&self.location)?)
    }

    /// Whether it can be asked without making it first: a folder has to be there.
    pub(crate) fn is_there(&self) -> bool {
        self.location.contains("://") || Path::new(&self.location).exists()
    }
}

/// Stores an image with its signed reports.
pub(crate) async fn said(args: &Args) -> anyhow::Result<Said> {
    let papers = args.report.iter().map(|folder| papers(folder)).collect::<anyhow::Result<Vec<_>>>()?;
    let git = Git::of(Path::new("."));
    let name = match &args.name {
        Some(name) => name.clone(),
        None => default_name(&papers[0], git.as_ref())?,
    };
    let file = File::open(&args.image).with_context(|| args.image.display().to_string())?;
    let exports = args.export.iter().map(|folder| Ok((signed_export(folder)?, folder)));
    let exports = exports.collect::<anyhow::Result<Vec<_>>>()?;
    let store = args.store.open()?;
    let (put, manifest) = keep(&store, &file, &papers, (&name, git)).await?;
    let how = if put.already_there { "was there" } else { "stored" };
    let mut text = format!("{how}: {name}\n  image   {}\n  at      {}\n", manifest.digest, put.key);
    for (envelope, folder) in exports {
        let (exported, new) = keep_export(&store, manifest.digest, &envelope, folder).await?;
        let formats: Vec<_> = exported.files.iter().map(|file| file.format.to_string()).collect();
        let _ = writeln!(text, "  export  {}; {new} of {} files were new", formats.join(", "), formats.len());
    }
    Ok(Said::well(text))
}

fn signed_export(folder: &Path) -> anyhow::Result<Envelope> {
    let path = folder.join(SIGNED_EXPORT);
    let not_signed = || format!("not signed; `kverify attest {}` does", folder.display());
    let text = fs::read(&path).with_context(|| path.display().to_string()).with_context(not_signed)?;
    Envelope::parse(&text).with_context(|| path.display().to_string())
}

fn papers(folder: &Path) -> anyhow::Result<Papers> {
    let read = |name: &str| fs::read(folder.join(name)).with_context(|| folder.join(name).display().to_string());
    let report = read(REPORT)?;
    let attestation =
        read(ATTESTATION).with_context(|| format!("not signed; `kverify attest {}` does", folder.display()))?;
    let sbom = match fs::read(folder.join(SBOM)) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        sbom => Some(sbom.with_context(|| folder.join(SBOM).display().to_string())?),
    };
    Ok(Papers { report, attestation, sbom })
}

fn default_name(papers: &Papers, git: Option<&Git>) -> anyhow::Result<String> {
    let report: Report = serde_json::from_slice(&papers.report)?;
    let parts = Parts { expect: &report.expectation.name, at: report.started, git };
    called(TEMPLATE, &parts).map_err(|why| anyhow!("{why}, with --name"))
}
