//! The time of a boot: from outside, QEMU's start to the settled system; from inside, stage by stage.

use std::collections::BTreeMap;

use crate::{
    boot::{BootEnd, BootRecord, Manager, Stages},
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{MachineAspect, Output, Probe},
};

/// How long a boot took.
#[derive(Clone, Debug, PartialEq)]
pub struct BootTime {
    /// Seconds from the start of QEMU to the settled system.
    pub seconds: f64,
    /// `kvm` or `tcg`.
    pub accelerator: String,
    /// The stages, as the guest measured them.
    pub stages: Stages,
}

impl Fact for BootTime {
    const ID: &'static str = "boot.time";

    fn probes() -> Vec<Probe> {
        vec![Probe::machine(MachineAspect::Boot), Manager::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let record = BootRecord::parse(&out[..1])?;
        if record.end != BootEnd::Settled {
            return Err(Unreadable::new(format!("the boot never settled: {}", record.end)));
        }
        let Manager { stages, .. } = Manager::read(&out[1])?;
        Ok(Self { seconds: record.seconds, accelerator: record.accelerator, stages })
    }
}

/// The boot settles within the time allowed on that accelerator.
pub struct SettledInTime;

impl Check for SettledInTime {
    type Fact = BootTime;
    /// Seconds by accelerator.
    type Want = BTreeMap<String, u32>;

    fn about(&self) -> &About {
        &About {
            id: "boot.settled-in-time",
            demand: "the machine settles within the time allowed on its accelerator",
            remedy: "`systemd-analyze critical-chain` shows what the boot waits for; raise boot.settled_within if it is meant",
            key: "boot.settled_within",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<BTreeMap<String, u32>> {
        Some(image.boot.settled_within.clone()).filter(|within| !within.is_empty())
    }

    fn judge(&self, got: &BootTime, within: &BTreeMap<String, u32>) -> Verdict {
        let took = format!("{:.1} s on {}: {}", got.seconds, got.accelerator, got.stages);
        match within.get(&got.accelerator) {
            Some(limit) => Verdict::of(got.seconds <= f64::from(*limit), format_args!("at most {limit} s"), took),
            None => Verdict::of(false, format_args!("a limit for {}", got.accelerator), took),
        }
    }
}
