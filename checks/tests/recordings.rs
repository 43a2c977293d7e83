//! Every recording under `fixtures/recordings` is read by today's parsers and judged by today's checks.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its own files has failed")]
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use kverify_checks::{
    AnyCheck, Book, Expectation, Status, Unreadable, all,
    fact::{FactKind, Gathered},
    recording::{Recording, Says},
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
            let recording = toml::from_str(&fs::read_to_string(&path).unwrap());
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

fn expectation(says: &Says) -> Expectation {
    static BOOK: LazyLock<Book> = LazyLock::new(book);
    static DEFAULT: LazyLock<Expectation> =
        LazyLock::new(|| *BOOK.resolve("debian-13-server").unwrap_or_else(|error| panic!("{error}")).expectation);
    let Some(over) = &says.expect else { return DEFAULT.clone() };
    let mut book = BOOK.clone();
    let text = format!("extends = \"debian-13-server\"\n{}", toml::to_string(&over).unwrap());
    book.add("recording", text);
    *book.resolve("recording").unwrap_or_else(|error| panic!("{}: {error}", says.check)).expectation
}

fn check(id: &str) -> Option<&'static dyn AnyCheck> {
    all().find(|check| check.about().id == id)
}

#[test]
fn checks_say_of_each_recording_what_they_must() {
    let kinds = kinds();
    let mut wrong = Vec::new();
    for (name, recording) in recordings() {
        let kind = kinds[recording.fact.as_str()];
        let read = recording.outputs(&(kind.probes)()).and_then(|outputs| (kind.parse)(&outputs));
        for says in &recording.says {
            let Some(check) = check(&says.check) else {
                wrong.push(format!("{name}: no check is called {}", says.check));
                continue;
            };
            assert_eq!(check.fact().id, recording.fact, "{} does not judge {}", says.check, recording.fact);
            let (is, words) = judged(check, &read, says);
            let part = says.got.as_deref().unwrap_or_default();
            if is != says.is || !words.contains(part) {
                wrong.push(format!("{name}: {} must say {:?} {part:?}, says {is:?}: {words}", says.check, says.is));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn kinds() -> BTreeMap<&'static str, FactKind> {
    all().map(|check| (check.fact().id, check.fact())).collect()
}

fn judged(check: &dyn AnyCheck, read: &Result<Gathered, Unreadable>, says: &Says) -> (Status, String) {
    match read {
        Err(why) => (Status::Error, why.to_string()),
        Ok(fact) => match check.judge(fact.as_ref(), &expectation(says)) {
            Some(verdict) if verdict.holds => (Status::Pass, verdict.got),
            Some(verdict) => (Status::Fail, verdict.got),
            None => (Status::Skip, "not asked".to_owned()),
        },
    }
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
