//! The services that set the clock: which run, and which start at boot.

use toml::Value;

use super::{small_files, unit_files::UnitFiles};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
    traits::{Group, Traits},
};

/// The services that set the clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeServices {
    /// Those that have a process now.
    pub running: Vec<&'static str>,
    /// Those that start at boot.
    pub enabled: Vec<&'static str>,
}

impl Fact for TimeServices {
    const ID: &'static str = "boot.time-services";
    const GROUPS: &'static [Group] = &[Group::System];

    fn probes() -> Vec<Probe> {
        vec![small_files::probe(), UnitFiles::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let files = small_files::read(&out[0])?;
        let units = UnitFiles::read(&out[1])?;
        let runs = |path: &str| files.lines(path).is_some_and(|processes| !processes.is_empty());
        let all = small_files::TIME_SERVICES;
        Ok(Self {
            running: all.iter().filter(|(_, path)| runs(path)).map(|(name, _)| *name).collect(),
            enabled: all.iter().map(|(name, _)| *name).filter(|name| units.off(name).is_none()).collect(),
        })
    }

    fn tell(&self, traits: &mut Traits) {
        for service in &self.enabled {
            traits.put(Group::System, "clock kept by", service);
        }
    }
}

/// One service sets the clock, the declared one.
pub struct TimeService;

impl Check for TimeService {
    type Fact = TimeServices;
    type Want = String;

    fn about(&self) -> &About {
        &About {
            id: "boot.time-service",
            demand: "the declared time service runs and starts at boot, and no other one does",
            remedy: "`systemctl enable --now SERVICE`, and remove the others: two of them fight over the clock",
            key: "boot.time_service",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<String> {
        image.boot.time_service.clone()
    }

    fn judge(&self, got: &TimeServices, want: &String) -> Verdict {
        let alone = |names: &[&str]| names == [want.as_str()];
        let listed = |names: &[&str]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let said = format!("running {}, enabled {}", listed(&got.running), listed(&got.enabled));
        Verdict::of(alone(&got.running) && alone(&got.enabled), format_args!("{want} alone"), said)
    }

    fn observed(&self, got: &TimeServices) -> Option<Value> {
        match got.running[..] {
            [one] => Some(one.into()),
            _ => None,
        }
    }
}
