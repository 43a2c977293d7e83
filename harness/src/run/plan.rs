//! Which checks are asked, which are skipped and why, and which probes that takes.

use kverify_checks::{AnyCheck, Cost, Effect, Expectation, Need, Probe, SkipCause, Source, all};
use regex::Regex;

use crate::{glob::glob, machine::Network};

/// `--only` and `--skip`: IDs or globs such as `zfs.*`.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    only: Vec<Regex>,
    skip: Vec<Regex>,
}

/// A pattern that names nothing.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` names no check; `kverify checks` lists them")]
pub struct FilterError(String);

impl Filter {
    /// Reads the patterns; one that names no check is an error, since it would quietly change what is tested.
    ///
    /// # Errors
    /// [`FilterError`] names the pattern.
    pub fn new(only: &[String], skip: &[String]) -> Result<Self, FilterError> {
        let read = |patterns: &[String]| patterns.iter().map(|pattern| naming(pattern)).collect::<Result<Vec<_>, _>>();
        Ok(Self { only: read(only)?, skip: read(skip)? })
    }

    /// Whether a check is left out.
    pub(crate) fn leaves_out(&self, id: &str) -> bool {
        let any = |patterns: &[Regex]| patterns.iter().any(|pattern| pattern.is_match(id));
        any(&self.skip) || (!self.only.is_empty() && !any(&self.only))
    }
}

fn naming(pattern: &str) -> Result<Regex, FilterError> {
    let unknown = || FilterError(pattern.to_owned());
    let regex = glob(pattern).map_err(|_| unknown())?;
    all().any(|check| regex.is_match(check.about().id)).then_some(regex).ok_or_else(unknown)
}

/// What a run lacks that was not told that the image is sealed.
const NOT_SEALED: (Need, &str) = (Need::Sealed, "it was not asked whether the image is sealed; --sealed asks");

/// What QEMU's own network lacks: it hands names to the host's servers, and tells nobody what a guest sends.
const SLIRP_LACKS: [(Need, &str); 2] = [
    (Need::Dns, "slirp is closed, and has no name server; --network lab has"),
    (Need::Watched, "slirp does not tell what the guest sends; --network lab does"),
];

/// What a run lacks in the network around its machines, and without being told more of the image.
pub(crate) fn lacks(network: Network, sealed: bool) -> Vec<(Need, &'static str)> {
    let network = match network {
        Network::Lab => &[][..],
        Network::Slirp => &SLIRP_LACKS,
    };
    let mut lacks = network.to_vec();
    if !sealed {
        lacks.push(NOT_SEALED);
    }
    lacks
}

/// When a check is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Once the machine itself was asked.
    Machine,
    /// Once its forks were asked.
    Forks,
    /// Once the disk was looked at beside a rescue system, and another machine was made of the image.
    Sealed,
}

/// One check with what is done about it.
pub(crate) struct Planned {
    pub(crate) check: &'static dyn AnyCheck,
    /// Why it is skipped, and what that rests on.
    pub(crate) skip: Option<(SkipCause, String)>,
}

/// Facts that are gathered on one fork, and what that takes.
pub(crate) struct Task {
    pub(crate) facts: Vec<&'static str>,
    pub(crate) probes: Vec<Probe>,
}

/// Every built-in check, asked or skipped.
pub(crate) struct Plan {
    pub(crate) checks: Vec<Planned>,
}

impl Plan {
    /// Plans for an expectation; `lacks` are the needs that this host and network do not meet, each with the reason.
    pub(crate) fn new(expectation: &Expectation, filter: &Filter, lacks: &[(Need, &str)]) -> Self {
        let skip = |check: &dyn AnyCheck| {
            let about = check.about();
            if !check.asked(expectation) {
                return Some((SkipCause::NotAsked, format!("the expectation has no `{}`", about.key)));
            }
            if filter.leaves_out(about.id) {
                return Some((SkipCause::Filtered, "left out by --only or --skip".to_owned()));
            }
            let (need, why) = lacks.iter().find(|(need, _)| about.needs.contains(need))?;
            let cause = if *need == Need::Sealed { SkipCause::NotAsked } else { SkipCause::NotHere };
            Some((cause, (*why).to_owned()))
        };
        Self { checks: all().map(|check| Planned { check, skip: skip(check) }).collect() }
    }

    /// The same without the checks that `left_out` holds of.
    pub(crate) fn without(mut self, left_out: impl Fn(&dyn AnyCheck) -> bool) -> Self {
        for planned in &mut self.checks {
            if planned.skip.is_none() && left_out(planned.check) {
                planned.skip = Some((SkipCause::Filtered, "left out".to_owned()));
            }
        }
        self
    }

    /// When a check is judged.
    pub(crate) fn when(&self, planned: &Planned) -> When {
        if planned.check.about().needs.contains(&Need::Sealed) {
            When::Sealed
        } else if self.on_machine(planned) {
            When::Machine
        } else {
            When::Forks
        }
    }

    /// Whether what a check asks of a guest is asked of the machine itself, and not of a fork of it.
    ///
    /// Forks are for facts that are slow to gather, or whose gathering changes the machine.
    fn on_machine(&self, planned: &Planned) -> bool {
        let fact = planned.check.fact();
        let touches = (fact.probes)().iter().any(|probe| probe.effect == Effect::Touches);
        let quick = |other: &&Planned| {
            let about = other.check.about();
            other.skip.is_none() && about.cost == Cost::Quick && other.check.fact().id == fact.id
        };
        !touches && (planned.skip.is_some() || self.checks.iter().any(|other| quick(&other)))
    }

    /// What the machine itself is asked, each once.
    pub(crate) fn machine_probes(&self) -> Vec<Probe> {
        let asked = self.checks.iter().filter(|planned| planned.skip.is_none() && self.on_machine(planned));
        let mut probes: Vec<Probe> = Vec::new();
        for probe in asked.flat_map(|planned| (planned.check.fact().probes)()) {
            if in_guest(&probe) && !asks(&probes, &probe) {
                probes.push(probe);
            }
        }
        probes
    }

    /// What is gathered on forks, with what is left to be asked for it; nothing is asked twice.
    pub(crate) fn fork_tasks(&self) -> Vec<Task> {
        let known = self.machine_probes();
        let asked = self.checks.iter().filter(|planned| planned.skip.is_none() && !self.on_machine(planned));
        let mut tasks: Vec<Task> = Vec::new();
        for fact in asked.map(|planned| planned.check.fact()) {
            if tasks.iter().any(|task| task.facts.contains(&fact.id)) {
                continue;
            }
            let unknown = |probe: &Probe| in_guest(probe) && !asks(&known, probe);
            let probes: Vec<_> = (fact.probes)().into_iter().filter(unknown).collect();
            let mut task = Task { facts: vec![fact.id], probes };
            // Every task that asks some of the same becomes one with it.
            let same = |other: &mut Task| other.probes.iter().any(|probe| asks(&task.probes, probe));
            let joined: Vec<_> = tasks.extract_if(.., same).collect();
            for other in joined {
                task.facts.extend(other.facts);
                let new: Vec<_> = other.probes.into_iter().filter(|probe| !asks(&task.probes, probe)).collect();
                task.probes.extend(new);
            }
            task.facts.sort_unstable();
            task.probes.sort_by_key(|probe| probe.effect == Effect::Touches);
            tasks.push(task);
        }
        tasks.retain(|task| !task.probes.is_empty());
        tasks
    }
}

/// What is asked in a rescue system or on a twin, as it is asked there, with what it answers to.
pub(crate) fn elsewhere(checks: &[Planned]) -> (Vec<Probe>, Vec<Probe>) {
    let asked = checks.iter().filter(|planned| planned.skip.is_none());
    let (mut offline, mut twin): (Vec<Probe>, Vec<Probe>) = (Vec::new(), Vec::new());
    for probe in asked.flat_map(|planned| (planned.check.fact().probes)()) {
        let list = match probe.source {
            Source::Offline(_) => &mut offline,
            Source::Twin(_) => &mut twin,
            _ => continue,
        };
        if !asks(list, &probe) {
            list.push(probe);
        }
    }
    (offline, twin)
}

/// A probe of a rescue system or a twin as any shell is asked it.
pub(crate) fn there(probe: &Probe) -> Probe {
    let source = match &probe.source {
        Source::Offline(argv) | Source::Twin(argv) => Source::Command(argv.clone()),
        other => other.clone(),
    };
    Probe { source, ..probe.clone() }
}

fn asks(probes: &[Probe], probe: &Probe) -> bool {
    probes.iter().any(|other| other.source == probe.source)
}

fn in_guest(probe: &Probe) -> bool {
    matches!(probe.source, Source::Command(_) | Source::File(_))
}

#[cfg(test)]
mod tests {
    use kverify_checks::{Expectation, Need, SkipCause};

    use super::{Filter, Plan};

    fn asked() -> Expectation {
        let mut expectation = Expectation::default();
        expectation.boot.ready = Some(true);
        expectation.zfs.pool = Some("rpool".to_owned());
        expectation
    }

    fn skipped(plan: &Plan, id: &str) -> Option<SkipCause> {
        let planned = plan.checks.iter().find(|planned| planned.check.about().id == id).unwrap();
        planned.skip.as_ref().map(|skip| skip.0)
    }

    #[test]
    fn a_filter_leaves_out_what_it_does_not_name() {
        let only = Filter::new(&["zfs.*".to_owned()], &[]).unwrap();
        let plan = Plan::new(&asked(), &only, &[]);
        assert_eq!(skipped(&plan, "zfs.pool-named"), None);
        assert_eq!(skipped(&plan, "boot.ready"), Some(SkipCause::Filtered));
        let skip = Filter::new(&[], &["zfs.pool-?amed".to_owned()]).unwrap();
        assert_eq!(skipped(&Plan::new(&asked(), &skip, &[]), "zfs.pool-named"), Some(SkipCause::Filtered));
    }

    #[test]
    fn a_pattern_that_names_nothing_is_an_error() {
        let error = Filter::new(&["zsf.*".to_owned()], &[]).unwrap_err();
        assert_eq!(error.to_string(), "`zsf.*` names no check; `kverify checks` lists them");
    }

    #[test]
    fn what_the_expectation_does_not_ask_is_skipped_before_all_else() {
        let only = Filter::new(&["boot.ready".to_owned()], &[]).unwrap();
        let plan = Plan::new(&Expectation::default(), &only, &[(Need::Settled, "why")]);
        assert!(plan.checks.iter().all(|planned| planned.skip.as_ref().unwrap().0 == SkipCause::NotAsked));
    }

    #[test]
    fn a_lack_names_its_reason() {
        let plan = Plan::new(&asked(), &Filter::default(), &[(Need::Settled, "no machine")]);
        let planned = plan.checks.iter().find(|planned| planned.check.about().id == "zfs.pool-named").unwrap();
        assert_eq!(planned.skip, Some((SkipCause::NotHere, "no machine".to_owned())));
        assert_eq!(skipped(&plan, "boot.ready"), None);
    }

    #[test]
    fn what_is_slow_or_changes_the_machine_is_for_forks() {
        let mut expectation = asked();
        expectation.modules.wireguard = Some(true);
        expectation.zfs.initramfs_hostid = Some(true);
        let plan = Plan::new(&expectation, &Filter::default(), &[]);
        let facts: Vec<_> = plan.fork_tasks().into_iter().flat_map(|task| task.facts).collect();
        assert_eq!(facts, ["modules.wireguard", "zfs.initramfs-hostid"]);
        assert!(plan.fork_tasks().iter().all(|task| !task.probes.is_empty()));
        assert!(plan.machine_probes().iter().all(|probe| probe.effect == kverify_checks::Effect::Reads));
        let only = Filter::new(&["boot.*".to_owned()], &[]).unwrap();
        assert!(Plan::new(&expectation, &only, &[]).fork_tasks().is_empty());
    }

    #[test]
    fn what_several_facts_ask_is_asked_once() {
        let mut expectation = asked();
        expectation.security.capabilities = Some(Vec::new());
        expectation.security.devices = Some(Vec::new());
        expectation.zfs.initramfs_hostid = Some(true);
        let tasks = Plan::new(&expectation, &Filter::default(), &[]).fork_tasks();
        let facts: Vec<_> = tasks.iter().map(|task| task.facts.clone()).collect();
        assert_eq!(facts, [vec!["security.file-capabilities", "security.inventory"], vec!["zfs.initramfs-hostid"]]);
        let mut sources: Vec<_> = tasks.iter().flat_map(|task| &task.probes).map(|probe| &probe.source).collect();
        let all = sources.len();
        sources.sort();
        sources.dedup();
        assert_eq!(sources.len(), all);
    }
}
