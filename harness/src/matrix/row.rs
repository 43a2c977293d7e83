//! One row, from getting its image to its report in its folder.

use std::path::PathBuf;

use jiff::Timestamp;
use tokio::task::spawn_blocking;

use super::{
    Matrix, Ran, Row,
    fetch::{FetchError, fetch},
    ran::chain,
};
use crate::{
    image::Digest,
    machine::Spec,
    report::{Files, Folder, FolderError, summary},
    run::{Progress, ReachError, Request, RunError, verify},
    session::Credential,
};

/// What is to be done with the rows of a matrix.
pub struct Order {
    /// The rows.
    pub matrix: Matrix,
    /// The folder that gets a folder of its name for each row, with the report, and beside them what is said of all.
    pub out: PathBuf,
    /// The hardware of every row that says nothing else.
    pub spec: Spec,
    /// The account of every image; `None` brings one by a seed.
    pub credential: Option<Credential>,
    /// The folder for files without names.
    pub scratch: PathBuf,
}

/// What is done with a row.
pub enum Step {
    /// A line for whoever watches.
    Said(String),
    /// A row that is run comes on.
    Run {
        /// Its name.
        row: String,
        /// How far it is.
        progress: Progress,
    },
}

/// Why nothing is known of a row.
#[derive(Debug, thiserror::Error)]
enum Untold {
    #[error(transparent)]
    Image(#[from] FetchError),
    #[error("{}: it cannot be hashed: {why}", path.display())]
    Hash { path: PathBuf, why: String },
    #[error("{}: it is {found}, and the matrix wants {wanted}", path.display())]
    Other { path: PathBuf, found: Digest, wanted: Digest },
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Untold {
    /// Whether it was the host that failed, so that another try may do better.
    fn is_of_the_host(&self) -> bool {
        let Self::Run(error) = self else { return false };
        match error {
            // More time is the caller's to give, and a way in the image's.
            RunError::Reach(why) => matches!(why, ReachError::Machine(_) | ReachError::Session(_)),
            RunError::Start(_) | RunError::Ask(_) | RunError::Machine(_) | RunError::Host(_) => true,
            _ => false,
        }
    }
}

/// Verifies one row; `waiting` is told what is waited for. A row of which nothing is known is an error in all that it asks.
pub(crate) async fn verified(
    order: &Order,
    row: &Row,
    waiting: &(dyn Fn(String) + Sync),
    step: &(dyn Fn(Step) + Sync),
) -> Ran {
    let started = Timestamp::now();
    match run(order, row, started, waiting, step).await {
        Ok(ran) => ran,
        Err(error) => {
            let why = chain(&error);
            step(Step::Said(format!("{}: no verdict: {why}", row.name)));
            Ran { of_the_host: error.is_of_the_host(), ..Ran::untold(row, order.spec.network, started, &why) }
        }
    }
}

async fn run(
    order: &Order,
    row: &Row,
    started: Timestamp,
    waiting: &(dyn Fn(String) + Sync),
    step: &(dyn Fn(Step) + Sync),
) -> Result<Ran, Untold> {
    let folder = Folder::prepare(&order.out.join(&row.name))?;
    waiting("its image is being got".to_owned());
    let image = fetch(row, |line| step(Step::Said(format!("{}: {line}", row.name)))).await?;
    step(Step::Said(format!("{}: {}", row.name, image.display())));
    if let Some(wanted) = row.digest {
        waiting("its image is being hashed".to_owned());
        let path = image.clone();
        let hashed = spawn_blocking(move || Digest::of_path(&path)).await.map_err(std::io::Error::other);
        let found = hashed.flatten().map_err(|error| Untold::Hash { path: image.clone(), why: error.to_string() })?;
        if found != wanted {
            return Err(Untold::Other { path: image, found, wanted });
        }
    }
    waiting("its machine is being started".to_owned());
    let request = Request {
        credential: order.credential.clone(),
        expect: Some(row.expect.clone()),
        scenarios: row.scenarios.clone(),
        waivers: row.waivers.clone(),
        ..Request::new(image, row.hardware.of(&order.spec, row.timeout), order.scratch.clone())
    };
    let progress = |progress: Progress| {
        match &progress {
            Progress::Booting { age, .. } => waiting(format!("it has been booting for {} s", age.as_secs())),
            Progress::Settled { .. } => waiting("it is being asked".to_owned()),
            _ => {}
        }
        step(Step::Run { row: row.name.clone(), progress });
    };
    let run = verify(&request, &progress).await?;
    let facts = run.facts.text();
    let files = Files {
        report: &run.report,
        console: &run.console,
        evidence: &run.answers,
        facts: Some(&facts),
        sbom: run.sbom.as_deref(),
        screenshot: run.screenshot.as_deref(),
    };
    let folder = folder.write(&files)?;
    step(Step::Said(format!("{}: {}", row.name, summary(&run.report, &folder).trim_end())));
    Ok(Ran {
        row: row.name.clone(),
        started,
        verdict: run.report.verdict,
        why: None,
        of_the_host: false,
        subject: Some(run.report.subject),
        outcomes: run.report.outcomes,
        folder: Some(folder),
    })
}
