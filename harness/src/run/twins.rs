//! Two machines of one image, and what each of them says it is.

use std::{path::Path, sync::Arc};

use kverify_checks::{Output, Probe, Source, probe::MachineAspect, seal::Seeded};
use tokio::try_join;

use super::{
    Progress,
    boot::boot,
    observed,
    plan::{Plan, elsewhere, there},
    reach::{Arrival, Reached},
    way_in::WayIn,
};
use crate::{
    image::Image,
    machine::{Machine, Spec, with_last_words},
    session::Session,
};

/// Two machines that are made of an image at once.
pub(super) struct Twins<'a> {
    pub(super) image: &'a Arc<Image>,
    pub(super) spec: &'a Spec,
    pub(super) scratch: &'a Path,
    pub(super) progress: &'a (dyn Fn(Progress) + Sync),
}

impl Twins<'_> {
    /// Boots both, and gives their answers to a plan of checks that need two.
    ///
    /// # Errors
    /// Why one of them was not there to be asked.
    pub(super) async fn answers(&self, plan: &Plan) -> Result<Vec<(Source, Output)>, String> {
        let ways = [named()?, named()?];
        let (of_one, (_, of_other)) = (plan.machine_probes(), elsewhere(&plan.checks));
        let (one, other) = try_join!(self.asked(&ways[0], &of_one), self.asked(&ways[1], &of_other))?;
        let sources = of_one.into_iter().chain(of_other).map(|probe| probe.source);
        Ok(sources.zip(one.into_iter().chain(other)).chain([seeds(&ways[0], &ways[1])?]).collect())
    }

    async fn asked(&self, way_in: &WayIn, probes: &[Probe]) -> Result<Vec<Output>, String> {
        let who = |why: String| format!("{}: {why}", way_in.hostname().unwrap_or("a machine of the image"));
        let (machine, arrival) =
            arrived(self.image, self.spec, way_in, self.scratch, self.progress).await.map_err(who)?;
        asked(&machine, &arrival.session, probes).await.map_err(who)
    }
}

/// A way into a machine with a name of its own.
pub(super) fn named() -> Result<WayIn, String> {
    WayIn::named().map_err(|error| error.to_string())
}

/// A machine of the image that has settled, or why there is none.
pub(super) async fn arrived(
    image: &Arc<Image>,
    spec: &Spec,
    way_in: &WayIn,
    scratch: &Path,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(Machine, Arrival), String> {
    let booted = boot(image, spec, way_in, scratch, progress).await;
    let (machine, reached) = booted.map_err(|error| error.to_string())?;
    match reached {
        Ok(Reached::Settled(arrival)) => Ok((machine, *arrival)),
        Ok(Reached::Ended(end)) => Err(with_last_words(end, &machine)),
        Err(error) => Err(with_last_words(error, &machine)),
    }
}

/// What such a machine answers.
pub(super) async fn asked(machine: &Machine, session: &Session, probes: &[Probe]) -> Result<Vec<Output>, String> {
    let asked: Vec<_> = probes.iter().map(there).collect();
    tokio::select! {
        outputs = session.ask(&asked, |_| ()) => outputs.map_err(|error| error.to_string()),
        end = machine.over() => match end {
            Ok(end) => Err(format!("ended while it was asked: {end}")),
            Err(error) => Err(error.to_string()),
        },
    }
}

/// What the seeds of two machines said of them.
pub(super) fn seeds(one: &WayIn, other: &WayIn) -> Result<(Source, Output), String> {
    let name = |way_in: &WayIn| way_in.hostname().map(str::to_owned).ok_or("the first machine was given no name");
    let user = one.marks().map(|(user, _)| user.to_owned()).unwrap_or_default();
    let seeded = Seeded { hostnames: [name(one)?, name(other)?], user };
    Ok((Source::Machine(MachineAspect::Seeds), observed::json(&seeded)))
}
