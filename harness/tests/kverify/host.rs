//! What the host lacks: said with what brings it, before anything is written.

use std::fs;

use crate::place::{Place, SMALL};

#[test]
fn no_qemu() {
    let place = Place::new();
    let said = place.kverify(SMALL).arg(place.blank()).finding_programs_in(&place.path("tmp")).said();
    said.no_verdict("no `qemu-system-x86_64` in PATH; on Debian, package `qemu-system-x86` has it");
    assert!(!place.path("kverify-out").exists());
}

#[test]
fn no_firmware() {
    let place = Place::new();
    let hide = "for folder in /usr/share/OVMF /usr/share/edk2 /usr/share/edk2-ovmf /usr/share/qemu /etc/qemu; do \
                if [ -d $folder ]; then mount -t tmpfs none $folder; fi; done";
    let Some(call) = place.kverify_after(hide, SMALL) else { return };
    let said = call.arg(place.blank()).said();
    let reason = said.reason();
    assert!(reason.starts_with("no UEFI firmware for x86-64: looked at /usr/share/qemu/firmware, "), "{said}");
    assert!(reason.ends_with("; on Debian the package `ovmf` brings it"), "{said}");
    said.no_verdict(reason);
    assert_eq!(place.names("scratch"), [""; 0]);
    assert!(!place.path("kverify-out").exists());
}

#[test]
fn no_disk_space() {
    let place = Place::new();
    let Some(call) = place.kverify_after("mount -t tmpfs -o size=8M none scratch", SMALL) else { return };
    let said = call.arg(place.blank()).said();
    let words = "scratch: no disk space for an overlay: 67108864 bytes needed, ";
    assert!(
        said.reason().starts_with(words) && said.reason().ends_with(" free; name another folder with --scratch"),
        "{said}"
    );
    said.no_verdict(said.reason());
    assert!(!place.path("kverify-out").exists());
}

#[test]
fn a_scratch_folder_that_is_not_there() {
    let place = Place::new();
    let said = place.kverify("--scratch nowhere").arg(place.blank()).said();
    said.no_verdict("nowhere: cannot hold firmware variables; name another folder with --scratch: No such file or directory (os error 2)");
}

#[test]
fn a_file_in_the_way_of_the_report() {
    let place = Place::new();
    place.file("out", "mine");
    let said = place.kverify(SMALL).args("--out out").arg(place.blank()).said();
    said.no_verdict("out: not a folder that can be replaced; name another with --out");
    assert_eq!(fs::read_to_string(place.path("out")).unwrap(), "mine");
}

#[test]
fn a_foreign_folder_in_the_way_of_the_report() {
    let place = Place::new();
    fs::create_dir(place.path("out")).unwrap();
    place.file("out/letter.txt", "mine");
    let said = place.kverify(SMALL).args("--out out").arg(place.blank()).said();
    said.no_verdict("out: holds files, but no report of kverify; empty it, or name another folder with --out");
    assert_eq!(place.names("out"), ["letter.txt"]);
}

#[test]
fn a_folder_that_takes_no_report() {
    let place = Place::new();
    let said = place.kverify(SMALL).args("--out /proc/out/below").arg(place.blank()).said();
    let words = "/proc/out/below: cannot be written; mend this, or name another folder with --out: No such file";
    assert!(said.reason().starts_with(words), "{said}");
    said.no_verdict(said.reason());
}
