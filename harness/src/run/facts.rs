//! What a run knows of its image, told by the facts that tell something.

use std::collections::BTreeSet;

use kverify_checks::{Group, SkipCause, Traits, all};

use super::{
    gather::Answers,
    plan::{Filter, FilterError, Plan},
};
use crate::report::{Facts, MachineRecord, Subject, Unknown, facts::SCHEMA};

/// What the image file itself tells, without any fact.
const FILE: &str = "image.file";

/// What is known of `subject`; `unasked` says why the machine could not be asked, where it could not.
pub(super) fn facts(
    answers: &mut Answers,
    plan: &Plan,
    unasked: Option<&str>,
    subject: &Subject,
    machine: &MachineRecord,
) -> Facts {
    let MachineRecord { accelerator, cpus, memory_mib, .. } = machine;
    let mut facts = Facts {
        schema: SCHEMA,
        kverify: env!("CARGO_PKG_VERSION").to_owned(),
        subject: subject.clone(),
        machine: format!("{accelerator}, {cpus} CPUs, {memory_mib} MiB"),
        known: Vec::new(),
        unknown: Vec::new(),
    };
    let mut file = Traits::default();
    file.put(Group::Sizes, "image file", subject.bytes);
    facts.add(FILE, file);
    let mut seen = BTreeSet::new();
    for planned in &plan.checks {
        let kind = planned.check.fact();
        if kind.groups.is_empty() || !seen.insert(kind.id) {
            continue;
        }
        match answers.traits(kind, unasked) {
            Ok(traits) => facts.add(kind.id, traits),
            Err(why) => {
                let of_fact = || plan.checks.iter().filter(|other| other.check.fact().id == kind.id);
                let asked = of_fact().any(|other| other.skip.is_none());
                // What the caller left out says more than what the expectation has not.
                let skips = of_fact().filter_map(|other| other.skip.as_ref());
                let skipped = skips.min_by_key(|(cause, _)| *cause == SkipCause::NotAsked);
                let why = skipped.filter(|_| !asked).map_or(why, |(_, skipped)| skipped.clone());
                let groups = kind.groups.iter().map(|group| group.name().to_owned()).collect();
                facts.unknown.push(Unknown { fact: kind.id.to_owned(), groups, why });
            }
        }
    }
    let place = |name: &str| Group::ALL.iter().position(|group| group.name() == name);
    facts.known.sort_by(|one, other| (place(&one.group), &one.fact).cmp(&(place(&other.group), &other.fact)));
    facts.unknown.sort_by(|one, other| one.fact.cmp(&other.fact));
    facts
}

/// Leaves in the checks whose facts tell something, and no other.
///
/// # Errors
/// [`FilterError`], should there be none.
pub(crate) fn telling() -> Result<Filter, FilterError> {
    let telling = all().filter(|check| !check.fact().groups.is_empty());
    let ids: Vec<_> = telling.map(|check| check.about().id.to_owned()).collect();
    Filter::new(&ids, &[])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kverify_checks::{Exit, Expectation, Output, Source, all, security::RootLogin};

    use super::{facts, telling};
    use crate::{
        report::{Facts, sample_verified},
        run::{
            gather::Answers,
            plan::{Filter, Plan},
        },
    };

    fn of(unasked: Option<&str>) -> Facts {
        let mut expectation = Expectation::default();
        expectation.modules.loaded = vec!["zfs".to_owned()];
        expectation.security.root_login = Some(RootLogin::No);
        expectation.security.uid_zero = Some(Vec::new());
        let filter = Filter::new(&[], &["security.uid-zero-*".to_owned()]).unwrap();
        let stdout = "zfs 1 2 - Live 0x0 (POE)\n".to_owned();
        let output =
            Output { exit: Exit::Code(0), stdout, stderr: String::new(), truncated: false, took: Duration::ZERO };
        let mut answers = Answers::of("cold-1");
        answers.extend([(Source::File("/proc/modules".to_owned()), output)]);
        let (plan, report) = (Plan::new(&expectation, &filter, &[]), sample_verified());
        facts(&mut answers, &plan, unasked, &report.subject, &report.machines[0])
    }

    fn why<'a>(facts: &'a Facts, fact: &str) -> &'a str {
        &facts.unknown.iter().find(|unknown| unknown.fact == fact).unwrap().why
    }

    #[test]
    fn what_is_known_is_told_and_what_is_not_says_why() {
        let facts = of(None);
        let known: Vec<_> = facts.known.iter().map(|known| (known.group.as_str(), known.fact.as_str())).collect();
        assert_eq!(known, [("modules", "modules.loaded-modules"), ("sizes", "image.file")]);
        assert_eq!(facts.known[0].values.keys().collect::<Vec<_>>(), ["zfs"]);
        assert_eq!(facts.machine, "tcg, 2 CPUs, 2048 MiB");
        assert_eq!(why(&facts, "security.sshd-settings"), "it was not answered");
        assert_eq!(why(&facts, "security.accounts"), "left out by --only or --skip");
        assert!(why(&facts, "zfs.datasets").starts_with("the expectation has no `zfs."));
        assert_eq!(why(&of(Some("still booting")), "security.sshd-settings"), "still booting");
    }

    #[test]
    fn a_diff_asks_of_an_image_what_tells_something_and_no_more() {
        let filter = telling().unwrap();
        let asked = |id: &str| !filter.leaves_out(id);
        assert!(asked("packages.installed-whole") || asked("packages.required-present"));
        assert!(asked("zfs.properties-set") && !asked("modules.bpf-loads") && !asked("packages.files-as-packaged"));
        let telling = all().filter(|check| asked(check.about().id));
        assert!(telling.into_iter().all(|check| !check.fact().groups.is_empty()));
    }
}
