//! The machines that a plan is recorded on: a guest, another of the same image, a rescue system beside the disk; each is
//! started only if a case asks it.

use std::{sync::Arc, time::Duration};

use kverify_checks::{Output, Probe, Source, fact::FactKind, probe::ImageAspect, recording::Answer};
use tokio::task::spawn_blocking;

use super::{Case, RecordError, RecordRequest};
use crate::{
    image::Image,
    machine::Machine,
    rescue::{How, Offline},
    run::{
        Progress, RunError,
        boot::boot,
        observed,
        plan::there,
        reach::{Arrival, Reached},
        twins::seeds,
        way_in::WayIn,
    },
};

/// How long the steps before and after a case may take.
const STEP: Duration = Duration::from_mins(5);
/// A booted system.
struct Guest {
    machine: Machine,
    arrival: Box<Arrival>,
    booted: (Source, Output),
}

/// Everything that cases are recorded on.
pub(super) struct Subjects {
    guest: Option<Guest>,
    twin: Option<Guest>,
    offline: Option<Offline>,
    /// What is known without asking.
    known: Vec<(Source, Output)>,
}

impl Subjects {
    /// Starts what the plan asks.
    pub(super) async fn start(
        request: &RecordRequest,
        kinds: &[FactKind],
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Self, RecordError> {
        let asks = |of: fn(&Source) -> bool| kinds.iter().any(|kind| asks(*kind, of));
        let image = Arc::new(Image::open(&request.image).map_err(RunError::from)?);
        let read = Arc::clone(&image);
        let content = asks(|source| *source == Source::Image(ImageAspect::Content));
        let read = spawn_blocking(move || {
            let content = if content { observed::content(&read) } else { Vec::new() };
            [observed::image(&read), content].concat()
        });
        let read = read.await;
        let mut known = read.map_err(|error| RunError::Host(error.to_string()))?;
        let (mut guest, mut twin, mut offline) = (None, None, None);
        let twins = asks(is_twin);
        if asks(is_offline) {
            let installer = request.installer.as_deref().ok_or(RecordError::NoInstaller)?;
            let (spec, scratch) = (&request.spec, request.scratch.as_path());
            offline = Some(Offline::open(&image, installer, spec, scratch, How::Writable).await?);
        }
        if kinds.iter().any(|kind| !asks_only_offline(*kind)) {
            let way_in = if twins { WayIn::named() } else { WayIn::new(request.credential.clone()) }?;
            guest = Some(Guest::boot(&image, request, &way_in, progress).await?);
            if twins {
                let other = WayIn::named()?;
                known.push(seeds(&way_in, &other).map_err(RunError::Host)?);
                twin = Some(Guest::boot(&image, request, &other, progress).await?);
            }
        }
        Ok(Self { guest, twin, offline, known })
    }

    /// Runs a step of a case where its fact is asked; of twins, on the first.
    pub(super) async fn step(
        &self,
        case: &Case,
        kind: FactKind,
        step: &'static str,
        script: Option<&str>,
    ) -> Result<(), RecordError> {
        let Some(script) = script else { return Ok(()) };
        if let (true, Some(offline)) = (asks_only_offline(kind), &self.offline) {
            offline.step("a step of the plan", script).await?;
            return Ok(());
        }
        let Some(guest) = &self.guest else { return Ok(()) };
        let script = format!("set -e\n{script}\n");
        let (status, said) = guest.arrival.session.script(&script, STEP).await.map_err(RunError::from)?;
        if status == 0 {
            return Ok(());
        }
        let (case, said) = (format!("{}.{}", case.fact, case.name), said.trim().to_owned());
        Err(RecordError::Step { case, step, status, said })
    }

    /// The answers to the probes of a fact.
    pub(super) async fn gather(&self, kind: FactKind) -> Result<Vec<Answer>, RecordError> {
        let probes = (kind.probes)();
        let mut outputs = self.known.clone();
        if let Some(guest) = &self.guest {
            outputs.extend([guest.booted.clone(), observed::console_of(&guest.machine.console().bytes())]);
            outputs.extend(guest.ask(&probes, |source| matches!(source, Source::Command(_) | Source::File(_))).await?);
            outputs.extend(observed::network(&guest.machine, &mut None).await);
        }
        if let Some(twin) = &self.twin {
            outputs.extend(twin.ask(&probes, is_twin).await?);
        }
        if let Some(offline) = &self.offline {
            let asked: Vec<_> = probes.iter().filter(|probe| is_offline(&probe.source)).cloned().collect();
            if !asked.is_empty() {
                let answered = offline.ask(&asked.iter().map(there).collect::<Vec<_>>()).await?;
                outputs.extend(asked.into_iter().map(|probe| probe.source).zip(answered));
            }
        }
        let answer = |probe: &Probe| {
            let output = outputs.iter().find(|(source, _)| *source == probe.source).map(|(_, output)| output);
            output.map(|output| Answer::of(probe, output))
        };
        let missing = || RunError::Host(format!("not every probe of {} was answered", kind.id));
        Ok(probes.iter().map(answer).collect::<Option<Vec<_>>>().ok_or_else(missing)?)
    }
}

impl Guest {
    async fn boot(
        image: &Arc<Image>,
        request: &RecordRequest,
        way_in: &WayIn,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Self, RecordError> {
        let (machine, reached) = boot(image, &request.spec, way_in, &request.scratch, progress).await?;
        let reached = reached.map_err(RunError::Reach)?;
        let booted = observed::boot(&machine, &reached);
        match reached {
            Reached::Settled(arrival) => Ok(Self { machine, arrival, booted }),
            Reached::Ended(end) => Err(RecordError::NotReady(end.to_string())),
        }
    }

    async fn ask(&self, probes: &[Probe], of: fn(&Source) -> bool) -> Result<Vec<(Source, Output)>, RecordError> {
        let probes: Vec<_> = probes.iter().filter(|probe| of(&probe.source)).collect();
        if probes.is_empty() {
            return Ok(Vec::new());
        }
        let asked: Vec<_> = probes.iter().map(|probe| there(probe)).collect();
        let answered = tokio::select! {
            answered = self.arrival.session.ask(&asked, |_| ()) => answered.map_err(RunError::from)?,
            end = self.machine.over() => return Err(RecordError::NotReady(end.map_err(RunError::from)?.to_string())),
        };
        Ok(probes.into_iter().map(|probe| probe.source.clone()).zip(answered).collect())
    }
}

fn asks(kind: FactKind, of: fn(&Source) -> bool) -> bool {
    (kind.probes)().iter().any(|probe| of(&probe.source))
}

fn is_offline(source: &Source) -> bool {
    matches!(source, Source::Offline(_))
}

fn is_twin(source: &Source) -> bool {
    matches!(source, Source::Twin(_))
}

/// Whether a fact is gathered without booting the image.
fn asks_only_offline(kind: FactKind) -> bool {
    (kind.probes)().iter().all(|probe| is_offline(&probe.source) || matches!(probe.source, Source::Image(_)))
}
