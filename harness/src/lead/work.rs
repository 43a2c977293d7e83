//! The leader's work: one row after the other, from getting its image to its report in its folder.

use std::{fs, io, path::PathBuf, sync::Arc};

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{
    LeadError,
    desk::{Desk, State},
    fetch::{FetchError, fetch},
    ran::{Ran, chain},
};
use crate::{
    machine::Spec,
    matrix::{Matrix, Row},
    report::{Files, Folder, FolderError, junit, summary},
    run::{Progress, Request, RunError, verify},
    session::Credential,
};

/// The file that tells of all rows.
const JUNIT: &str = "junit.xml";

/// What a leader is to do when it is asked.
pub struct Order {
    /// The rows.
    pub matrix: Matrix,
    /// The folder that gets `junit.xml`, and for each row a folder of its name with the report.
    pub out: PathBuf,
    /// The hardware of every row.
    pub spec: Spec,
    /// The account of every image; `None` brings one by a seed.
    pub credential: Option<Credential>,
    /// The folder for files without names.
    pub scratch: PathBuf,
}

/// What a leader does.
pub enum Step {
    /// A line for whoever watches.
    Said(String),
    /// The row that is run comes on.
    Run(Progress),
}

/// Why nothing is known of a row.
#[derive(Debug, thiserror::Error)]
enum Untold {
    #[error(transparent)]
    Image(#[from] FetchError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Order {
    /// Takes away what an earlier run said of the whole matrix: nothing stale may pass for what this one says.
    pub(super) fn clear(&self) -> Result<(), LeadError> {
        let path = self.out.join(JUNIT);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(LeadError::Stale { path, source }),
            _ => Ok(()),
        }
    }

    /// Writes what is known of all rows so far, whole or not at all.
    fn write(&self, rows: &[Arc<Ran>]) -> io::Result<()> {
        let rows: Vec<_> = rows.iter().map(|ran| (ran.row.as_str(), &ran.outcomes[..], ran.started)).collect();
        let unfinished = self.out.join(format!(".{JUNIT}"));
        fs::create_dir_all(&self.out)?;
        fs::write(&unfinished, junit::matrix(&rows))?;
        fs::rename(unfinished, self.out.join(JUNIT))
    }
}

/// Runs the rows whose numbers come from `queue`, until it is closed.
pub(super) async fn work(
    order: &Order,
    desk: &Desk,
    mut queue: mpsc::UnboundedReceiver<usize>,
    step: &(dyn Fn(Step) + Sync),
) {
    while let Some(number) = queue.recv().await {
        let Some(row) = order.matrix.rows.get(number) else { continue };
        let waiting = |doing: String| desk.set(number, State::Waiting(doing));
        let started = Timestamp::now();
        let ran = match run(order, row, started, &waiting, step).await {
            Ok(ran) => ran,
            Err(error) => {
                let why = chain(&error);
                step(Step::Said(format!("{}: no verdict: {why}", row.name)));
                Ran::untold(row, started, &why)
            }
        };
        let ended: Vec<_> = desk.ended().into_iter().chain([Arc::new(ran)]).collect();
        if let Err(error) = order.write(&ended) {
            step(Step::Said(format!("{}: cannot be written: {error}", order.out.join(JUNIT).display())));
        }
        // Told last: whoever has all answers finds all files.
        if let Some(ran) = ended.last() {
            desk.set(number, State::Ended(Arc::clone(ran)));
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
    waiting("its machine is being started".to_owned());
    let request = Request {
        credential: order.credential.clone(),
        expect: Some(row.expect.clone()),
        scenarios: row.scenarios.clone(),
        ..Request::new(image, order.spec.clone(), order.scratch.clone())
    };
    let progress = |progress: Progress| {
        match &progress {
            Progress::Booting { age, .. } => waiting(format!("it has been booting for {} s", age.as_secs())),
            Progress::Settled { .. } => waiting("it is being asked".to_owned()),
            _ => {}
        }
        step(Step::Run(progress));
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
    Ok(Ran { row: row.name.clone(), outcomes: run.report.outcomes, started, folder: Some(folder) })
}
