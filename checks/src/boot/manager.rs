//! `systemctl show`: what the service manager says of itself and of the time that each stage of the boot took.
//!
//! One short call that names no unit: `systemctl show '*'` takes fifty times as long.

use std::{collections::BTreeMap, fmt};

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// The service manager.
#[derive(Clone, Debug, PartialEq)]
pub struct Manager {
    /// `running`, `degraded`, `starting`, `maintenance` …
    pub state: String,
    /// How many units failed.
    pub failed_units: u32,
    /// How many jobs wait or run.
    pub jobs: u32,
    /// How long the stages of the boot took.
    pub stages: Stages,
}

/// Seconds that each stage of a boot took; nothing where the machine had no such stage or did not tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stages {
    /// Firmware.
    pub firmware: Option<f64>,
    /// Boot loader.
    pub loader: Option<f64>,
    /// Kernel, up to the initrd's or else the system's first process.
    pub kernel: Option<f64>,
    /// initrd, where systemd runs in it; else it counts as kernel.
    pub initrd: Option<f64>,
    /// From the system's first process to the last job of the boot; nothing while the boot goes on.
    pub userspace: Option<f64>,
}

impl Manager {
    pub(super) fn probe() -> Probe {
        Probe::root(["systemctl", "show", "--no-pager"])
    }

    pub(super) fn read(out: &Output) -> Result<Self, Unreadable> {
        let properties: BTreeMap<_, _> = out.ok()?.lines().filter_map(|line| line.split_once('=')).collect();
        let text = |name: &str| {
            let value = properties.get(name).filter(|value| !value.is_empty());
            value.ok_or_else(|| Unreadable::new(format!("systemctl show has no {name}"))).copied()
        };
        let number = |name: &str| {
            let value = text(name)?;
            value.parse::<u32>().map_err(|_| Unreadable::new(format!("{name} is no number: {value}")))
        };
        let moment = |name: &str| {
            let value = text(&format!("{name}TimestampMonotonic"))?;
            let stamp = value.parse::<u64>().ok();
            stamp.map(Moment).ok_or_else(|| Unreadable::new(format!("{name} has no moment: {value}")))
        };
        Ok(Self {
            state: text("SystemState")?.to_owned(),
            failed_units: number("NFailedUnits")?,
            jobs: number("NJobs")?,
            stages: Stages::between(
                moment("Firmware")?,
                moment("Loader")?,
                moment("InitRD")?,
                moment("Userspace")?,
                moment("Finish")?,
            ),
        })
    }
}

/// Microseconds from the kernel's start, backwards for firmware and loader; 0 where there was no such moment.
#[derive(Clone, Copy)]
struct Moment(u64);

impl Moment {
    fn seconds(self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a boot of 285 years would lose a microsecond")]
        (self.0 > 0).then_some(self.0 as f64 / 1e6)
    }

    fn since(self, earlier: Self) -> Option<f64> {
        Self(self.0.saturating_sub(earlier.0)).seconds()
    }
}

impl Stages {
    fn between(firmware: Moment, loader: Moment, initrd: Moment, userspace: Moment, finish: Moment) -> Self {
        let has_initrd = initrd.0 > 0;
        Self {
            firmware: firmware.since(loader),
            loader: loader.seconds(),
            kernel: if has_initrd { initrd.seconds() } else { userspace.seconds() },
            initrd: if has_initrd { userspace.since(initrd) } else { None },
            userspace: finish.since(userspace),
        }
    }
}

impl fmt::Display for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stages = [
            ("firmware", self.firmware),
            ("loader", self.loader),
            ("kernel", self.kernel),
            ("initrd", self.initrd),
            ("user space", self.userspace),
        ];
        let told = stages.iter().filter_map(|(name, took)| took.map(|seconds| format!("{name} {seconds:.1} s")));
        f.write_str(&told.collect::<Vec<_>>().join(", "))
    }
}

impl Fact for Manager {
    const ID: &'static str = "boot.manager";

    fn probes() -> Vec<Probe> {
        vec![Self::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        Self::read(&out[0])
    }
}

/// The service manager says that the system runs.
pub struct SystemRunning;

impl Check for SystemRunning {
    type Fact = Manager;
    type Want = String;

    fn about(&self) -> &About {
        &About {
            id: "boot.system-running",
            demand: "the service manager says that the whole system is in the expected state, with no job left",
            remedy: "`systemctl list-jobs` shows what is still waiting, `systemctl --failed` what failed",
            key: "boot.system_state",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<String> {
        image.boot.system_state.clone()
    }

    fn judge(&self, got: &Manager, want: &String) -> Verdict {
        let said = match (got.failed_units, got.jobs) {
            (0, 0) => got.state.clone(),
            (failed, 0) => format!("{}, failed units: {failed}", got.state),
            (0, jobs) => format!("{}, jobs left: {jobs}", got.state),
            (failed, jobs) => format!("{}, failed units: {failed}, jobs left: {jobs}", got.state),
        };
        Verdict::of(got.state == *want && got.jobs == 0, want, said)
    }
}
