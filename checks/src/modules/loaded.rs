//! `/proc/modules`: what is loaded, without starting a program.

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
    traits::{Group, Traits},
};

/// The loaded modules: name and state (`Live`, `Loading`, `Unloading`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedModules(Vec<(String, String)>);

impl Fact for LoadedModules {
    const ID: &'static str = "modules.loaded-modules";
    const GROUPS: &'static [Group] = &[Group::Modules];

    fn probes() -> Vec<Probe> {
        vec![Probe::file("/proc/modules")]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let modules = out[0].ok()?.lines().map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
            [name, _size, _references, _users, state, _address, ..] => Ok((name.to_owned(), state.to_owned())),
            _ => Err(Unreadable::new(format!("not a line of /proc/modules: {line}"))),
        });
        Ok(Self(modules.collect::<Result<_, _>>()?))
    }

    fn tell(&self, traits: &mut Traits) {
        for (name, _) in &self.0 {
            traits.name(Group::Modules, name);
        }
    }
}

/// The expected modules are loaded.
pub struct Loaded;

impl Check for Loaded {
    type Fact = LoadedModules;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "modules.loaded",
            demand: "the expected kernel modules are loaded and live",
            remedy: "install the module for the image's kernel, and name it in /etc/modules-load.d",
            key: "modules.loaded",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        (!image.modules.loaded.is_empty()).then(|| image.modules.loaded.clone())
    }

    fn judge(&self, got: &LoadedModules, want: &Vec<String>) -> Verdict {
        let said = |name: &String| match got.0.iter().find(|(there, _)| there == name) {
            Some((_, state)) => format!("{name} {state}"),
            None => format!("{name} not loaded"),
        };
        let said: Vec<_> = want.iter().map(said).collect();
        Verdict::of(said.iter().all(|one| one.ends_with(" Live")), want.join(", "), said.join(", "))
    }
}
