//! A proof that checks notice what they guard: each fault is done to a machine of its own, and exactly its checks may fail.

mod boots;
mod ground;
mod proof;
mod sealed;
mod trial;
mod twins;

use std::{path::PathBuf, sync::Arc, time::Instant};

use kverify_checks::fault::{At, Fault};
use tokio::{sync::Semaphore, task::JoinSet};

use super::{Progress, RunError, forks};
use crate::machine::Spec;
use boots::shared;
use ground::Ground;
pub use proof::{Came, Proof, Tried, Twin};
use trial::Trial;
pub use twins::twins;

/// What is proven, and with which faults.
pub struct ProveRequest {
    /// The image.
    pub image: PathBuf,
    /// The hardware it is booted on.
    pub spec: Spec,
    /// The expectation, by name or by path of a file; `None` lets the guest say what it is.
    pub expect: Option<String>,
    /// The faults.
    pub faults: Vec<Fault>,
    /// How many untouched forks are asked everything; at least one is.
    pub untouched: usize,
    /// The installer medium, where the image is sealed and the faults are those of sealed disks.
    pub sealed: Option<PathBuf>,
    /// The folder for files without names.
    pub scratch: PathBuf,
}

/// Tries every fault, as many at once as the host has room for, and calls `told` with each as it comes.
///
/// Those that show after a boot share it where their checks are others; where such a boot shows something else than all of
/// them together, each is tried by itself. Dropping the future ends all machines.
///
/// # Errors
/// [`RunError`] where there is no machine to try them on.
pub async fn prove(
    request: &ProveRequest,
    progress: &(dyn Fn(Progress) + Sync),
    told: &(dyn Fn(&Tried) + Sync),
) -> Result<Proof, RunError> {
    if let Some(installer) = &request.sealed {
        return sealed::prove(request, installer, progress, told).await;
    }
    let started = Instant::now();
    let (ground, mut proof) = Ground::prepare(request, progress).await?;
    let ground = Arc::new(ground);
    let (at_once, limit) = forks::at_once(&request.scratch);
    let mut here = Vec::new();
    for fault in &request.faults {
        match ground.not_here(fault) {
            Some(why) => proof.add(Tried::of(fault, Came::NotHere { why }), told),
            None => here.push(fault.clone()),
        }
    }
    let trials = trials(here, request.untouched);
    let limit = limit.map(|why| format!(" ({why})")).unwrap_or_default();
    progress(Progress::Step { about: format!("{} machines, {at_once} at once{limit}", trials.len()) });
    let room = Arc::new(Semaphore::new(at_once));
    let mut going = JoinSet::new();
    let begin = |going: &mut JoinSet<Vec<Tried>>, trial: Trial| {
        let (ground, room) = (Arc::clone(&ground), Arc::clone(&room));
        going.spawn(async move {
            let _room = room.acquire().await;
            trial.run(&ground).await
        });
    };
    for trial in trials {
        begin(&mut going, trial);
    }
    while let Some(joined) = going.join_next().await {
        let came = match joined {
            Ok(came) => came,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => continue,
        };
        // What shared a boot and was not exact is tried again, each by itself.
        let again = came.len() > 1 && came.iter().any(|tried| !tried.caught());
        for tried in came {
            if again {
                if let Some(fault) = request.faults.iter().find(|fault| fault.id == tried.fault) {
                    begin(&mut going, Trial::one(fault.clone()));
                }
            } else {
                proof.add(tried, told);
            }
        }
    }
    proof.finish(ground.asked(), started.elapsed());
    Ok(proof)
}

/// An untouched machine of each kind that is needed, and the faults; those that take longest come first.
fn trials(faults: Vec<Fault>, untouched: usize) -> Vec<Trial> {
    let (boots, others): (Vec<_>, Vec<_>) = faults.into_iter().partition(|fault| fault.at == At::Boot);
    let again = (!boots.is_empty()).then(|| Trial::untouched(At::Boot));
    let boots = again.into_iter().chain(shared(boots).into_iter().map(Trial::together));
    let still = std::iter::repeat_with(|| Trial::untouched(At::Settled)).take(untouched.max(1));
    boots.chain(still).chain(others.into_iter().map(Trial::one)).collect()
}
