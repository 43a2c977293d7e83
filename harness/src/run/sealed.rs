//! The proof of a seal: the disk is walked beside a rescue system, and another machine is made of the image.

use std::{path::Path, sync::Arc, time::Instant};

use kverify_checks::{Probe, Source, probe::ImageAspect};
use tokio::task::spawn_blocking;

use super::{
    Progress,
    begun::record_of,
    gather::Answers,
    observed,
    plan::{Planned, elsewhere, there},
    twins::{arrived, asked, named, seeds},
    way_in::WayIn,
};
use crate::{
    image::Image,
    machine::Spec,
    report::{Access, Carrier, MachineRecord, TWIN, Timings},
    rescue::{How, Offline, RescueError},
};

/// The name of the machine that was not booted by its own system.
const RESCUE: &str = "rescue-1";

/// What a seal is proven with.
pub(super) struct Proof<'a> {
    pub(super) image: &'a Arc<Image>,
    pub(super) installer: &'a Path,
    pub(super) spec: &'a Spec,
    pub(super) scratch: &'a Path,
    /// The way into the machine that was booted first.
    pub(super) way_in: &'a WayIn,
    pub(super) progress: &'a (dyn Fn(Progress) + Sync),
}

impl Proof<'_> {
    /// Asks the disk and another machine what the checks want to know, and gives the records of both. What cannot be
    /// asked fails its facts alone.
    pub(super) async fn ask(&self, checks: &[Planned], answers: &mut Answers) -> Vec<MachineRecord> {
        let (offline, twin) = elsewhere(checks);
        let mut records = Vec::new();
        // Read while the rescue system boots.
        let content = asks(checks, |source| *source == Source::Image(ImageAspect::Content)).then(|| {
            let image = Arc::clone(self.image);
            spawn_blocking(move || observed::content(&image))
        });
        if !offline.is_empty() {
            (self.progress)(Progress::Step { about: "a rescue system walks the disk".to_owned() });
            match self.walk(&offline, answers).await {
                Ok(record) => records.push(record),
                Err(why) => fail(checks, answers, |source| matches!(source, Source::Offline(_)), &why.to_string()),
            }
            gathered(checks, answers, |source| matches!(source, Source::Offline(_)), RESCUE);
        }
        if let Some(content) = content {
            answers.extend(content.await.ok().into_iter().flatten());
        }
        if !twin.is_empty() {
            (self.progress)(Progress::Step { about: "another machine of the image boots".to_owned() });
            match self.twin(&twin, answers).await {
                Ok(record) => records.push(record),
                Err(why) => fail(checks, answers, |source| matches!(source, Source::Twin(_)), &why),
            }
        }
        records
    }

    async fn walk(&self, probes: &[Probe], answers: &mut Answers) -> Result<MachineRecord, RescueError> {
        let offline = Offline::open(self.image, self.installer, self.spec, self.scratch, How::ReadOnly).await?;
        let begun = Instant::now();
        let asked: Vec<_> = probes.iter().map(there).collect();
        let outputs = offline.ask(&asked).await?;
        answers.answered(probes.to_vec(), outputs);
        let timings = Timings {
            settled: Some(offline.ready.as_secs_f64()),
            deep_checks: Some(begun.elapsed().as_secs_f64()),
            ..Timings::default()
        };
        let record = MachineRecord {
            boot: "rescue".to_owned(),
            firmware: "none".to_owned(),
            firmware_vars: None,
            carrier: Carrier::Port,
            access: Access::Rescue,
            network: "none".to_owned(),
            timings,
            ..record_of(offline.machine(), RESCUE)
        };
        offline.end().await;
        Ok(record)
    }

    async fn twin(&self, probes: &[Probe], answers: &mut Answers) -> Result<MachineRecord, String> {
        let way_in = named()?;
        answers.extend([seeds(self.way_in, &way_in)?]);
        let (machine, arrival) = arrived(self.image, self.spec, &way_in, self.scratch, self.progress)
            .await
            .map_err(|why| format!("the other machine: {why}"))?;
        let mut record = record_of(&machine, TWIN);
        record.timings.login = Some(arrival.login.as_secs_f64());
        record.timings.settled = Some(arrival.settled.as_secs_f64());
        let outputs =
            asked(&machine, &arrival.session, probes).await.map_err(|why| format!("the other machine {why}"))?;
        answers.answered(probes.to_vec(), outputs);
        Ok(record)
    }
}

fn asks(checks: &[Planned], of: impl Fn(&Source) -> bool) -> bool {
    checks.iter().any(|planned| planned.skip.is_none() && asked_of(planned, &of))
}

fn asked_of(planned: &Planned, of: impl Fn(&Source) -> bool) -> bool {
    (planned.check.fact().probes)().iter().any(|probe| of(&probe.source))
}

fn fail(checks: &[Planned], answers: &mut Answers, of: impl Fn(&Source) -> bool, why: &str) {
    for planned in checks.iter().filter(|planned| asked_of(planned, &of)) {
        answers.fail(planned.check.fact().id, why.to_owned());
    }
}

fn gathered(checks: &[Planned], answers: &mut Answers, of: impl Fn(&Source) -> bool, machine: &str) {
    for planned in checks.iter().filter(|planned| asked_of(planned, &of)) {
        answers.gathered_on(planned.check.fact().id, machine);
    }
}
