//! Recording: one boot, and for each case of a plan what the machine answers to the probes of one fact.
//!
//! A case may break the machine first and mend it afterwards, so the recordings of failures are of real ones.

mod subjects;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use kverify_checks::{
    all,
    fact::FactKind,
    recording::{Answer, Recording, Says},
};
use serde::Deserialize;

use super::{Progress, RunError};
use crate::{machine::Spec, rescue::RescueError, session::Credential};
use subjects::Subjects;

/// The cases to record on one machine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The cases, in order.
    #[serde(rename = "case")]
    pub cases: Vec<Case>,
}

/// One recording to be made.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The fact's ID.
    pub fact: String,
    /// The last part of the recording's file name.
    pub name: String,
    /// What the machine is like.
    pub about: String,
    /// Shell as root that makes it so; it fails if it had no effect.
    pub before: Option<String>,
    /// Shell as root that undoes it.
    pub after: Option<String>,
    /// What each check must say of it.
    #[serde(default)]
    pub says: Vec<Says>,
}

/// What is recorded where.
pub struct RecordRequest {
    /// The image.
    pub image: PathBuf,
    /// The hardware it is booted on.
    pub spec: Spec,
    /// The image's own account; `None` brings one by a seed.
    pub credential: Option<Credential>,
    /// The installer medium, for facts about an image that does not run.
    pub installer: Option<PathBuf>,
    /// The cases.
    pub plan: Plan,
    /// The folder of the recordings.
    pub out: PathBuf,
    /// What the recordings say of where they come from.
    pub from: String,
    /// The folder for files without names.
    pub scratch: PathBuf,
}

/// Why a plan was not recorded to its end.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// There is no machine to record on.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A fact is asked in a rescue system, and there is nothing to start one with.
    #[error("the plan has facts about an image that does not run: name an installer medium with --installer")]
    NoInstaller,
    /// The rescue system did not answer, or a step in it failed.
    #[error(transparent)]
    Rescue(#[from] RescueError),
    /// The machine never became ready.
    #[error("the machine never became ready: {0}")]
    NotReady(String),
    /// No check judges a fact of that name.
    #[error("case {case}: no fact is called `{fact}`")]
    UnknownFact {
        /// The case.
        case: String,
        /// The name.
        fact: String,
    },
    /// A step failed, so the case is not what it says.
    #[error("case {case}: its `{step}` ended with {status}: {said}")]
    Step {
        /// The case.
        case: String,
        /// `before` or `after`.
        step: &'static str,
        /// The exit status.
        status: i32,
        /// What it said.
        said: String,
    },
    /// A recording could not be written.
    #[error("{}: cannot be written", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Records every case, calling `made` with each file as it is written.
///
/// # Errors
/// [`RecordError`] names the case; recordings made before it stay.
pub async fn record(
    request: &RecordRequest,
    progress: &(dyn Fn(Progress) + Sync),
    made: &(dyn Fn(&Path) + Sync),
) -> Result<(), RecordError> {
    let kinds = request.plan.cases.iter().map(kind).collect::<Result<Vec<_>, _>>()?;
    let subjects = Subjects::start(request, &kinds, progress).await?;
    for (case, kind) in request.plan.cases.iter().zip(kinds) {
        subjects.step(case, kind, "before", case.before.as_deref()).await?;
        let answers = subjects.gather(kind).await?;
        subjects.step(case, kind, "after", case.after.as_deref()).await?;
        let path = request.out.join(format!("{}.{}.toml", case.fact, case.name));
        write(&path, &request.from, case, answers)
            .map_err(|source| RecordError::Write { path: path.clone(), source })?;
        made(&path);
    }
    Ok(())
}

fn kind(case: &Case) -> Result<FactKind, RecordError> {
    let found = all().map(kverify_checks::AnyCheck::fact).find(|kind| kind.id == case.fact);
    found.ok_or_else(|| RecordError::UnknownFact { case: case.name.clone(), fact: case.fact.clone() })
}

fn write(path: &Path, from: &str, case: &Case, answers: Vec<Answer>) -> io::Result<()> {
    let recording = Recording {
        fact: case.fact.clone(),
        from: from.to_owned(),
        about: case.about.clone(),
        answers,
        says: case.says.clone(),
    };
    let text = toml::to_string_pretty(&recording).map_err(io::Error::other)?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)
}
