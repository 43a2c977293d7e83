//! `kverify export`: what it leaves, what it says, and what becomes of it when something is in the way or ends it.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use rustix::process::Signal;

use crate::{call::Call, place::Place};

/// A `qemu-img` that does `then` in the place of writing VHDX.
fn with_another_writer(place: &Place, call: Call, then: &str) -> Call {
    fs::create_dir(place.path("programs")).unwrap();
    let real = place.run("which qemu-img");
    let script = format!("#!/bin/bash\n[[ $* == *'-O vhdx '* ]] || exec {} \"$@\"\n{then}\n", real.trim());
    let program = place.file("programs/qemu-img", script);
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    call.env("PATH", format!("{}:{path}", place.path("programs").display()))
}

#[test]
fn files_stand_beside_their_digests_and_the_record() {
    let place = Place::new();
    place.blank();
    fs::create_dir(place.path("out")).unwrap();
    let call = || place.kverify("export blank.raw --format qcow2,ova,raw --out-dir out");
    let said = call().said();
    said.exits(0);
    let lines: Vec<_> = said.stdout.lines().collect();
    assert_eq!(lines[0], "exported blank.raw to out");
    assert!(lines[1].starts_with("  image     sha256:") && lines[1].ends_with(", a disk of 64 MiB"), "{said}");
    assert!(lines[2].ends_with(" MiB: the image's 67108864 bytes, read by imago"), "{said}");
    assert_eq!(place.names("out"), ["SHA256SUMS", "blank.ova", "blank.qcow2", "blank.raw", "export.json"]);
    let sums = Command::new("sha256sum").args(["-c", "SHA256SUMS"]).current_dir(place.path("out")).output().unwrap();
    assert_eq!(String::from_utf8(sums.stdout).unwrap(), "blank.qcow2: OK\nblank.ova: OK\nblank.raw: OK\n");
    call().said().no_verdict("out/blank.qcow2: there is something already; remove it or choose another name");
}

#[test]
fn formats_that_there_are_not_are_answered_with_those_that_there_are() {
    let place = Place::new();
    place.blank();
    let said = place.kverify("export blank.raw --format qcow2,vdi --out-dir out").said();
    said.exits(2);
    assert!(said.stderr.contains("invalid value 'vdi'"), "{said}");
    assert!(said.stderr.contains("[possible values: qcow2, vmdk, vhd, vhdx, ova, raw, gce]"), "{said}");
    place
        .kverify("export blank.raw --format raw --out-dir out")
        .said()
        .no_verdict("out: no such folder; make it first");
}

#[test]
fn a_writer_that_was_caught_is_an_answer() {
    let place = Place::new();
    place.blank();
    fs::create_dir(place.path("out")).unwrap();
    let call = place.kverify("export blank.raw --format raw,vhdx --out-dir out");
    let said = with_another_writer(&place, call, "truncate -s 1M ${@: -1}").said();
    said.exits(1);
    assert_eq!(
        said.stdout,
        "not exported: vhdx: the file that was written is not the image: it cannot be read back: malformed vhdx: no \
         identifier at its beginning\n  nothing is left in out\n"
    );
    assert_eq!(place.names("out"), [""; 0]);
}

#[test]
fn nothing_is_left_however_it_is_ended() {
    for signal in [Signal::INT, Signal::KILL] {
        let place = Place::new();
        place.blank();
        fs::create_dir(place.path("out")).unwrap();
        let call = place.kverify("export blank.raw --format raw,vhdx --out-dir out");
        let mut running = with_another_writer(&place, call, "exec sleep 600").start();
        running.wait_for("  raw: equal to the image");
        running.kill(signal);
        let said = running.said();
        if signal == Signal::INT {
            said.no_verdict("interrupted by SIGINT; nothing is left in out");
        }
        assert_eq!(place.names("out"), [""; 0]);
    }
}
