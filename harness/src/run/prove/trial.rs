//! One machine with a fault, or with several that share a boot, and what it shows.

use std::{
    os::unix::fs::FileExt,
    path::Path,
    time::{Duration, Instant},
};

use kverify_checks::{
    Outcome,
    fault::{At, Fault},
    step::Step,
};
use tokio::task::spawn_blocking;

use super::{ground::Ground, proof::Tried};
use crate::{
    image::{Image, flatten},
    machine::{Machine, Off, with_last_words},
    run::{
        actor::{Actor, Trouble},
        check::{check, judged_of, unasked},
        forks, observed,
        reach::{ReachError, Reached, reach},
    },
    session::Session,
};

/// How long the proof of a fault may take.
const PROOF: Duration = Duration::from_mins(2);

/// Faults that are done to one machine; none to an untouched one.
pub(super) struct Trial {
    at: At,
    faults: Vec<Fault>,
}

impl Trial {
    pub(super) fn one(fault: Fault) -> Self {
        Self { at: fault.at, faults: vec![fault] }
    }

    pub(super) fn together(faults: Vec<Fault>) -> Self {
        Self { at: At::Boot, faults }
    }

    pub(super) fn untouched(at: At) -> Self {
        Self { at, faults: Vec::new() }
    }

    /// What came of each of its faults.
    pub(super) async fn run(self, ground: &Ground) -> Vec<Tried> {
        let begun = Instant::now();
        let outcomes = match self.at {
            At::Settled => settled(ground, &self.faults).await,
            At::Boot => booted(ground, &self.faults).await,
            At::File => file(ground, &self.faults).await,
            At::Sealed => Err("it shows on the disk of a sealed image".to_owned()),
        };
        Tried::all(&self.faults, self.at, &outcomes, begun.elapsed())
    }
}

/// A fork that the steps of every fault were done to, each proven not to have been there before; and now, where the fault
/// shows at once.
async fn done<'a>(ground: &'a Ground, faults: &[Fault]) -> Result<Actor<'a>, String> {
    let (machine, session) = forks::fork(&ground.snapshot).await?;
    let mut actor = Actor::new(ground.setting(), machine, session);
    for fault in faults {
        if let Some(proof) = &fault.proof
            && let (0, _) = proven(&mut actor, proof).await?
        {
            return Err(format!("{}: its proof holds before anything was done", fault.id));
        }
        for step in &fault.steps {
            act(&mut actor, step).await.map_err(|why| format!("{}: {}: {why}", fault.id, step.about()))?;
        }
        if fault.at != At::Boot {
            there(&mut actor, fault).await?;
        }
    }
    Ok(actor)
}

async fn act(actor: &mut Actor<'_>, step: &Step) -> Result<(), String> {
    let (evidence, acted) = actor.act(step).await;
    acted.map_err(|trouble| format!("{} ({})", words(trouble), evidence.stdout.trim()))
}

async fn proven(actor: &mut Actor<'_>, proof: &str) -> Result<(i32, String), String> {
    actor.script(proof, PROOF).await.map_err(words)
}

/// Proves that a fault is there.
async fn there(actor: &mut Actor<'_>, fault: &Fault) -> Result<(), String> {
    let Some(proof) = &fault.proof else { return Ok(()) };
    match proven(actor, proof).await? {
        (0, _) => Ok(()),
        (code, said) => Err(format!("{}: its proof ends with {code}: it was not done: {}", fault.id, said.trim())),
    }
}

fn words(trouble: Trouble) -> String {
    match trouble {
        Trouble::Fail(why) | Trouble::Error(why) => why,
    }
}

/// What a machine shows at once.
async fn settled(ground: &Ground, faults: &[Fault]) -> Result<Vec<Outcome>, String> {
    let mut actor = done(ground, faults).await?;
    let (machine, session) = actor.on().map_err(words)?;
    let plan = ground.plan_for(faults);
    check(machine, session, &ground.resolved, &plan, ground.known()).await.map_err(|error| error.to_string())
}

/// What it shows after its next boot.
async fn booted(ground: &Ground, faults: &[Fault]) -> Result<Vec<Outcome>, String> {
    let off = done(ground, faults).await?.switched_off().await.map_err(words)?;
    let machine = off.start().await.map_err(|error| error.to_string())?;
    let reached = reach(&machine, &ground.way_in.credential, ground.way_in.seeded(), &|_| ()).await;
    let boot = reached.as_ref().ok().map(|reached| observed::boot(&machine, reached));
    let known = ground.known_booted(boot);
    let plan = ground.plan_for(faults);
    let unready = faults.iter().any(|fault| fault.unready);
    match reached {
        Ok(Reached::Settled(_)) if unready => Err("the machine settled all the same: it was not done".to_owned()),
        Ok(Reached::Settled(arrival)) => {
            let mut actor = Actor::new(ground.setting(), machine, arrival.session);
            for fault in faults {
                there(&mut actor, fault).await?;
            }
            let (machine, session): (&mut Machine, &mut Session) = actor.on().map_err(words)?;
            check(machine, session, &ground.resolved, &plan, known).await.map_err(|error| error.to_string())
        }
        Ok(Reached::Ended(end)) if unready => {
            Ok(unasked(&machine, &ground.resolved, &plan, known, &format!("not asked: {end}")))
        }
        Ok(Reached::Ended(end)) => Err(with_last_words(format!("it did not settle: {end}"), &machine)),
        Err(error @ (ReachError::NoWayIn(_) | ReachError::StillBooting { .. })) => {
            Err(with_last_words(error, &machine))
        }
        Err(error) => Err(error.to_string()),
    }
}

/// What the image file shows once the machine is off.
async fn file(ground: &Ground, faults: &[Fault]) -> Result<Vec<Outcome>, String> {
    let off = done(ground, faults).await?.switched_off().await.map_err(words)?;
    let image = flat(off, &ground.scratch, faults).await?;
    let answers = spawn_blocking(move || observed::image(&image)).await.map_err(|error| error.to_string())?;
    Ok(judged_of(answers, &ground.resolved, &ground.plan_for_file()))
}

/// The disk of a machine that is off as one file, with the damage of these faults done to it.
pub(super) async fn flat(off: Off, scratch: &Path, faults: &[Fault]) -> Result<Image, String> {
    let disk = off.disk().ok_or("its disk has no layers")?;
    let flat = flatten(&disk, "the faulty image", scratch, 0).await.map_err(|error| error.to_string())?;
    for damage in faults.iter().flat_map(|fault| &fault.damage) {
        let bytes = damage.bytes().map_err(|error| error.to_string())?;
        let written = flat.file().write_all_at(&bytes, damage.at);
        written.map_err(|error| format!("the image cannot be damaged at byte {}: {error}", damage.at))?;
    }
    Image::open(flat.fd_path()).map_err(|error| format!("the faulty image cannot be opened: {error}"))
}
