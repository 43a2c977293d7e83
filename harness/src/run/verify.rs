//! One image, from opening it to its report.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use jiff::Timestamp;
use kverify_checks::{
    Book, Need, Outcome, Output, Probe, Source,
    expect::{ExpectError, Resolved},
    scenarios::Scenario,
};
use tokio::task::{JoinHandle, spawn_blocking};

use super::{
    Filter, GuestName, Progress,
    boot::boot,
    fingerprint::{check_set, expectation_digest},
    gather::{Answers, COLD},
    observed,
    plan::Plan,
    reach::{ReachError, Reached},
    rest::Rest,
    scenario::{Stage, unplayed},
    way_in::{NETWORK, WayIn},
};
use crate::{
    book::{self, SheetError},
    image::{Digest, DigestError, Image, ImageError, SeedError},
    machine::{Machine, MachineError, Spec, StartError},
    report::{Access, Carrier, Chosen, ChosenBy, Conclusion, MachineRecord, Report, Subject, Timings},
    session::{Credential, Session, SessionError},
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
    /// The scenarios that are played.
    pub scenarios: Vec<Scenario>,
    /// The folder for files without names.
    pub scratch: PathBuf,
}

/// A run's report, and what stands behind it.
pub struct Run {
    /// The record.
    pub report: Report,
    /// Everything that the console said.
    pub console: Vec<u8>,
    /// The full answers behind each check.
    pub answers: BTreeMap<String, Vec<(Source, Output)>>,
    /// The screen of a machine that never became ready, as PNG.
    pub screenshot: Option<Vec<u8>>,
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
    let given = given_expectation(&mut book, request.expect.as_deref())?;
    let image = Arc::new(Image::open(&request.image)?);
    let stop = StopOnDrop(Arc::new(AtomicBool::new(false)));
    let digest = hash(&image, &stop);
    let offline = Arc::clone(&image);
    let offline = spawn_blocking(move || observed::image(&offline));
    let way_in = WayIn::new(request.credential.clone())?;
    let (machine, reached) = boot(&image, &request.spec, &way_in, &request.scratch, progress).await?;
    let name = match &reached {
        Reached::Settled(arrival) => arrival.name.clone(),
        Reached::Ended(_) => GuestName::default(),
    };
    let (resolved, chosen_by) = expectation(&book, given, &name)?;
    let lacks = [(Need::Dns, "the network around the machine is closed, and has no name server")];
    let plan = Plan::new(&resolved.expectation, &request.filter, &lacks);
    let mut answers = Answers::default();
    for (source, output) in offline.await.map_err(host)? {
        answers.add(source, output);
    }
    for (source, output) in [observed::boot(&machine, &reached), observed::console(&machine)] {
        answers.add(source, output);
    }

    let mut record = record(&machine, &way_in);
    let console = machine.console().clone();
    let mut told = Told { outcomes: Vec::new(), progress };
    let mut screenshot = None;
    let mut forks = Vec::new();
    match reached {
        Reached::Settled(arrival) => {
            record.timings.login = Some(arrival.login.as_secs_f64());
            record.timings.settled = Some(arrival.settled.as_secs_f64());
            let begun = Instant::now();
            ask(&arrival.session, &machine, plan.machine_probes(), "quick", &mut answers, progress).await?;
            let (source, output) = observed::console(&machine);
            answers.add(source, output);
            told.judge(&mut answers, &plan, &resolved, true, None);
            record.timings.quick_checks = Some(begun.elapsed().as_secs_f64());
            let begun = Instant::now();
            let scenarios = !request.scenarios.is_empty();
            let rest = Rest { machine, session: arrival.session, scratch: &request.scratch, scenarios };
            let snapshot;
            (snapshot, forks) = rest.ask(&plan, &mut answers, &mut record, progress).await?;
            told.judge(&mut answers, &plan, &resolved, false, None);
            record.timings.deep_checks = Some(begun.elapsed().as_secs_f64());
            let (spec, scratch) = (&request.spec, request.scratch.as_path());
            let (way_in, image, resolved) = (&way_in, &image, &resolved);
            let stage = Stage { image, spec, way_in, scratch, resolved, snapshot, progress };
            for scenario in &request.scenarios {
                told.tell(stage.play(scenario).await);
            }
        }
        Reached::Ended(end) => {
            // A machine that QEMU itself lost has no screen; the console says what there is to say.
            screenshot = machine.screenshot().await.ok();
            let why = format!("not asked: {end}");
            for on_machine in [true, false] {
                told.judge(&mut answers, &plan, &resolved, on_machine, Some(&why));
            }
            for scenario in &request.scenarios {
                told.tell(unplayed(scenario, &why));
            }
            record.carrier = Carrier::None;
            record.console_tail = console.tail(12);
            drop(machine);
        }
    }
    let mut outcomes = told.outcomes;
    outcomes.sort_by(|one, other| one.check.cmp(&other.check));
    let console = console.bytes();
    progress(Progress::Hashing);
    let digest = digest.await.map_err(host)??;
    image.unchanged()?;
    let report = Report {
        kverify: env!("CARGO_PKG_VERSION").to_owned(),
        subject: Subject {
            name: image.name(),
            digest: digest.to_string(),
            bytes: image.file_size(),
            format: image.format().to_string(),
            disk_bytes: image.virtual_size(),
        },
        expectation: Chosen {
            name: resolved.name.clone(),
            chosen_by,
            digest: expectation_digest(&resolved.expectation),
        },
        check_set: check_set(),
        machines: [vec![record], forks].concat(),
        verdict: Conclusion::of(&outcomes),
        outcomes,
        started,
        finished: Timestamp::now(),
    };
    Ok(Run { report, console, answers: answers.by_check(plan.checks.iter()), screenshot })
}

fn host(error: impl std::fmt::Display) -> RunError {
    RunError::Host(error.to_string())
}

/// The expectation that the caller names, read before anything is started.
fn given_expectation(book: &mut Book, expect: Option<&str>) -> Result<Option<Resolved>, RunError> {
    let Some(expect) = expect else { return Ok(None) };
    let name = if book::is_file(expect) { book::add_file(book, expect.as_ref())? } else { expect.to_owned() };
    Ok(Some(book.resolve(&name)?))
}

fn expectation(book: &Book, given: Option<Resolved>, name: &GuestName) -> Result<(Resolved, ChosenBy), RunError> {
    if let Some(given) = given {
        return Ok((given, ChosenBy::Caller));
    }
    let id = name.id.as_deref();
    let version = name.version_id.as_deref();
    let chosen = id.and_then(|id| book::choose_by_os_release(book, id, version, name.profile.as_deref()));
    Ok(match chosen {
        Some(name) => (book.resolve(&name)?, ChosenBy::Guest),
        None => (book.resolve("golden")?, ChosenBy::Nobody),
    })
}

/// Ends the hashing when a run is given up.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

fn hash(image: &Arc<Image>, stop: &StopOnDrop) -> JoinHandle<Result<Digest, DigestError>> {
    let (image, stop) = (Arc::clone(image), Arc::clone(&stop.0));
    spawn_blocking(move || image.digest(|_| (), &stop))
}

/// Asks the machine itself.
pub(super) async fn ask(
    session: &Session,
    machine: &Machine,
    probes: Vec<Probe>,
    what: &'static str,
    answers: &mut Answers,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(), RunError> {
    let of = probes.len();
    if of == 0 {
        return Ok(());
    }
    let (sender, mut done) = tokio::sync::mpsc::unbounded_channel();
    let asked = session.ask(&probes, move |number| {
        // Nobody counts any more once the answer is there.
        let _ = sender.send(number);
    });
    let count = async {
        let mut count = 0;
        while done.recv().await.is_some() {
            count += 1;
            progress(Progress::Asking { done: count, of, what });
        }
        std::future::pending::<()>().await;
    };
    progress(Progress::Asking { done: 0, of, what });
    let outputs = tokio::select! {
        outputs = asked => outputs?,
        end = machine.over() => return Err(host(format_args!("the machine ended while it was asked: {}", end?))),
        () = count => unreachable!("it counts for ever"),
    };
    for (probe, output) in probes.into_iter().zip(outputs) {
        answers.add(probe.source, output);
    }
    Ok(())
}

/// The record of a machine that has just been booted.
fn record(machine: &Machine, way_in: &WayIn) -> MachineRecord {
    let (accel, why) = machine.accel();
    MachineRecord {
        id: COLD.to_owned(),
        memory_mib: machine.spec().memory_mib,
        cpus: machine.spec().cpus,
        firmware: "uefi".to_owned(),
        accelerator: accel.to_string(),
        accelerator_why: why.to_owned(),
        qemu: machine.qemu().to_owned(),
        boot: "cold".to_owned(),
        carrier: Carrier::Ssh,
        access: if way_in.seeded() { Access::Seeded } else { Access::Own },
        network: NETWORK.to_owned(),
        timings: Timings::default(),
        not_captured: None,
        console_tail: Vec::new(),
    }
}

/// The outcomes so far, each told as it comes.
struct Told<'a> {
    outcomes: Vec<Outcome>,
    progress: &'a (dyn Fn(Progress) + Sync),
}

impl Told<'_> {
    /// Judges what the machine itself answers, or else the rest.
    fn judge(
        &mut self,
        answers: &mut Answers,
        plan: &Plan,
        resolved: &Resolved,
        on_machine: bool,
        unasked: Option<&str>,
    ) {
        for planned in plan.checks.iter().filter(|planned| plan.on_machine(planned) == on_machine) {
            self.tell(answers.judge(planned, resolved, unasked));
        }
    }

    fn tell(&mut self, outcome: Outcome) {
        (self.progress)(Progress::Judged(Box::new(outcome.clone())));
        self.outcomes.push(outcome);
    }
}
