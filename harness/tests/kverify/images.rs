//! Files that are no image to be verified: refused in one line, before any other program is started on them.

use std::fs;

use crate::place::Place;

/// Every program that kverify starts on an image.
const PROGRAMS: [&str; 3] = ["setpriv", "qemu-system-x86_64", "qemu-img"];

/// A call with `name` ends without a verdict and with this one line, starts nothing, and leaves nothing behind.
#[track_caller]
fn refused(place: &Place, name: &str, line: &str) {
    let programs = place.stand_ins(PROGRAMS);
    let before = place.names("");
    let said = place.kverify(name).finding_programs_in(&programs).said();
    said.no_verdict(line);
    assert_eq!(said.stderr.lines().count(), 1, "{said}");
    assert_eq!(place.started(), [""; 0]);
    assert_eq!(place.names(""), before);
}

#[test]
fn what_is_an_image_is_started() {
    let place = Place::new();
    let programs = place.stand_ins(PROGRAMS);
    place.kverify("--accel tcg").arg(place.blank()).finding_programs_in(&programs).said().exits(2);
    assert!(place.started().contains(&"setpriv".to_owned()), "{:?}", place.started());
}

#[test]
fn no_such_file() {
    refused(&Place::new(), "golden.qcow2", "golden.qcow2: no such file");
}

#[test]
fn a_directory() {
    let place = Place::new();
    fs::create_dir(place.path("golden.qcow2")).unwrap();
    refused(&place, "golden.qcow2", "golden.qcow2: a directory, not a disk image in a file");
}

#[test]
fn an_empty_file() {
    let place = Place::new();
    place.file("golden.qcow2", "");
    refused(&place, "golden.qcow2", "golden.qcow2: an empty file; copy or build it again");
}

#[test]
fn a_text_file() {
    let place = Place::new();
    place.file("golden.qcow2", "version https://git-lfs.github.com/spec/v1\n");
    let line = "golden.qcow2: a text file, not a disk image; give the qcow2 or raw file of an installed disk";
    refused(&place, "golden.qcow2", line);
}

#[test]
fn a_truncated_qcow2() {
    let place = Place::new();
    place.file("disk.raw", vec![7; 8 << 20]);
    place.run("qemu-img convert -f raw -O qcow2 disk.raw golden.qcow2");
    fs::File::options().write(true).open(place.path("golden.qcow2")).unwrap().set_len(1_000_000).unwrap();
    let line =
        "golden.qcow2: truncated qcow2: a cluster ends at byte 1048577, the file at 1000000; copy or build it again";
    refused(&place, "golden.qcow2", line);
}

#[test]
fn a_qcow2_with_a_backing_file() {
    let place = Place::new();
    place.run("qemu-img create -q -f qcow2 base.qcow2 16M");
    place.run("qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 golden.qcow2");
    let line = "golden.qcow2: qcow2 with a backing file, `base.qcow2`; if you trust both files, make one of them: \
                qemu-img convert -f qcow2 -O qcow2 golden.qcow2 golden.plain.qcow2";
    refused(&place, "golden.qcow2", line);
}

#[test]
fn a_qcow2_with_a_data_file() {
    let place = Place::new();
    place.run("qemu-img create -q -f qcow2 -o data_file=content.raw golden.qcow2 16M");
    let line = "golden.qcow2: qcow2 with an external data file, `content.raw`; if you trust both files, make one of \
                them: qemu-img convert -f qcow2 -O qcow2 golden.qcow2 golden.plain.qcow2";
    refused(&place, "golden.qcow2", line);
}

#[test]
fn an_encrypted_qcow2() {
    let place = Place::new();
    let options = "encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10";
    place.run(&format!("qemu-img create -q -f qcow2 --object secret,id=key,data=x -o {options} golden.qcow2 16M"));
    let line = "golden.qcow2: qcow2 encrypted by LUKS; decrypt it into a file that kverify may read: qemu-img convert";
    refused(&place, "golden.qcow2", line);
}
