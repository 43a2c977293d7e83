//! Facts for tests: small ones made here, and those of a real machine before and after it was changed, from recordings.

use std::{fs, path::Path};

use kverify_checks::{AnyCheck, Group, Traits, all, recording::Recording, traits::Scale};

use crate::{
    image::Digest,
    report::{Facts, Report, Unknown, facts::sample as facts, sample_verified},
};

/// Each fact that tells something: its case before, and after.
pub(crate) const CASES: [(&str, &str, &str); 26] = [
    ("boot.clock", "as-installed", "local-time"),
    ("boot.command-lines", "as-installed", "as-installed"),
    ("boot.kernels", "as-installed", "newer-one-waits"),
    ("boot.locale", "as-installed", "set-on-one-side"),
    ("boot.time", "stages", "stages"),
    ("boot.time-services", "one-runs", "stopped"),
    ("boot.unit-files", "as-installed", "changed"),
    ("image.layout", "installed", "installed"),
    ("image.metadata", "agrees", "other-distro"),
    ("modules.loaded-modules", "installed", "no-proc"),
    ("network.listeners", "as-installed", "strays"),
    ("network.managers", "networkd", "two"),
    ("network.settings", "as-installed", "hardened-by-half"),
    ("packages.installed", "installed", "changed"),
    ("packages.sources", "as-installed", "local-archive"),
    ("security.access-control", "as-installed", "nothing-enforces"),
    ("security.accounts", "as-installed", "privileged"),
    ("security.file-capabilities", "as-installed", "set"),
    ("security.inventory", "as-installed", "left"),
    ("security.package-sources", "as-installed", "of-the-build"),
    ("security.sshd-settings", "as-installed", "weak-and-open"),
    ("security.sudoers", "as-installed", "by-alias"),
    ("security.sysctls", "as-installed", "overridden"),
    ("zfs.datasets", "installed", "other-properties"),
    ("zfs.pool-properties", "set", "other"),
    ("zfs.versions", "agree", "other-tools"),
];

/// The same with these values.
pub(crate) fn with(group: Group, scale: Scale, values: &[(&str, &str)]) -> Facts {
    let (mut all, mut traits) = (facts(), Traits::of(&[group]));
    traits.order(group, scale);
    for (name, value) in values {
        traits.put(group, name, value);
    }
    all.add("a.fact", traits);
    all
}

/// What recordings of debian-13-server tell.
pub(crate) fn recorded<'a>(name: &str, cases: impl Iterator<Item = (&'a str, &'a str)>) -> Facts {
    let mut told = facts();
    told.subject.name = format!("{name}.qcow2");
    told.subject.digest = Digest::of(name.as_bytes()).to_string();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/recordings/debian-13-server");
    for (fact, case) in cases {
        let kind = all().map(AnyCheck::fact).find(|kind| kind.id == fact).unwrap();
        let text = fs::read_to_string(folder.join(format!("{fact}.{case}.toml"))).unwrap();
        let outputs = Recording::read(&text).unwrap().outputs(&(kind.probes)()).unwrap();
        match (kind.parse)(&outputs) {
            Ok(fact) => told.add(kind.id, (kind.tell)(fact.as_ref()).unwrap()),
            Err(why) => told.unknown.push(Unknown {
                fact: fact.to_owned(),
                groups: kind.groups.iter().map(|group| group.name().to_owned()).collect(),
                why: why.to_string(),
            }),
        }
    }
    told
}

/// A machine as installed, and the same after each of its parts was changed.
pub(crate) fn before_and_after() -> (Facts, Facts) {
    let before = recorded("golden-1", CASES.iter().map(|(fact, before, _)| (*fact, *before)));
    let after = recorded("golden-2", CASES.iter().map(|(fact, _, after)| (*fact, *after)));
    (before, after)
}

/// Writes the folder of a report that speaks of these facts.
pub(crate) fn report(folder: &Path, facts: &Facts) {
    let digest = Some(Digest::of(facts.text().as_bytes()).to_string());
    let report = Report { subject: facts.subject.clone(), facts: digest, ..sample_verified() };
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("report.json"), serde_json::to_vec(&report).unwrap()).unwrap();
    fs::write(folder.join("facts.json"), facts.text()).unwrap();
}
