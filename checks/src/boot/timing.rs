//! The time of a boot: from outside, QEMU's start to the settled system; from inside, stage by stage.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    boot::{BootEnd, BootRecord, Manager, Stages},
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{MachineAspect, Output, Probe},
    traits::{Group, Traits},
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
    const GROUPS: &'static [Group] = &[Group::Times];

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

    fn tell(&self, traits: &mut Traits) {
        let stages = StageLimits::default().beside(&self.stages).map(|(name, _, took)| (name, took));
        for (name, took) in stages.into_iter().chain([("settled", Some(self.seconds))]) {
            if let Some(seconds) = took {
                traits.put(Group::Times, name, format_args!("{seconds:.1}"));
            }
        }
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

/// Seconds that each stage of a boot may take; a stage that is not named is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StageLimits {
    /// Firmware.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<u32>,
    /// Boot loader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loader: Option<u32>,
    /// Kernel, with the initrd where systemd does not run in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<u32>,
    /// initrd, where systemd runs in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initrd: Option<u32>,
    /// The system, to the last job of the boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userspace: Option<u32>,
}

impl StageLimits {
    /// Each stage with its limit and what it took.
    fn beside(&self, took: &Stages) -> [(&'static str, Option<u32>, Option<f64>); 5] {
        [
            ("firmware", self.firmware, took.firmware),
            ("loader", self.loader, took.loader),
            ("kernel", self.kernel, took.kernel),
            ("initrd", self.initrd, took.initrd),
            ("user space", self.userspace, took.userspace),
        ]
    }
}

/// Each stage of the boot keeps to its time.
pub struct StagesInTime;

impl Check for StagesInTime {
    type Fact = BootTime;
    /// Limits by accelerator.
    type Want = BTreeMap<String, StageLimits>;

    fn about(&self) -> &About {
        &About {
            id: "boot.stages-in-time",
            demand: "each stage of the boot that the guest tells of takes no longer than allowed, and the last one has ended",
            remedy: "`systemd-analyze blame` for user space, the stamps in `dmesg` for the kernel and the initramfs",
            key: "boot.stages_within",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<BTreeMap<String, StageLimits>> {
        Some(image.boot.stages_within.clone()).filter(|within| !within.is_empty())
    }

    fn judge(&self, got: &BootTime, within: &BTreeMap<String, StageLimits>) -> Verdict {
        let Some(limits) = within.get(&got.accelerator) else {
            return Verdict::of(false, format_args!("limits for {}", got.accelerator), &got.stages);
        };
        let limits = limits.beside(&got.stages);
        // Not every machine tells of its firmware, but each has a kernel and user space.
        let untold = |name: &str, took: Option<f64>| took.is_none() && matches!(name, "kernel" | "user space");
        let late = limits.iter().any(|(name, limit, took)| {
            let late = limit.zip(*took).is_some_and(|(limit, took)| took > f64::from(limit));
            late || (limit.is_some() && untold(name, *took))
        });
        let wanted = limits.iter().filter_map(|(name, limit, _)| Some(format!("{name} {} s", (*limit)?)));
        let wanted = wanted.collect::<Vec<_>>().join(", ");
        Verdict::of(!late, format_args!("at most {wanted}"), format_args!("on {}: {}", got.accelerator, got.stages))
    }
}
