//! `--warm`: a captured machine is kept, forked by the next run, and dropped where it is not what was kept.

use std::{fs, path::PathBuf};

use crate::{
    call::Said,
    left::Left,
    place::{Place, SMALL},
    tiny,
};

/// Verifies the guest that can be forked, with the place as its cache.
#[track_caller]
fn run(place: &Place) -> (Left, Said) {
    // A run writes its report anew.
    let _ = fs::remove_dir_all(place.path("kverify-out"));
    place.file("sheet.toml", "[boot]\nready = true\nuefi = true\n[zfs]\ninitramfs_hostid = true\n");
    let account = format!("--expect sheet.toml --timeout 600 --ssh-user root --ssh-key {}", tiny::key().display());
    let call = place.kverify(&format!("{SMALL} --warm {account}")).arg(tiny::image("port"));
    let said = call.env("XDG_CACHE_HOME", place.path("cache")).said();
    said.exits(2);
    (Left::by(place, "port"), said)
}

/// The folder of the one machine that is kept.
fn entry(place: &Place) -> PathBuf {
    let names = place.names("cache/kverify/warm");
    assert_eq!(names.len(), 1, "{names:?}");
    place.path("cache/kverify/warm").join(&names[0])
}

#[test]
fn the_second_run_forks_what_the_first_has_kept() {
    let place = Place::new();
    let (cold, said) = run(&place);
    assert!(said.stderr.contains("kept the captured machine for the next --warm"), "{said}");
    assert_eq!(cold.report["machines"][0]["boot"], "cold", "{said}");
    let (warm, said) = run(&place);
    assert!(said.stderr.starts_with("warm: a fork of the machine captured 20"), "{said}");
    let machine = &warm.report["machines"][0];
    assert_eq!((&machine["id"], &machine["carrier"]), (&"warm-1".into(), &"port".into()), "{machine}");
    assert!(machine["boot"].as_str().unwrap().starts_with("fork_of 20"), "{machine}");
    assert_eq!(warm.report["subject"], cold.report["subject"]);
    for check in ["boot.ready", "boot.uefi", "zfs.initramfs-hostid-agrees"] {
        assert_eq!(warm.outcome(check)["status"], cold.outcome(check)["status"], "{check}");
    }
    assert_eq!(warm.outcome("boot.uefi")["machine"], "warm-1");
    assert!(warm.text("console.log").contains("tiny: ssh server listens"), "what it said while it booted");
    assert_eq!(place.names("scratch"), [""; 0]);

    let swept = |keep: &str| {
        let call = place.kverify(&format!("gc --keep {keep}")).env("XDG_CACHE_HOME", place.path("cache"));
        call.said().exits(0).stdout.clone()
    };
    assert!(swept("1").starts_with("0 captured machines removed; 1 left, "), "it is far below a GiB");
    assert_eq!(swept("0"), "1 captured machines removed; 0 left, 0 MiB\n");
    assert_eq!(place.names("cache/kverify/warm"), [""; 0]);
}

#[test]
fn what_is_not_what_was_kept_is_dropped_and_the_machine_boots() {
    let place = Place::new();
    run(&place);
    let memory = entry(&place).join("memory");
    let length = fs::metadata(&memory).unwrap().len();
    fs::File::options().write(true).open(&memory).unwrap().set_len(length - 4096).unwrap();
    let (left, said) = run(&place);
    let told = format!("dropped what was captured, booting cold: {}: not what was stored", memory.display());
    assert!(said.stderr.starts_with(&told), "{said}");
    assert_eq!(left.report["machines"][0]["boot"], "cold", "{said}");
    assert_eq!(fs::metadata(entry(&place).join("memory")).unwrap().len(), length, "kept anew");
}
