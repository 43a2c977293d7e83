//! `kverify build` up to the machine that installs; whole installations are made by `ci/golden`.

use std::{
    fs,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::place::{Place, SMALL};

/// However kverify ends, a command that builds ends with it, and with all that it started.
#[test]
fn no_command_builds_on_without_kverify() {
    for signal in [Signal::KILL, Signal::TERM] {
        let place = Place::new();
        place.file("make", "sleep 4242 & echo $! > pid.new; mv pid.new pid; wait\n");
        let running = place.kverify("build --out golden.qcow2 --command").arg(". ./make").start();
        let begun = Instant::now();
        let waited = |what: &str| {
            assert!(begun.elapsed() < Duration::from_mins(1), "{what}");
            sleep(Duration::from_millis(20));
        };
        while !place.path("pid").exists() {
            waited("it never began");
        }
        running.kill(signal);
        running.said();
        let process = Path::new("/proc").join(fs::read_to_string(place.path("pid")).unwrap().trim()).join("exe");
        while fs::read_link(&process).is_ok() {
            waited("it builds on");
        }
        assert!(!place.path("golden.qcow2").exists());
    }
}

/// Where no guest runs on KVM, two QEMUs follow each other on the same disk, which lets in one at a time.
#[test]
fn the_disk_is_free_for_the_machine_after_the_one_that_kvm_stopped() {
    let place = Place::new();
    place.file("answers.env", "KLDLOAD_DISTRO=debian\n");
    place.blank();
    for _ in 0..8 {
        let mut running = place.kverify("build answers.env --installer blank.raw --out golden.qcow2").start();
        running.wait_for("booting on ");
        running.kill(Signal::TERM);
        running.said().no_verdict("interrupted by SIGTERM; nothing is left at golden.qcow2");
    }
    assert_eq!(place.names(""), ["answers.env", "blank.raw", "scratch", "tmp"]);
}

/// The firmware's own shell is there where nothing boots: what is typed is what it does, capitals and signs too.
#[test]
fn what_is_typed_arrives_and_is_waited_for() {
    let place = Place::new();
    place.file("answers.env", "KLDLOAD_DISTRO=debian\n");
    place.blank();
    let line = format!(
        "build answers.env --installer blank.raw --out golden.qcow2 --serial-log console --timeout 300 {SMALL}"
    );
    let ends = |keys: &str, why: &str| {
        let said = place.kverify(&line).args("--boot-command").arg(keys).said();
        assert!(said.exits(2).stderr.contains(why), "{said}");
    };
    // What it says has fewer blanks than what was typed.
    let waits =
        "<until \"Shell>\">echo Typed   By_-+{}[]:~!@,.?/=$&*()<enter><until \"Typed By_-+{}[]:~!@,.?/=$&*()\">";
    // It ends as an installer would, and its disk is asked.
    ends(&format!("{waits}reset -s<enter>"), "the installer said it was done, but its disk has no partition table");
    ends(
        "<until \"Shell>\">reset -s<enter><until \"never said\">",
        "the machine ended, and --boot-command still waits for the console to say `never said`",
    );
    assert!(!place.path("golden.qcow2").exists());
}
