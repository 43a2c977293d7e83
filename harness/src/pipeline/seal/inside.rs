//! The part of a seal that the image's own system does while it runs, from the boot to the clean power-off.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kverify_checks::boot::BootEnd;
use tokio::time::timeout;

use super::{
    SealError, SealRequest,
    summary::Sealed,
    survey::{self, Survey},
};
use crate::{
    image::Image,
    machine::{BootDisk, Machine, Off, with_last_words},
    rescue::last_lines,
    run::{Progress, Reached, RunError, WayIn, boot_disk},
    session::Session,
};

/// The steps of a system that has no tool of its own.
const GUEST: &str = include_str!("guest.sh");
const SURVEY_LIMIT: Duration = Duration::from_mins(1);
/// How long the system's own tool may take.
const TOOL_LIMIT: Duration = Duration::from_mins(10);
/// How long the caller's steps may take.
const STEPS_LIMIT: Duration = Duration::from_mins(30);
/// How long a shutdown may take: services have 90 s each to end.
const POWER_OFF_LIMIT: Duration = Duration::from_mins(3);

/// Boots an overlay of the image, seals the system in it, and gives the machine, switched off, with what it was asked.
pub(super) async fn inside(
    request: &SealRequest,
    image: &Arc<Image>,
    way_in: &WayIn,
    sealed: &mut Sealed,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(Off, Survey), SealError> {
    let begun = Instant::now();
    let disk = BootDisk::FineOverlayOf(Arc::clone(image));
    let (machine, reached) = boot_disk(disk, &request.spec, way_in, &request.scratch, None, progress).await?;
    let session = match reached.map_err(RunError::Reach)? {
        Reached::Settled(arrival) => arrival.session,
        Reached::Ended(end) => return Err(SealError::NotReady(with_last_words(end, &machine))),
    };
    sealed.stage("boot", begun);
    let guest = Guest { machine, session };
    let survey = Survey::read(&guest.run("looking at the system", survey::SCRIPT, SURVEY_LIMIT).await?)?;

    let begun = Instant::now();
    let (by, script) = match &survey.tool {
        Some(tool) => (tool.as_str(), format!("{tool} seal")),
        None => ("kverify", GUEST.to_owned()),
    };
    progress(Progress::Step { about: format!("the running system is sealed by {by}") });
    guest.run("sealing the running system", &script, TOOL_LIMIT).await?;
    by.clone_into(&mut sealed.sealed_by);
    sealed.stage("seal", begun);
    if let Some((path, script)) = &request.steps {
        let begun = Instant::now();
        progress(Progress::Step { about: format!("the steps of {path} run") });
        guest.run("the extra steps", script, STEPS_LIMIT).await?;
        sealed.steps = Some(path.clone());
        sealed.stage("steps", begun);
    }

    let begun = Instant::now();
    progress(Progress::Step { about: "the system powers off".to_owned() });
    let off = guest.power_off().await?;
    sealed.stage("power-off", begun);
    Ok((off, survey))
}

/// A running system that is sealed.
struct Guest {
    machine: Machine,
    session: Session,
}

impl Guest {
    /// Runs a script as root that has to end with 0.
    async fn run(&self, doing: &'static str, script: &str, limit: Duration) -> Result<String, SealError> {
        let ran = tokio::select! {
            ran = self.session.script(script, limit) => ran,
            end = self.machine.over() => return Err(SealError::NotReady(with_last_words(end?, &self.machine))),
        };
        match ran {
            Ok((0, said)) => Ok(said),
            Ok((status, said)) => Err(SealError::Step { doing, status, said: last_lines(&said) }),
            Err(source) => Err(SealError::Session { doing, source }),
        }
    }

    async fn power_off(self) -> Result<Off, SealError> {
        // The session ends with its connection, which the system is then not asked to wait for.
        drop(self.session);
        self.machine.press_power_button().await?;
        match timeout(POWER_OFF_LIMIT, self.machine.over()).await {
            Err(_) => Err(SealError::StillOn {
                limit: POWER_OFF_LIMIT,
                said: with_last_words("its power button was pressed", &self.machine),
            }),
            Ok(end) => match end? {
                BootEnd::PoweredOff => Ok(self.machine.switch_off().await),
                end => Err(SealError::NotReady(with_last_words(end, &self.machine))),
            },
        }
    }
}
