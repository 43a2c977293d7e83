//! What a diff has to be, whatever it is of.

use std::{collections::BTreeSet, fs};

use kverify_checks::{AnyCheck, Group, all, traits::Scale};

use super::{
    Change, Diff, Kind, Which, read,
    samples::{CASES, before_and_after, report, with},
};
use crate::report::{Facts, Unknown, facts::sample as facts, json};

fn between(a: &Facts, b: &Facts) -> Diff {
    Diff::between(a, b).unwrap()
}

/// The changes of the only group.
fn changes(a: &Facts, b: &Facts) -> Vec<Change> {
    let diff = between(a, b);
    assert!(diff.groups.len() <= 1 && diff.exit == u8::try_from(diff.groups.len()).unwrap());
    diff.groups.into_iter().flat_map(|group| group.changes).collect()
}

fn told(changes: &[Change]) -> Vec<(Kind, &str)> {
    changes.iter().map(|change| (change.kind, change.name.as_str())).collect()
}

#[test]
fn the_recordings_cover_every_fact_that_tells_something() {
    let telling = all().map(AnyCheck::fact).filter(|kind| !kind.groups.is_empty());
    let telling: BTreeSet<_> = telling.map(|kind| kind.id).collect();
    assert_eq!(CASES.iter().map(|case| case.0).collect::<BTreeSet<_>>(), telling);
}

#[test]
fn nothing_differs_from_itself() {
    let (before, after) = before_and_after();
    for facts in [&before, &after] {
        let diff = between(facts, facts);
        assert_eq!((diff.groups, diff.measured, diff.exit), (vec![], vec![], 0));
        assert!(diff.not_compared.iter().all(|left| left.of == Which::Both), "{:?}", diff.not_compared);
        assert!(diff.same_image);
    }
}

#[test]
fn a_diff_backwards_is_the_same_seen_from_the_other_side() {
    let (before, after) = before_and_after();
    let (there, mut back) = (between(&before, &after), between(&after, &before));
    assert!(there.groups.len() > 10 && !there.same_image);
    std::mem::swap(&mut back.a, &mut back.b);
    for change in back.groups.iter_mut().flat_map(|group| &mut group.changes) {
        std::mem::swap(&mut change.a, &mut change.b);
        change.kind = match change.kind {
            Kind::Added => Kind::Removed,
            Kind::Removed => Kind::Added,
            Kind::Upgraded => Kind::Downgraded,
            Kind::Downgraded => Kind::Upgraded,
            Kind::Changed => Kind::Changed,
        };
    }
    for group in &mut back.groups {
        group.changes.sort();
    }
    for one in &mut back.measured {
        std::mem::swap(&mut one.a, &mut one.b);
    }
    for one in &mut back.not_compared {
        one.of = match one.of {
            Which::A => Which::B,
            Which::B => Which::A,
            Which::Both => Which::Both,
        };
    }
    assert_eq!(there, back);
}

#[test]
fn versions_have_a_direction_where_their_manager_gives_one() {
    let a = [("gone", "1"), ("libc6", "2.36-9+deb12u10"), ("odd", "1.0"), ("openssl", "3.5.1-1"), ("two", "1, 2")];
    let b = [("libc6", "2.41-12"), ("new", "1"), ("odd", "1.00"), ("openssl", "3.5.1~rc1-1"), ("two", "2, 3")];
    let of = |scale| changes(&with(Group::Packages, scale, &a), &with(Group::Packages, scale, &b));
    let (added, removed) = ((Kind::Added, "new"), (Kind::Removed, "gone"));
    assert_eq!(
        told(&of(Scale::Dpkg)),
        [
            added,
            removed,
            (Kind::Upgraded, "libc6"),
            (Kind::Downgraded, "openssl"),
            (Kind::Changed, "odd"),
            (Kind::Changed, "two")
        ]
    );
    let text = of(Scale::Text);
    assert_eq!(text[2..].iter().map(|change| change.kind).collect::<BTreeSet<_>>(), BTreeSet::from([Kind::Changed]));
    assert_eq!((text[0].a.as_deref(), text[0].b.as_deref()), (None, Some("1")));
}

#[test]
fn what_one_side_was_not_asked_is_not_removed() {
    let a = with(Group::Users, Scale::Text, &[("root", "uid 0")]);
    let mut b = facts();
    let why = Diff::between(&a, &b).unwrap_err().to_string();
    assert!(why.contains("nothing is known of both") && why.contains("--only"), "{why}");
    let mut both = with(Group::Sysctl, Scale::Text, &[("vm.x", "1")]);
    both.known[0].fact = "b.fact".to_owned();
    let a = Facts { known: [a.known, both.known.clone()].concat(), ..facts() };
    b.known = both.known;
    let diff = between(&a, &b);
    assert_eq!(
        (diff.groups.len(), diff.exit, diff.not_compared.len()),
        (0, 0, 1),
        "one image is the same, whatever was asked"
    );
    assert_eq!(
        (diff.not_compared[0].of, diff.not_compared[0].why.as_str()),
        (Which::B, "kverify 0.1.0 did not ask it")
    );
    let (groups, why) = (vec!["users".to_owned()], "left out by --only or --skip".to_owned());
    b.unknown.push(Unknown { fact: "a.fact".to_owned(), groups, why });
    let told = &between(&b, &a).not_compared[0];
    assert_eq!((told.of, told.group.as_str(), told.why.as_str()), (Which::A, "users", "left out by --only or --skip"));
    // Of two images, what is known of neither may be different.
    let mut other = b.clone();
    other.subject.digest = "sha256:other".to_owned();
    let diff = between(&b, &other);
    assert_eq!((diff.groups.len(), diff.exit), (0, 2));
    assert_eq!((diff.not_compared[0].of, diff.not_compared[0].group.as_str()), (Which::Both, "users"));
}

#[test]
fn beyond_the_limit_nothing_is_said() {
    let mut a = with(Group::Files, Scale::Text, &[("/a", ""), ("/c", "")]);
    let b = with(Group::Files, Scale::Text, &[("/b", ""), ("/c", ""), ("/d", "")]);
    assert_eq!(told(&changes(&a, &b)), [(Kind::Added, "/b"), (Kind::Added, "/d"), (Kind::Removed, "/a")]);
    a.known[0].left_out = 7;
    let diff = between(&a, &b);
    assert_eq!(told(&diff.groups[0].changes), [(Kind::Added, "/b"), (Kind::Removed, "/a")], "/d may be in both");
    assert!(diff.not_compared[0].of == Which::A && diff.not_compared[0].why.starts_with("7 more are left out"));
}

#[test]
fn a_dataset_that_is_new_is_told_once() {
    let old = [("rpool", "filesystem"), ("rpool atime", "off")];
    let new = [("rpool", "filesystem"), ("rpool atime", "on"), ("rpool/srv", "filesystem"), ("rpool/srv atime", "on")];
    let of = |group| changes(&with(group, Scale::Text, &old), &with(group, Scale::Text, &new));
    assert_eq!(told(&of(Group::Datasets)), [(Kind::Added, "rpool/srv"), (Kind::Changed, "rpool atime")]);
    assert_eq!(of(Group::Sudo).len(), 3, "elsewhere a blank is a blank");
}

#[test]
fn what_is_measured_decides_nothing_and_is_told_where_it_is_clearly_another() {
    let of = |scale, group, a, b| {
        let (mut one, mut other) = (with(group, scale, &[("x", a)]), with(group, scale, &[("x", b)]));
        let both = with(Group::Users, Scale::Text, &[]);
        one.known.extend(both.known.clone());
        other.known.extend(both.known);
        let diff = between(&one, &other);
        assert_eq!((diff.exit, diff.groups.len()), (0, 0));
        other.machine = "kvm, 2 CPUs, 2048 MiB".to_owned();
        (diff.measured.len(), between(&one, &other).not_compared.len())
    };
    assert_eq!(of(Scale::Seconds, Group::Times, "60.3", "70.1"), (0, 1), "times of unlike machines are not compared");
    assert_eq!(of(Scale::Seconds, Group::Times, "60.3", "90.1"), (1, 1));
    assert_eq!(of(Scale::Seconds, Group::Times, "0.3", "0.9"), (0, 1));
    assert_eq!(of(Scale::Bytes, Group::Sizes, "400000000", "401000000"), (0, 0));
    assert_eq!(of(Scale::Bytes, Group::Sizes, "400000000", "440000000"), (1, 0));
    assert_eq!(of(Scale::Bytes, Group::Sizes, "400000000", "NaN"), (0, 0));
}

#[test]
fn a_group_of_a_later_kverify_is_compared_as_text() {
    let mut a = with(Group::Users, Scale::Text, &[("x", "1")]);
    let mut b = with(Group::Users, Scale::Text, &[("x", "2")]);
    for facts in [&mut a, &mut b] {
        facts.known[0].group = "firewall".to_owned();
    }
    assert_eq!(between(&a, &b).groups[0].group, "firewall");
}

#[test]
fn facts_are_those_that_their_report_speaks_of() {
    let place = tempfile::tempdir().unwrap();
    let (before, after) = before_and_after();
    let path = |name: &str| place.path().join(name);
    report(&path("a"), &before);
    for name in ["a", "a/report.json", "a/facts.json"] {
        assert_eq!(read(&path(name)).unwrap(), before, "{name}");
    }
    fs::write(path("alone.json"), after.text()).unwrap();
    assert_eq!(read(&path("alone.json")).unwrap(), after);

    let why = |name: &str| format!("{:#}", anyhow::Error::from(read(&path(name)).unwrap_err()));
    fs::write(path("a/facts.json"), after.text()).unwrap();
    for name in ["a", "a/facts.json"] {
        assert!(why(name).contains("facts.json: not the file that the report beside it speaks of"), "{}", why(name));
    }
    fs::remove_file(path("a/facts.json")).unwrap();
    assert!(why("a").contains("facts.json: cannot be read; name the folder of a report"), "{}", why("a"));
    let mut old = crate::report::sample_verified();
    old.facts = None;
    fs::write(path("a/report.json"), json::report(&old)).unwrap();
    assert!(why("a").contains("report.json: speaks of no facts.json"), "{}", why("a"));
    fs::write(path("alone.json"), after.text().replace("\"schema\": 1", "\"schema\": 2")).unwrap();
    assert!(why("alone.json").contains("alone.json: its form is 2, and this kverify reads 1"));
    fs::write(path("alone.json"), "[]").unwrap();
    assert!(why("alone.json").contains("alone.json: not what kverify writes"), "{}", why("alone.json"));
    assert!(why("none").contains("none: cannot be read; name"), "{}", why("none"));
    let huge = fs::File::create(path("huge.json")).unwrap();
    huge.set_len((64 << 20) + 1).unwrap();
    assert!(why("huge.json").contains("huge.json: more than 64 MiB"), "{}", why("huge.json"));
}
