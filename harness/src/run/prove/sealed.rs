//! Faults of sealed images: done to the disk from a rescue system, while its own system does not run.

use std::{collections::VecDeque, path::Path, sync::Arc, time::Instant};

use kverify_checks::{
    AnyCheck, Outcome, Source,
    expect::Resolved,
    fault::{At, Fault},
    step::Step,
};

use super::{
    ProveRequest,
    boots::shared,
    proof::{Came, Proof, Tried},
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
        plan::{Plan, elsewhere, lacks, there},
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
    // The untouched disk comes first.
    let mut groups = VecDeque::from([Vec::new()]);
    groups.extend(shared(here));
    while let Some(faults) = groups.pop_front() {
        progress(Progress::Step { about: format!("a rescue system beside the disk: {} faults", faults.len()) });
        let begun = Instant::now();
        let outcomes = disk.tried(&faults).await;
        let tried = Tried::all(&faults, At::Sealed, &outcomes, begun.elapsed());
        if faults.len() > 1 && !tried.iter().all(Tried::caught) {
            groups.extend(faults.into_iter().map(|fault| vec![fault]));
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
    /// What is asked of the disk alone.
    fn plan(&self) -> Plan {
        let offline = |check: &dyn AnyCheck| {
            (check.fact().probes)().iter().all(|probe| matches!(probe.source, Source::Offline(_)))
        };
        let plan = Plan::new(&self.resolved.expectation, &Filter::default(), &lacks(self.request.spec.network, true));
        plan.without(|check| !offline(check))
    }

    fn asked(&self) -> impl Iterator<Item = &'static str> {
        let asked = self.plan().checks.into_iter().filter(|planned| planned.skip.is_none());
        asked.map(|planned| planned.check.about().id)
    }

    /// What the disk shows once these faults were done to an overlay of it.
    async fn tried(&self, faults: &[Fault]) -> Result<Vec<Outcome>, String> {
        let (spec, scratch) = (&self.request.spec, self.request.scratch.as_path());
        let opened = Offline::open(&self.image, self.installer, spec, scratch, How::Writable).await;
        let offline = opened.map_err(|error| error.to_string())?;
        for fault in faults {
            done(&offline, fault).await.map_err(|why| format!("{}: {why}", fault.id))?;
        }
        let plan = self.plan();
        let (probes, _) = elsewhere(&plan.checks);
        let outputs = offline.ask(&probes.iter().map(there).collect::<Vec<_>>()).await;
        offline.end().await;
        let outputs = outputs.map_err(|error| error.to_string())?;
        let answers = probes.into_iter().map(|probe| probe.source).zip(outputs).collect();
        Ok(judged_of(answers, &self.resolved, &plan))
    }
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
