//! Machines that do not get ready: each is named for what it did, with the end of its console, and none is waited for
//! once it has ended.

use std::fs;

use crate::{
    left::{Left, assert_harmless, fits},
    place::{Place, SMALL},
    tiny,
};

/// Verifies the guest that does this; `boot.ready` has to fail with what begins with `got`, and the console's tail to
/// hold `tail`.
#[track_caller]
fn refuted(place: &Place, does: &str, seconds: u32, got: &str, tail: &str) -> Left {
    let said = place.kverify(&format!("{SMALL} --timeout {seconds}")).arg(tiny::image(does)).said();
    said.exits(1);
    let left = Left::by(place, does);
    let ready = left.outcome("boot.ready");
    assert_eq!(ready["status"], "fail", "{said}");
    let words = ready["got"].as_str().unwrap();
    assert!(words.starts_with(got), "{said}");
    said.shows(&format!("FAIL  {does} · boot.ready"));
    let console = said.stdout.split_once("console of cold-1, its last lines").unwrap_or_else(|| panic!("{said}")).1;
    assert!(console.lines().any(|line| line.trim_start().starts_with("| ") && line.contains(tail)), "{said}");
    assert!(left.text("console.log").contains(tail));
    assert_eq!(left.report["verdict"], "refuted");
    assert!(left.shows_the_screen());
    assert_harmless("standard output", &said.stdout);
    assert_harmless("standard error", &said.stderr);
    assert_eq!(place.names("scratch"), [""; 0]);
    left
}

#[test]
fn a_disk_of_zeros_has_nothing_to_boot() {
    refuted(&Place::new(), "zero", 600, "nothing to boot: ", "UEFI Interactive Shell v2");
}

#[test]
fn an_efi_partition_without_a_loader_has_nothing_to_boot() {
    let left = refuted(&Place::new(), "no-loader", 600, "nothing to boot: ", "UEFI Interactive Shell v2");
    assert_eq!(left.outcome("image.partitions-valid")["status"], "pass");
    assert_eq!(left.outcome("image.fallback-loader")["status"], "fail");
}

#[test]
fn a_kernel_panics() {
    let got = "the kernel panicked: [";
    let left = refuted(&Place::new(), "panic", 600, got, "Kernel panic - not syncing: sysrq triggered crash");
    assert_eq!(left.outcome("console.no-kernel-panic")["status"], "fail");
    assert_eq!(left.outcome("image.fallback-loader")["status"], "pass");
}

#[test]
fn a_guest_powers_itself_off() {
    refuted(&Place::new(), "poweroff", 600, "the guest powered itself off after ", "reboot: Power down");
}

#[test]
fn a_guest_that_writes_over_its_disk_leaves_the_golden_file_as_it_was() {
    let place = Place::new();
    let image = tiny::image("scribble");
    let state = || (fs::metadata(&image).unwrap().modified().unwrap(), fs::read(&image).unwrap());
    let before = state();
    let left = refuted(&place, "scribble", 600, "the guest powered itself off after ", "No space left on device");
    assert!(state() == before, "the golden file was written to");
    let digest = place.run(&format!("sha256sum {}", image.display()));
    assert_eq!(left.report["subject"]["digest"], format!("sha256:{}", digest.split(' ').next().unwrap()));
}

#[test]
fn a_guest_resets_itself_for_ever() {
    refuted(&Place::new(), "reset", 1200, "the guest reset itself 3 times after ", "tiny: reset");
}

#[test]
fn a_guest_is_silent_and_idle_until_the_deadline() {
    refuted(&Place::new(), "hang", 150, "hung: silent and idle for ", "tiny: hang");
}

#[test]
fn an_initramfs_opens_its_shell() {
    let got = "stopped in the initramfs: BusyBox v1.";
    refuted(&Place::new(), "initramfs-shell", 600, got, "built-in shell (ash)");
}

#[test]
fn what_a_hostile_guest_prints_does_no_harm() {
    let place = Place::new();
    let left = refuted(&place, "hostile", 600, "the guest powered itself off after ", "verified, exit 0");
    assert!(left.text("console.log").contains("<script>alert(1)</script> ]]> &amp;"));
    let schema = serde_json::from_str(&place.kverify("schema").said().stdout).unwrap();
    let mut report = left.report;
    report["verdict"] = "promising".into();
    assert!(fits(&report, &schema).is_err(), "the schema takes anything");
}

/// Verifies a guest that is at work when its time is over: no verdict, and what it said until then.
#[track_caller]
fn still_booting(does: &str) {
    let place = Place::new();
    let said =
        place.kverify(&format!("{SMALL} --only boot.ready,console.* --timeout 60")).arg(tiny::image(does)).said();
    let words = "still booting after 60 s (the console's last line: ";
    said.exits(2);
    let left = Left::by(&place, does);
    let why = left.untold();
    assert!(why.starts_with(words) && why.ends_with("); give it more with --timeout"), "{said}");
    assert_eq!(left.outcome("console.no-kernel-panic")["status"], "error", "the boot was not over");
    assert_harmless("standard output", &said.stdout);
    assert_harmless("standard error", &said.stderr);
    assert_eq!(place.names("scratch"), [""; 0]);
}

#[test]
fn a_guest_at_work_is_still_booting() {
    still_booting("busy");
}

#[test]
fn a_guest_that_floods_its_console_is_still_booting() {
    still_booting("flood");
}
