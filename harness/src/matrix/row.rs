//! One row, from getting its image to its report in its folder.

use std::{path::PathBuf, sync::Arc};

use jiff::Timestamp;
use kverify_checks::Origin;
use tokio::task::spawn_blocking;

use super::{
    Matrix, Ran, Row, Wanted,
    fetch::{FetchError, Fetched},
    ran::chain,
};
use crate::{
    image::Digest,
    machine::{MachineError, Spec},
    report::{Conclusion, Folder, FolderError, summary},
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
    /// The files that rows have wanted so far.
    pub fetched: Fetched,
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
    #[error("{at}: {why}")]
    File { at: Origin, why: Arc<FetchError> },
    #[error("{}: it cannot be hashed: {why}", path.display())]
    Hash { path: PathBuf, why: String },
    #[error("{}: it is {found}, and the matrix wants {wanted}", path.display())]
    Other { path: PathBuf, found: Digest, wanted: Digest },
    #[error("{}: it was {found} when it was booted, and the matrix wants {wanted}", path.display())]
    Changed { path: PathBuf, found: String, wanted: Digest },
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Untold {
    /// Whether it was the host that failed, so that another try may do better. What a guest did is never one of these: one
    /// that ends, or hangs, while it is asked may be asked again only by whoever answers for it.
    fn is_of_the_host(&self) -> bool {
        let Self::Run(error) = self else { return false };
        match error {
            RunError::Start(_) => true,
            RunError::Machine(error) | RunError::Reach(ReachError::Machine(error)) => {
                matches!(error, MachineError::Qemu { .. })
            }
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

/// A file that the row wants.
async fn got(order: &Order, row: &Row, wanted: &Wanted, step: &(dyn Fn(Step) + Sync)) -> Result<PathBuf, Untold> {
    let heard = |line: &str| step(Step::Said(format!("{}: {line}", row.name)));
    let got = order.fetched.get(wanted, &order.scratch, heard).await;
    got.map_err(|why| Untold::File { at: wanted.at.clone(), why })
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
    let image = got(order, row, &row.image, step).await?;
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
    let mut spec = row.hardware.of(&order.spec, row.timeout);
    if let Some(wanted) = &row.firmware_vars {
        waiting("the variables of its firmware are being got".to_owned());
        spec.firmware_vars = Some(got(order, row, wanted, step).await?);
    }
    waiting("its machine is being started".to_owned());
    let request = Request {
        credential: order.credential.clone(),
        expect: Some(row.expect.clone()),
        scenarios: row.scenarios.clone(),
        waivers: row.waivers.clone(),
        ..Request::new(image, spec, order.scratch.clone())
    };
    let progress = |progress: Progress| {
        match &progress {
            Progress::Booting { age, .. } => waiting(format!("it has been booting for {} s", age.as_secs())),
            Progress::Settled { .. } => waiting("it is being asked".to_owned()),
            _ => {}
        }
        step(Step::Run { row: row.name.clone(), progress });
    };
    let path = request.image.clone();
    let run = verify(&request, &progress).await?;
    // The file may have become another since it was hashed: what counts is what was booted.
    if let Some(wanted) = row.digest.filter(|wanted| wanted.to_string() != run.report.subject.digest) {
        return Err(Untold::Changed { path, found: run.report.subject.digest, wanted });
    }
    let facts = run.facts.text();
    let (written, why) = match folder.write(&run.files(&facts)) {
        Ok(folder) => {
            step(Step::Said(format!("{}: {}", row.name, summary(&run.report, &folder).trim_end())));
            (Some(folder), None)
        }
        // A refutation was paid for with a boot, and stays one.
        Err(error) if run.report.verdict == Conclusion::Refuted => {
            let why = format!("its report cannot be kept: {}", chain(&error));
            step(Step::Said(format!("{}: refuted; {why}", row.name)));
            (None, Some(why))
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Ran {
        row: row.name.clone(),
        started,
        verdict: run.report.verdict,
        why,
        of_the_host: false,
        subject: Some(run.report.subject),
        outcomes: run.report.outcomes,
        folder: written,
    })
}

#[cfg(test)]
mod tests {
    use super::Untold;
    use crate::{
        machine::MachineError,
        run::{ReachError, RunError},
    };

    #[test]
    fn only_what_the_host_did_is_tried_again() {
        let qemu = || MachineError::Qemu { status: "signal 9".to_owned(), complaints: String::new() };
        for error in [RunError::Machine(qemu()), RunError::Reach(ReachError::Machine(qemu()))] {
            assert!(Untold::Run(error).is_of_the_host());
        }
        let ended = RunError::Host("the machine ended while it was asked: powered off".to_owned());
        let hangs = RunError::Reach(ReachError::NoWayIn("no login".to_owned()));
        for error in [ended, hangs, RunError::Machine(MachineError::Network)] {
            assert!(!Untold::Run(error).is_of_the_host());
        }
    }
}
