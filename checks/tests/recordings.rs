//! Every recording under `fixtures/recordings` is read by today's parsers and judged by today's checks.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its own files has failed")]
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use kverify_checks::{
    Book, Group, Status, Traits, all,
    fact::FactKind,
    recording::Recording,
    replay::{Compared, Replayed, replay},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("recordings/plans") {
            continue; // what is to be recorded, not what was
        }
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "toml") {
            found.push(path);
        }
    }
}

fn recordings() -> Vec<(String, Recording)> {
    let folder = root().join("fixtures/recordings");
    let mut found = Vec::new();
    files(&folder, &mut found);
    found.sort();
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&folder).unwrap().display().to_string();
            let recording = Recording::read(&fs::read_to_string(&path).unwrap());
            (name.clone(), recording.unwrap_or_else(|error| panic!("{name}: {error}")))
        })
        .collect()
}

fn book() -> Book {
    let mut found = Vec::new();
    files(&root().join("matrices/distros"), &mut found);
    Book::new(found.into_iter().map(|path| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(&path).unwrap())
    }))
}

#[test]
fn checks_say_of_each_recording_what_they_must() {
    let sheet = book().resolve("debian-13-server").unwrap_or_else(|error| panic!("{error}"));
    let mut wrong = Vec::new();
    for (name, recording) in recordings() {
        let replayed = replay(&recording, &sheet).unwrap_or_else(|error| panic!("{name}: {error}"));
        for Replayed { outcome, compared } in replayed {
            if let Compared::NotAsSaid { is, got } = compared {
                let (check, said) = (&outcome.check, outcome.said());
                wrong.push(format!("{name}: {check} must say {is:?} {got:?}, says {:?}: {said}", outcome.status));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn kinds() -> BTreeMap<&'static str, FactKind> {
    all().map(|check| (check.fact().id, check.fact())).collect()
}

#[test]
fn probes_recorded_are_those_asked_today() {
    let kinds = kinds();
    for (name, recording) in recordings() {
        let kind = kinds
            .get(recording.fact.as_str())
            .unwrap_or_else(|| panic!("{name}: no fact is called {}", recording.fact));
        recording.outputs(&(kind.probes)()).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(
            !recording.from.is_empty() && !recording.about.is_empty(),
            "{name}: says nothing of where it comes from"
        );
        assert!(!recording.says.is_empty(), "{name}: no check says anything of it");
    }
}

#[test]
fn ids_are_unique_and_sorted_in_their_topic() {
    let ids: Vec<_> = all().map(|check| check.about().id).collect();
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(ids, sorted);
    for check in all() {
        let topic = check.about().id.split('.').next().unwrap();
        assert!(
            check.about().key.starts_with(&format!("{topic}.")),
            "{} reads {}",
            check.about().id,
            check.about().key
        );
    }
}

#[test]
fn every_expectation_resolves() {
    let book = book();
    for name in book.names() {
        book.resolve(name).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn each_check_has_recordings_of_pass_fail_and_error() {
    let mut seen: BTreeMap<String, Vec<Status>> = BTreeMap::new();
    for (_, recording) in recordings() {
        for says in recording.says {
            seen.entry(says.check).or_default().push(says.is);
        }
    }
    let missing: Vec<_> = all()
        .flat_map(|check| {
            let have = seen.get(check.about().id).cloned().unwrap_or_default();
            [Status::Pass, Status::Fail, Status::Error]
                .into_iter()
                .filter(move |status| !have.contains(status))
                .map(|status| format!("{} has no recording of {status:?}", check.about().id))
        })
        .collect();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// What the fact of a recording tells; nothing where it cannot be read.
fn traits(recording: &Recording) -> Option<Traits> {
    let kind = kinds()[recording.fact.as_str()];
    let fact = (kind.parse)(&recording.outputs(&(kind.probes)()).ok()?).ok()?;
    (kind.tell)(fact.as_ref())
}

#[test]
fn facts_tell_of_the_groups_that_they_name_and_of_no_other() {
    let mut told = BTreeSet::new();
    for (name, recording) in recordings() {
        let Some(traits) = traits(&recording) else { continue };
        let sections: Vec<_> = traits.sections().collect();
        let groups: Vec<_> = sections.iter().map(|(group, _)| *group).collect();
        let mut named = kinds()[recording.fact.as_str()].groups.to_vec();
        named.sort_unstable();
        assert_eq!(groups, named, "{name}");
        let full = sections.into_iter().filter(|(_, section)| !section.values.is_empty());
        told.extend(full.map(|(group, _)| (recording.fact.clone(), group)));
    }
    for (id, kind) in kinds() {
        let silent = kind.groups.iter().find(|group| !told.contains(&(id.to_owned(), **group)));
        assert_eq!(silent, None, "{id} tells nothing of a group in any recording");
    }
}

/// The second was recorded after two settings were changed; all else that the kernel counts had gone on.
#[test]
fn what_the_kernel_counts_is_no_trait() {
    let of = |case: &str| {
        let name = format!("debian-13-server/security.sysctls.{case}.toml");
        let (_, recording) = recordings().into_iter().find(|(found, _)| *found == name).unwrap();
        let mut sections: Vec<_> = traits(&recording).unwrap().sections().collect();
        let (group, section) = sections.remove(0);
        assert_eq!(group, Group::Sysctl);
        section.values.into_iter().collect::<BTreeSet<_>>()
    };
    let (before, after) = (of("as-installed"), of("overridden"));
    let changed: Vec<_> = before.difference(&after).map(|(name, _)| name.as_str()).collect();
    assert_eq!(changed, ["kernel.dmesg_restrict", "kernel.randomize_va_space"]);
    assert_eq!(before.len(), after.len());
    assert!(before.len() > 150, "{} settings are told", before.len());
}
