use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use kverify_checks::replay::Compared;

use super::{
    Replay,
    samples::{no_tool, says, well, write},
};
use crate::{
    book,
    run::{Filter, named},
};

fn replay(paths: &[&Path]) -> Replay {
    only(paths, &[])
}

fn only(paths: &[&Path], only: &[&str]) -> Replay {
    let paths: Vec<_> = paths.iter().map(|path| path.to_path_buf()).collect();
    let only: Vec<_> = only.iter().map(|pattern| (*pattern).to_owned()).collect();
    let sheet = named(&mut book::built_in(), "debian-13-server").unwrap();
    Replay::of(&paths, &sheet, &Filter::new(&only, &[]).unwrap())
}

/// A replay of a folder with these files.
fn replayed(files: &[(&str, &str)]) -> Replay {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), files);
    replay(&[folder.path()])
}

/// The names of the files that were judged.
fn judged(replay: &Replay) -> Vec<&str> {
    replay.recordings.iter().map(|played| name(&played.file)).collect()
}

/// What could not be judged, by name.
fn unread(replay: &Replay) -> Vec<(&str, &str)> {
    replay.unread.iter().map(|unread| (name(&unread.path), unread.why.as_str())).collect()
}

fn name(path: &str) -> &str {
    Path::new(path).file_name().unwrap().to_str().unwrap()
}

#[test]
fn the_recordings_of_the_repository_are_as_they_say() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures/recordings");
    let replay = replay(&[&folder]);
    let wrong: Vec<_> = replay.checks().filter(|one| matches!(one.compared, Compared::NotAsSaid { .. })).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(replay.unread.is_empty(), "{:#?}", replay.unread);
    let plans = fs::read_dir(folder.join("plans")).unwrap().count();
    assert_eq!((replay.exit, replay.plans), (0, plans));
    assert!(replay.recordings.len() > 400, "{}", replay.recordings.len());
}

#[test]
fn what_is_said_decides_and_else_what_is() {
    let healthy = "zfs.pools-healthy";
    for (text, exit) in [
        (well(""), 0),
        (well("").replace("rpool", "tank"), 1),
        (no_tool(""), 2),
        (well(&says(healthy, "pass")), 0),
        (well(&says(healthy, "fail")), 1),
        (well(&says(healthy, "error")), 1),
        (no_tool(&says(healthy, "error")), 0),
        (no_tool(&says(healthy, "fail")), 1),
        // The name is wrong, and the recording is of something else.
        (well(&says(healthy, "pass")).replace("rpool", "tank"), 0),
    ] {
        assert_eq!(replayed(&[("a.toml", &text)]).exit, exit, "{text}");
    }
}

#[test]
fn what_is_wrong_weighs_more_than_what_cannot_be_told() {
    let (well, wrong) = (well(""), well(&says("zfs.pool-named", "fail")));
    let broken = ("broken.toml", "fact = ");
    assert_eq!(replayed(&[("a.toml", &well), broken]).exit, 2);
    assert_eq!(replayed(&[("a.toml", &wrong), broken]).exit, 1);
}

#[test]
fn what_cannot_be_judged_is_named_and_the_rest_judged() {
    let well = well("");
    let replay = replayed(&[
        ("a.toml", &well),
        ("broken.toml", "fact = 'zfs.pool-status'\nfrom = \n"),
        ("fact.toml", &well.replace("zfs.pool-status", "zfs.pool-state")),
        ("probes.toml", &well.replace("-pv", "-p")),
        ("sheet.toml", "extends = 'debian-13'\n"),
        ("z/last.toml", &well),
        ("z/no-recording.txt", "fact"),
    ]);
    assert_eq!(judged(&replay), ["a.toml", "last.toml"]);
    let [broken, fact, probes, sheet] = unread(&replay)[..] else { panic!("{:#?}", replay.unread) };
    assert!(broken.0 == "broken.toml" && broken.1.starts_with("no recording: line 2: "), "{broken:?}");
    assert_eq!(fact, ("fact.toml", "no fact is called `zfs.pool-state`"));
    assert!(probes.0 == "probes.toml" && probes.1.starts_with("its probes are not today's: "), "{probes:?}");
    assert!(sheet.1.starts_with("no recording: line 1: unknown field `extends`"), "{sheet:?}");
    assert_eq!(replay.exit, 2);
}

#[test]
fn nothing_is_no_verdict() {
    let empty = replayed(&[]);
    assert!(matches!(unread(&empty)[..], [(_, "no recording below it")]), "{:?}", empty.unread);
    assert_eq!(empty.exit, 2);
    let missing = replay(&[Path::new("no-such-folder")]);
    assert_eq!(unread(&missing), [("no-such-folder", "cannot be read: No such file or directory (os error 2)")]);
    assert_eq!(missing.exit, 2);
}

#[test]
fn a_plan_is_left_out_where_it_was_found_and_an_error_where_it_was_named() {
    let plan = "[[case]]\nfact = 'zfs.pool-status'\nname = 'a'\nabout = 'b'\n";
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("plans/a.toml", plan)]);
    let plans = folder.path().join("plans");
    let found = replay(&[&plans]);
    assert_eq!((found.plans, unread(&found), found.exit), (1, vec![("plans", "no recording below it")], 2));
    let named = replay(&[&plans.join("a.toml")]);
    assert_eq!(unread(&named), [("a.toml", "no recording, but a plan for `kverify record`")]);
    write(folder.path(), &[("b.toml", &well(""))]);
    let beside = replay(&[folder.path()]);
    assert_eq!((beside.plans, judged(&beside), beside.exit), (1, vec!["b.toml"], 0));
}

#[test]
fn a_filter_leaves_out_checks_and_not_what_is_wrong_with_files() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("a.toml", &well(&(says("zfs.pool-named", "fail") + &says("zfs.pools-healthy", "pass"))))]);
    let healthy = only(&[folder.path()], &["zfs.pools-*"]);
    assert_eq!((healthy.checks().count(), healthy.exit), (1, 0));
    assert_eq!(healthy.recordings[0].filtered, replay(&[folder.path()]).checks().count() - 1);
    assert_eq!(only(&[folder.path()], &["boot.*"]).exit, 2, "nothing was asked");
    write(folder.path(), &[("b.toml", "")]);
    assert_eq!(unread(&only(&[folder.path()], &["zfs.pools-*"])).len(), 1);
}

#[test]
fn each_file_is_judged_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write(folder.path(), &[("a.toml", &well("")), ("below/b.toml", &well(""))]);
    symlink("..", path("below/back")).unwrap();
    symlink(".", path("here")).unwrap();
    symlink("itself", path("itself")).unwrap();
    symlink("a.toml", path("again.toml")).unwrap();
    let found = replay(&[folder.path(), &path("below"), &path("below/../a.toml")]);
    assert_eq!((judged(&found), found.exit), (vec!["a.toml", "b.toml"], 0));
    symlink("nowhere", path("lost.toml")).unwrap();
    let lost = replay(&[folder.path()]);
    assert_eq!(unread(&lost), [("lost.toml", "cannot be read: No such file or directory (os error 2)")]);
}

#[test]
fn a_link_leads_to_a_folder_elsewhere() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(elsewhere.path(), &[("a.toml", &well(""))]);
    symlink(elsewhere.path(), folder.path().join("there")).unwrap();
    assert_eq!(judged(&replay(&[folder.path()])), ["a.toml"]);
}

#[test]
fn a_file_has_a_bound_and_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    File::create(path("large.toml")).unwrap().set_len((16 << 20) + 1).unwrap();
    assert!(Command::new("mkfifo").arg(path("pipe.toml")).status().unwrap().success());
    fs::write(path("text.toml"), b"fact = '\xff'\n").unwrap();
    let found = replay(&[folder.path()]);
    assert_eq!(
        unread(&found),
        [
            ("large.toml", "too large for a recording: more than 16 MiB"),
            ("pipe.toml", "neither a file nor a folder"),
            ("text.toml", "no recording: it is not UTF-8"),
        ]
    );
    let well = well("");
    let largest = "\n".repeat((16 << 20) - well.len()) + &well;
    write(folder.path(), &[("large.toml", &largest)]);
    assert_eq!(replay(&[&path("large.toml")]).exit, 0);
}
