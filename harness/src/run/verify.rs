//! One image, from opening it to its report.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use kverify_checks::{
    Output, Source,
    expect::{ExpectError, Resolved},
    packages::Debian,
    scenarios::Scenario,
};
use tokio::task::spawn_blocking;

use super::{
    AdvisedError, Filter, Progress,
    advised::{Advised, join},
    ask::ask,
    begun::{Begun, State},
    choose::{expectation, given},
    facts::facts,
    fingerprint::{check_set, expectation_digest},
    gather::Answers,
    hashing::Hashing,
    observed,
    plan::{Plan, When, lacks},
    reach::ReachError,
    rest::Rest,
    scenario::Stage,
    sealed::Proof,
    told::Told,
    warm::{Kept, Warm},
    way_in::WayIn,
};
use crate::{
    book::{self, SheetError},
    gate::Waivers,
    image::{Digest, DigestError, Image, ImageError, Medium, SeedError},
    lab::Capture,
    machine::{Machine, MachineError, Snapshot, Spec, StartError},
    report::{Chosen, ChosenBy, Conclusion, Facts, Files, Report, Subject, sbom},
    rescue::RescueError,
    session::{Credential, SessionError},
};

/// What a caller wants verified, and how.
pub struct Request {
    /// The image.
    pub image: PathBuf,
    /// The hardware it is booted on.
    pub spec: Spec,
    /// The image's own account; `None` brings one by a seed.
    pub credential: Option<Credential>,
    /// The expectation, by name or by path of a file; `None` lets the guest say what it is.
    pub expect: Option<String>,
    /// Which checks are left out.
    pub filter: Filter,
    /// The installer medium that a seal is proven with, where the image is said to be sealed.
    pub sealed: Option<PathBuf>,
    /// Whether a machine that an earlier run captured is forked instead of booting, and this one's kept for later.
    pub warm: bool,
    /// Whether the captured machine is kept for the caller.
    pub keep: bool,
    /// The scenarios that are played.
    pub scenarios: Vec<Scenario>,
    /// The file of known vulnerabilities that packages are compared with.
    pub advisories: Option<PathBuf>,
    /// For how long the machine is left alone once it was asked, while what it wants of the world is watched.
    pub soak: Duration,
    /// What sees the network of the machine that is booted for the checks; neither forks nor scenarios' machines.
    pub capture: Option<Capture>,
    /// The failures that are borne.
    pub waivers: Waivers,
    /// The folder for files without names.
    pub scratch: PathBuf,
}

impl Request {
    /// All that is asked of an image without being told more, entered by a seed.
    #[must_use]
    pub fn new(image: PathBuf, spec: Spec, scratch: PathBuf) -> Self {
        Self {
            image,
            spec,
            credential: None,
            expect: None,
            filter: Filter::default(),
            sealed: None,
            warm: false,
            keep: false,
            scenarios: Vec::new(),
            advisories: None,
            soak: Duration::ZERO,
            capture: None,
            waivers: Waivers::default(),
            scratch,
        }
    }
}

/// A run's report, and what stands behind it.
pub struct Run {
    /// The record.
    pub report: Report,
    /// Everything that the console said.
    pub console: Vec<u8>,
    /// The full answers behind each check.
    pub answers: BTreeMap<String, Vec<(Source, Output)>>,
    /// What is known of the image.
    pub facts: Facts,
    /// The list of its packages, where they are known.
    pub sbom: Option<Vec<u8>>,
    /// The screen of a machine that never became ready, as PNG.
    pub screenshot: Option<Vec<u8>>,
    /// The captured machine, where the caller keeps it.
    pub snapshot: Option<Snapshot>,
}

impl Run {
    /// What goes into the folder of the report; `facts` is the text of the run's facts.
    pub(crate) fn files<'a>(&'a self, facts: &'a str) -> Files<'a> {
        Files {
            report: &self.report,
            console: &self.console,
            evidence: &self.answers,
            facts: Some(facts),
            sbom: self.sbom.as_deref(),
            screenshot: self.screenshot.as_deref(),
        }
    }
}

/// Why there is no report: nothing was found out about the image.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The image cannot be opened safely.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The image could not be read to its end.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// The expectation cannot be read.
    #[error(transparent)]
    Expect(#[from] ExpectError),
    /// The advisory file is of no use.
    #[error(transparent)]
    Advised(#[from] AdvisedError),
    /// The caller's expectation file cannot be read.
    #[error(transparent)]
    Sheet(#[from] SheetError),
    /// The seed could not be made.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// No key could be made.
    #[error("no key for this run: {0}")]
    Key(String),
    /// No machine could be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It is not known where the boot led to.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// The probes were not answered.
    #[error("the probes were not answered: {0}")]
    Ask(#[from] SessionError),
    /// The machine ended while it was asked.
    #[error("the machine ended while it was asked: {0}")]
    Machine(#[from] MachineError),
    /// A seal cannot be proven: there is no rescue system.
    #[error(transparent)]
    Rescue(#[from] RescueError),
    /// Something of the host's own failed.
    #[error("{0}")]
    Host(String),
}

/// Verifies one image. Dropping the future ends the machine.
///
/// # Errors
/// [`RunError`] where nothing can be said of the image; what a booted machine shows wrong is in the report.
pub async fn verify(request: &Request, progress: &(dyn Fn(Progress) + Sync)) -> Result<Run, RunError> {
    let started = Timestamp::now();
    let mut book = book::built_in();
    let mut named = given(&mut book, request.expect.as_deref())?;
    let advised = request.advisories.as_deref().map(Advised::read).transpose()?;
    join(advised.as_ref(), named.as_mut())?;
    let image = Arc::new(Image::open(&request.image)?);
    let mut hashing = Hashing::begin(&image);
    let offline = Arc::clone(&image);
    let offline = spawn_blocking(move || observed::image(&offline));
    let way_in = way_in(request)?;
    let warm = warm(request, &mut hashing, &way_in).await?;
    let begun = begin(request, &image, way_in, warm.as_ref(), progress).await?;
    let (mut resolved, chosen_by) = expectation(&book, named, &begun.name)?;
    join(advised.as_ref(), Some(&mut resolved))?;
    let plan = plan(request, &resolved);
    let mut answers = Answers::of(&begun.record.id);
    answers.extend(offline.await.map_err(host)?);
    let booted = begun.boot.as_ref().map(|boot| boot.1.stdout.clone()).unwrap_or_default();
    answers.extend(begun.boot.clone());
    let distro = [&begun.name.id, &begun.name.version_id].map(|part| part.clone().unwrap_or_default());
    let Begun { way_in, name, said_before, mut record, machine, state, entry, .. } = begun;
    let said = |machine: &Machine| [said_before.as_slice(), &machine.console().bytes()].concat();
    let mut console = said(&machine);
    // What an unfinished boot has not said yet is no evidence of anything.
    if !matches!(state, State::Unready { ended: false, .. }) {
        answers.extend([observed::console_of(&console)]);
    }

    record.timings.starved = machine.starved();
    let mut told = Told::new((&request.waivers, image.name()), &record, progress);
    let (mut screenshot, mut unready, mut forks, mut kept) = (None, None, Vec::new(), None);
    match state {
        State::Settled(session, captured) => {
            let begun = Instant::now();
            ask(&session, &machine, plan.machine_probes(), "quick", &mut answers, progress).await?;
            soak(&machine, request.soak, progress).await?;
            console = said(&machine);
            answers.extend([observed::console_of(&console)]);
            answers.extend(observed::network(&machine, &mut record.egress).await);
            told.judge(&mut answers, &plan, &resolved, When::Machine, None);
            record.timings.quick_checks = Some(begun.elapsed().as_secs_f64());
            let booted_now = captured.is_none();
            let (begun, scratch) = (Instant::now(), request.scratch.as_path());
            let wanted = !request.scenarios.is_empty() || request.keep || (request.warm && booted_now);
            let rest = Rest { machine, session, captured, scratch, wanted };
            let snapshot;
            (snapshot, forks) = rest.ask(&plan, &mut answers, &mut record, progress).await?;
            kept = snapshot.clone().filter(|_| request.keep);
            told.judge(&mut answers, &plan, &resolved, When::Forks, None);
            record.timings.deep_checks = Some(begun.elapsed().as_secs_f64());
            if let Some(installer) = &request.sealed {
                let (image, spec, way_in) = (&image, &request.spec, &way_in);
                let proof = Proof { image, installer, spec, scratch, way_in, progress };
                forks.extend(proof.ask(&plan.checks, &mut answers).await);
            }
            told.judge(&mut answers, &plan, &resolved, When::Sealed, None);
            if let (Some(warm), Some(snapshot), true) = (&warm, &snapshot, booted_now) {
                let kept = Kept { seed: way_in.seed().cloned(), name, boot: booted, record: record.clone() };
                keep(warm.clone(), snapshot.clone(), kept, console.clone(), progress).await;
            }
            let (spec, way_in, image, resolved) = (&request.spec, &way_in, &image, &resolved);
            let stage = Stage { image, spec, way_in, scratch, resolved, snapshot, progress };
            forks.extend(stage.play_all(&request.scenarios, &record, |outcome| told.tell(outcome)).await);
        }
        State::Unready { why, .. } => {
            // A machine that QEMU itself lost has no screen; the console says what there is to say.
            screenshot = machine.screenshot().await.ok();
            told.unasked(&mut answers, &plan, &resolved, &request.scenarios, &why);
            record.console_tail = machine.console().tail(12);
            console = said(&machine);
            unready = Some(why);
        }
    }
    drop(entry);
    let (mut outcomes, waivers) = (told.outcomes, told.waived);
    outcomes.sort_by(|one, other| one.check.cmp(&other.check));
    progress(Progress::Hashing);
    let digest = hashing.digest().await?;
    image.unchanged()?;
    let (subject, finished) = (subject(&image, digest), Timestamp::now());
    let facts = facts(&mut answers, &plan, unready.as_deref(), &subject, &record);
    let sbom = answers.read::<Debian>().map(|all| sbom(&subject, (&distro[0], &distro[1]), &all, finished));
    let report = Report {
        kverify: env!("CARGO_PKG_VERSION").to_owned(),
        subject,
        expectation: chosen(&resolved, chosen_by, advised),
        check_set: check_set(),
        machines: [vec![record], forks].concat(),
        waivers,
        sbom: sbom.as_deref().map(|sbom| Digest::of(sbom).to_string()),
        facts: Some(Digest::of(facts.text().as_bytes()).to_string()),
        verdict: Conclusion::of(&outcomes),
        outcomes,
        started,
        finished,
    };
    let answers = answers.by_check(plan.checks.iter());
    Ok(Run { report, console, answers, facts, sbom, screenshot, snapshot: kept })
}

/// Leaves the machine alone for a while.
async fn soak(machine: &Machine, time: Duration, progress: &(dyn Fn(Progress) + Sync)) -> Result<(), RunError> {
    if time.is_zero() {
        return Ok(());
    }
    progress(Progress::Soaking { time });
    tokio::select! {
        () = tokio::time::sleep(time) => Ok(()),
        end = machine.over() => Err(RunError::Host(format!("the machine ended while it was watched: {}", end?))),
    }
}

/// The caller's account or a seed; one that gives the machine a name, where it is to differ from another.
fn way_in(request: &Request) -> Result<WayIn, RunError> {
    let Some(installer) = &request.sealed else { return WayIn::new(request.credential.clone()) };
    // A medium that has no kernel is told before the boot.
    Medium::read(installer).map_err(RescueError::from)?;
    WayIn::named()
}

/// Where captured machines are kept, and the key of this one, where the caller wants it.
async fn warm(request: &Request, hashing: &mut Hashing, way_in: &WayIn) -> Result<Option<(Warm, String)>, RunError> {
    if !request.warm {
        return Ok(None);
    }
    let digest = hashing.digest().await?;
    let key = Warm::key(&digest.to_string(), &request.spec, way_in).map_err(host)?;
    Ok(Some((Warm::of_user().map_err(host)?, key)))
}

fn plan(request: &Request, resolved: &Resolved) -> Plan {
    let lacks = lacks(request.spec.network, request.sealed.is_some());
    Plan::new(&resolved.expectation, &request.filter, &lacks)
}

fn subject(image: &Image, digest: Digest) -> Subject {
    Subject {
        name: image.name(),
        digest: digest.to_string(),
        bytes: image.file_size(),
        format: image.format().to_string(),
        disk_bytes: image.virtual_size(),
    }
}

fn chosen(resolved: &Resolved, chosen_by: ChosenBy, advised: Option<Advised>) -> Chosen {
    Chosen {
        name: resolved.name.clone(),
        chosen_by,
        digest: expectation_digest(&resolved.expectation),
        advisories: advised.map(|advised| advised.digest),
    }
}

/// Forks a machine that was kept under this key, or boots one.
async fn begin(
    request: &Request,
    image: &Arc<Image>,
    way_in: WayIn,
    warm: Option<&(Warm, String)>,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Begun, RunError> {
    let cold = |way_in| Begun::cold(image, &request.spec, way_in, &request.scratch, request.capture.as_ref(), progress);
    let Some((warm, key)) = warm else { return cold(way_in).await };
    let entry = match warm.find(key, image, &request.scratch) {
        Ok(Some(entry)) => entry,
        Ok(None) => return cold(way_in).await,
        Err(why) => {
            progress(Progress::Dropped { why });
            return cold(way_in).await;
        }
    };
    progress(Progress::Warm { captured: entry.snapshot.at().to_string() });
    match Begun::warm(entry, way_in).await {
        Ok(begun) => Ok(begun),
        Err((why, way_in)) => {
            progress(Progress::Dropped { why });
            warm.drop(key).map_err(host)?;
            cold(way_in).await
        }
    }
}

/// Keeps a captured machine for later runs; that it cannot be kept changes nothing of this one.
async fn keep(
    (warm, key): (Warm, String),
    snapshot: Snapshot,
    kept: Kept,
    console: Vec<u8>,
    progress: &(dyn Fn(Progress) + Sync),
) {
    let written = spawn_blocking(move || warm.keep(&key, &snapshot, &kept, &console));
    let why_not = written.await.unwrap_or_else(|error| Err(error.to_string())).err();
    progress(Progress::Kept { why_not });
}

fn host(error: impl std::fmt::Display) -> RunError {
    RunError::Host(error.to_string())
}
