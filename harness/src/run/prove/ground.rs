//! What every fault is tried on: one image, booted once and captured, and what is expected of it.

use std::{path::PathBuf, sync::Arc};

use kverify_checks::{
    AnyCheck, Output, SkipCause, Source,
    expect::Resolved,
    fault::{At, Fault},
};
use tokio::task::spawn_blocking;

use super::{ProveRequest, proof::Proof};
use crate::{
    image::{Digest, Image},
    machine::{Network, Snapshot},
    run::{
        Filter, Progress, RunError, Settled,
        actor::Setting,
        check::Known,
        forks::{self, NotForked},
        hashing::Hashing,
        observed,
        plan::{Plan, When, lacks},
        way_in::WayIn,
    },
};

/// Of 256, how many of the slow checks that a fault does not concern are asked all the same.
const SAMPLE: u8 = 26;

/// A captured machine of an image, and what is known of it without asking.
pub(super) struct Ground {
    pub(super) snapshot: Snapshot,
    pub(super) resolved: Resolved,
    pub(super) way_in: WayIn,
    pub(super) scratch: PathBuf,
    network: Network,
    image: Vec<(Source, Output)>,
    booted: (Source, Output),
    console: Vec<u8>,
}

impl Ground {
    /// Boots the image, and captures its machine.
    pub(super) async fn prepare(
        request: &ProveRequest,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<(Self, Proof), RunError> {
        let image = Arc::new(Image::open(&request.image)?);
        let mut hashing = Hashing::begin(&image);
        let file = Arc::clone(&image);
        let file = spawn_blocking(move || observed::image(&file));
        let settled =
            Settled::begin(&image, &request.spec, request.expect.as_deref(), &request.scratch, progress).await?;
        let Settled { machine, session, resolved, way_in, booted } = settled;
        let console = machine.console().bytes();
        let captured = forks::capture(machine, &session).await;
        let snapshot = captured.map_err(|NotForked { why, .. }| {
            RunError::Host(format!("faults are done to forks, and there are none: {why}"))
        })?;
        let image_answers = file.await.map_err(|error| RunError::Host(error.to_string()))?;
        let digest = hashing.digest().await?;
        image.unchanged()?;
        let proof = Proof::begin(image.name(), digest, &resolved);
        let scratch = request.scratch.clone();
        let network = request.spec.network;
        Ok((Self { snapshot, resolved, way_in, scratch, network, image: image_answers, booted, console }, proof))
    }

    /// What steps are judged and entered by.
    pub(super) fn setting(&self) -> Setting<'_> {
        Setting { way_in: &self.way_in, resolved: &self.resolved, progress: &|_| () }
    }

    /// Every check as this image and host have it.
    fn plan(&self) -> Plan {
        Plan::new(&self.resolved.expectation, &Filter::default(), &lacks(self.network, false))
    }

    /// The IDs of the checks that are asked.
    pub(super) fn asked(&self) -> Vec<&'static str> {
        let asked = self.plan().checks.into_iter().filter(|planned| planned.skip.is_none());
        asked.map(|planned| planned.check.about().id).collect()
    }

    /// Why a fault cannot be noticed here, where that is so.
    pub(super) fn not_here(&self, fault: &Fault) -> Option<String> {
        if fault.at == At::Sealed {
            return Some("it shows on a sealed image; --sealed tries those".to_owned());
        }
        let plan = self.plan();
        let skipped = plan.checks.iter().filter(|planned| fault.noticed().any(|id| id == planned.check.about().id));
        let mut reasons = skipped.filter_map(|planned| Some((planned.check.about().id, planned.skip.as_ref()?)));
        reasons.next().map(|(id, (cause, why))| match cause {
            SkipCause::NotHere => why.clone(),
            _ => format!("{id} is not asked: {why}"),
        })
    }

    /// What is asked of a machine that these faults were done to: all that is quick; of what is slow, what the faults
    /// name, and a sample of the rest. An untouched machine is asked everything.
    pub(super) fn plan_for(&self, faults: &[Fault]) -> Plan {
        let whole = self.plan();
        let left_out = |check: &dyn AnyCheck, slow: bool| {
            let id = check.about().id;
            let named = faults.iter().any(|fault| fault.noticed().any(|noticed| noticed == id));
            !faults.is_empty() && slow && !named && !faults.iter().any(|fault| sampled(&fault.id, check.fact().id))
        };
        let left_out: Vec<_> = whole
            .checks
            .iter()
            .filter(|planned| left_out(planned.check, whole.when(planned) == When::Forks))
            .map(|planned| planned.check.about().id)
            .collect();
        whole.without(|check| left_out.contains(&check.about().id))
    }

    /// What is asked of an image file.
    pub(super) fn plan_for_file(&self) -> Plan {
        let of_file =
            |check: &dyn AnyCheck| (check.fact().probes)().iter().all(|probe| matches!(probe.source, Source::Image(_)));
        self.plan().without(|check| !of_file(check))
    }

    /// What is known of a fork without asking it.
    pub(super) fn known(&self) -> Known {
        let answers = [self.image.clone(), vec![self.booted.clone()]].concat();
        Known { answers, said_before: self.console.clone() }
    }

    /// What is known of a machine that booted again, like this.
    pub(super) fn known_booted(&self, booted: Option<(Source, Output)>) -> Known {
        Known { answers: self.image.iter().cloned().chain(booted).collect(), said_before: Vec::new() }
    }
}

/// Whether a slow fact is asked of a machine with this fault, although the fault does not concern it: the same in every
/// proof, and another for every fault.
fn sampled(fault: &str, fact: &str) -> bool {
    let digest = Digest::of(format!("{fault} {fact}").as_bytes()).to_string();
    let first = digest.rsplit(':').next().and_then(|hex| hex.get(..2)).and_then(|two| u8::from_str_radix(two, 16).ok());
    first.is_some_and(|first| first < SAMPLE)
}

#[cfg(test)]
mod tests {
    use super::sampled;

    #[test]
    fn about_a_tenth_is_sampled_and_always_the_same() {
        let faults: Vec<_> = (0..1000).map(|number| format!("zfs.fault-{number}")).collect();
        let count = faults.iter().filter(|fault| sampled(fault, "zfs.initramfs-hostid")).count();
        assert!((60..150).contains(&count), "{count}");
        assert!(faults.iter().all(|fault| sampled(fault, "x") == sampled(fault, "x")));
    }
}
