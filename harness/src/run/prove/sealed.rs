//! Faults of sealed images: done to the disk from a rescue system, while its own system does not run.

use std::{collections::VecDeque, path::Path, sync::Arc, time::Instant};

use kverify_checks::{
    AnyCheck, Outcome, Output, Source, all,
    expect::Resolved,
    fault::{At, Fault},
    step::Step,
};
use tokio::task::spawn_blocking;

use super::{
    ProveRequest,
    boots::shared,
    proof::{Came, Proof, Tried},
    trial::flat,
};
use crate::{
    book,
    image::Image,
    rescue::{How, Offline},
    run::{
        Filter, Progress, RunError,
        check::judged_of,
        choose::given,
        hashing::Hashing,
        observed,
        plan::{Plan, elsewhere, lacks, there},
        twins::Twins,
    },
};

/// What the faults are done to.
struct Disk<'a> {
    image: Arc<Image>,
    installer: &'a Path,
    request: &'a ProveRequest,
    resolved: Resolved,
}

/// Tries the faults of sealed disks; those whose checks are others share a rescue system.
pub(super) async fn prove(
    request: &ProveRequest,
    installer: &Path,
    progress: &(dyn Fn(Progress) + Sync),
    told: &(dyn Fn(&Tried) + Sync),
) -> Result<Proof, RunError> {
    let begun = Instant::now();
    let resolved = given(&mut book::built_in(), request.expect.as_deref())?;
    let resolved = resolved.ok_or_else(|| {
        RunError::Host(
            "a system that does not run cannot say what is expected of it: name that with --expect".to_owned(),
        )
    })?;
    let image = Arc::new(Image::open(&request.image)?);
    let mut hashing = Hashing::begin(&image);
    let disk = Disk { image, installer, request, resolved };
    let digest = hashing.digest().await?;
    let mut proof = Proof::begin(disk.image.name(), digest, &disk.resolved);
    let asked: Vec<_> = disk.asked().collect();
    let mut here = Vec::new();
    for fault in &request.faults {
        let not_asked = fault.noticed().find(|id| !asked.contains(&id.as_str()));
        let why = match not_asked {
            _ if fault.at != At::Sealed => "it shows on a machine that runs".to_owned(),
            Some(id) => format!("{id} is not asked of the disk"),
            None => {
                here.push(fault.clone());
                continue;
            }
        };
        proof.add(Tried::of(fault, Came::NotHere { why }), told);
    }
    // The untouched disk comes first. Two machines show much of what else is done to a disk.
    let (on_twins, on_disk): (Vec<_>, Vec<_>) = here.into_iter().partition(shows_on_twins);
    let mut groups = VecDeque::from([Vec::new()]);
    groups.extend(shared(on_disk).into_iter().chain(shared(on_twins)));
    while let Some(faults) = groups.pop_front() {
        progress(Progress::Step { about: format!("a rescue system beside the disk: {} faults", faults.len()) });
        let begun = Instant::now();
        let outcomes = disk.tried(&faults).await;
        let tried = Tried::all(&faults, At::Sealed, &outcomes, begun.elapsed());
        if faults.len() > 1 && !tried.iter().all(Tried::caught) {
            let (one, other) = faults.split_at(faults.len() / 2);
            groups.extend([one.to_vec(), other.to_vec()]);
        } else {
            for one in tried {
                proof.add(one, told);
            }
        }
    }
    disk.image.unchanged()?;
    proof.finish(asked, begun.elapsed());
    Ok(proof)
}

impl Disk<'_> {
    /// What is asked of the disk: by the rescue system, of the file that it becomes, and by two machines of it.
    fn plan(&self) -> Plan {
        let plan = Plan::new(&self.resolved.expectation, &Filter::default(), &lacks(self.request.spec.network, true));
        plan.without(|check| !of_disk(check) && !of_twins(check))
    }

    fn asked(&self) -> impl Iterator<Item = &'static str> {
        let asked = self.plan().checks.into_iter().filter(|planned| planned.skip.is_none());
        asked.map(|planned| planned.check.about().id)
    }

    /// What is asked of a disk with these faults: two machines are made of it only where a fault shows on them.
    fn plan_for(&self, faults: &[Fault]) -> Plan {
        let twins = faults.iter().any(shows_on_twins);
        self.plan().without(|check| of_twins(check) && !twins)
    }

    /// What the disk shows once these faults were done to an overlay of it.
    async fn tried(&self, faults: &[Fault]) -> Result<Vec<Outcome>, String> {
        let (spec, scratch) = (&self.request.spec, self.request.scratch.as_path());
        let opened = Offline::open(&self.image, self.installer, spec, scratch, How::Writable).await;
        let offline = opened.map_err(words)?;
        for fault in faults {
            done(&offline, fault).await.map_err(|why| format!("{}: {why}", fault.id))?;
        }
        let plan = self.plan_for(faults);
        let (probes, twin) = elsewhere(&plan.checks);
        let outputs = offline.ask(&probes.iter().map(there).collect::<Vec<_>>()).await.map_err(words)?;
        let mut answers: Vec<_> = probes.into_iter().map(|probe| probe.source).zip(outputs).collect();
        let off = if faults.iter().any(cut_off) {
            offline.cut_off().await
        } else {
            offline.give_up().await.map_err(words)?
        };
        let image = Arc::new(flat(off, scratch, faults).await?);
        answers.extend(of_file(&image).await?);
        if !twin.is_empty() {
            let twins = Twins { image: &image, spec, scratch, progress: &|_| () };
            answers.extend(twins.answers(&self.plan().without(|check| !of_twins(check))).await?);
        }
        Ok(judged_of(answers, &self.resolved, &plan))
    }
}

/// What a file says of itself, all of it read.
async fn of_file(image: &Arc<Image>) -> Result<Vec<(Source, Output)>, String> {
    let image = Arc::clone(image);
    let read = move || [observed::image(&image), observed::content(&image)].concat();
    spawn_blocking(read).await.map_err(words)
}

/// Whether a rescue system and the file alone can answer.
fn of_disk(check: &dyn AnyCheck) -> bool {
    (check.fact().probes)().iter().all(|probe| matches!(probe.source, Source::Offline(_) | Source::Image(_)))
}

/// Whether it takes two machines of the image.
fn of_twins(check: &dyn AnyCheck) -> bool {
    (check.fact().probes)().iter().any(|probe| matches!(probe.source, Source::Twin(_)))
}

/// Whether one of the checks that have to notice takes two machines.
fn shows_on_twins(fault: &Fault) -> bool {
    all().any(|check| of_twins(check) && fault.noticed().any(|id| id == check.about().id))
}

/// Whether whoever did it left with a cut of the power, so that the pools are still somebody's.
fn cut_off(fault: &Fault) -> bool {
    fault.steps.iter().any(|step| matches!(step, Step::Crash(_)))
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn words(error: impl ToString) -> String {
    error.to_string()
}

async fn done(offline: &Offline, fault: &Fault) -> Result<(), String> {
    if holds(offline, fault).await? == Some(true) {
        return Err("its proof holds before anything was done".to_owned());
    }
    for step in &fault.steps {
        if let Step::Run(script) = step {
            let ran = offline.step("a step of the fault", &script.script).await;
            ran.map_err(|error| format!("{}: {error}", step.about()))?;
        }
    }
    if holds(offline, fault).await? == Some(false) {
        return Err("its proof does not hold: it was not done".to_owned());
    }
    Ok(())
}

/// Whether the proof of a fault holds, where it has one.
async fn holds(offline: &Offline, fault: &Fault) -> Result<Option<bool>, String> {
    let Some(proof) = &fault.proof else { return Ok(None) };
    let script = format!("if (\n{proof}\n) >/dev/null 2>&1; then echo kverify:holds; fi");
    let said = offline.step("the proof of the fault", &script).await.map_err(|error| error.to_string())?;
    Ok(Some(said.contains("kverify:holds")))
}
