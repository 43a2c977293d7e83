//! Recording: one boot, and for each case of a plan what the machine answers to the probes of one fact.
//!
//! A case may break the machine first and mend it afterwards, so the recordings of failures are of real ones.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use kverify_checks::{
    Output, Probe, Source, all,
    fact::FactKind,
    recording::{Answer, Recording, Says},
};
use serde::Deserialize;

use super::{
    Progress, RunError,
    boot::boot,
    observed,
    reach::{Arrival, Reached},
    way_in::WayIn,
};
use crate::{
    image::Image,
    machine::{Machine, Spec},
    session::Credential,
};

/// How long the steps before and after a case may take.
const STEP: Duration = Duration::from_mins(5);

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
    for case in &request.plan.cases {
        kind(case)?;
    }
    let image = Arc::new(Image::open(&request.image).map_err(RunError::from)?);
    let offline = Arc::clone(&image);
    let offline = tokio::task::spawn_blocking(move || observed::image(&offline)).await;
    let offline = offline.map_err(|error| RunError::Host(error.to_string()))?;
    let way_in = WayIn::new(request.credential.clone())?;
    let (machine, reached) = boot(&image, &request.spec, &way_in, &request.scratch, progress).await?;
    let reached = reached.map_err(RunError::Reach)?;
    let booted = observed::boot(&machine, &reached);
    let arrival = match reached {
        Reached::Settled(arrival) => arrival,
        Reached::Ended(end) => return Err(RecordError::NotReady(end.to_string())),
    };
    for case in &request.plan.cases {
        step(&arrival, case, "before", case.before.as_deref()).await?;
        let known = offline.iter().cloned().chain([booted.clone(), observed::console(&machine)]).collect();
        let answers = gather(&arrival, &machine, kind(case)?, known).await?;
        step(&arrival, case, "after", case.after.as_deref()).await?;
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

async fn step(arrival: &Arrival, case: &Case, step: &'static str, script: Option<&str>) -> Result<(), RecordError> {
    let Some(script) = script else { return Ok(()) };
    let script = format!("set -e\n{script}\n");
    let (status, said) = arrival.session.script(&script, STEP).await.map_err(RunError::from)?;
    if status == 0 {
        return Ok(());
    }
    Err(RecordError::Step { case: format!("{}.{}", case.fact, case.name), step, status, said: said.trim().to_owned() })
}

async fn gather(
    arrival: &Arrival,
    machine: &Machine,
    kind: FactKind,
    known: Vec<(Source, Output)>,
) -> Result<Vec<Answer>, RecordError> {
    let probes = (kind.probes)();
    let in_guest = |probe: &&Probe| matches!(probe.source, Source::Command(_) | Source::File(_));
    let asked: Vec<Probe> = probes.iter().filter(in_guest).cloned().collect();
    let mut outputs = known;
    if !asked.is_empty() {
        let answered = tokio::select! {
            answered = arrival.session.ask(&asked, |_| ()) => answered.map_err(RunError::from)?,
            end = machine.over() => return Err(RecordError::NotReady(end.map_err(RunError::from)?.to_string())),
        };
        outputs.extend(asked.into_iter().map(|probe| probe.source).zip(answered));
    }
    let answer = |probe: &Probe| {
        let output = outputs.iter().find(|(source, _)| *source == probe.source).map(|(_, output)| output);
        output.map(|output| Answer::of(probe, output))
    };
    let missing = || RunError::Host(format!("not every probe of {} was answered", kind.id));
    Ok(probes.iter().map(answer).collect::<Option<Vec<_>>>().ok_or_else(missing)?)
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
