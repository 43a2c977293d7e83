//! `kverify seal`: what it refuses before, and what it leaves when it fails; whole seals are made by `ci/full seal`.

use std::fs;

use crate::{
    place::{Place, SMALL},
    tiny,
};

/// A call with these words ends without a verdict and with this line, and leaves what was there.
#[track_caller]
fn refused(place: &Place, words: &str, line: &str) {
    let before = place.names("");
    place.kverify(&format!("seal {words}")).said().no_verdict(line);
    assert_eq!(place.names(""), before);
    assert_eq!(place.names("scratch"), [""; 0]);
}

#[test]
fn an_image_that_is_not_there() {
    let line = "golden.qcow2: no such file";
    refused(&Place::new(), "golden.qcow2 --installer medium.iso --out sealed.qcow2 --scratch scratch", line);
}

#[test]
fn a_name_that_is_taken_and_a_folder_that_is_not_there() {
    let place = Place::new();
    place.blank();
    place.file("sealed.qcow2", "precious");
    let line = "sealed.qcow2: there is something already; remove it or choose another name";
    refused(&place, "blank.raw --installer medium.iso --out sealed.qcow2 --scratch scratch", line);
    assert_eq!(fs::read(place.path("sealed.qcow2")).unwrap(), b"precious");
    let line = "nowhere: no such folder; make it first";
    refused(&place, "blank.raw --installer medium.iso --out nowhere/sealed.qcow2 --scratch scratch", line);
}

#[test]
fn a_disk_without_a_pool() {
    let place = Place::new();
    let line = "only an image with its root on ZFS can be sealed: its disk has no ZFS label";
    let image = tiny::image("ssh").display().to_string();
    refused(&place, &format!("{image} --installer medium.iso --out sealed.qcow2 {SMALL}"), line);
}

#[test]
fn steps_that_cannot_be_read() {
    let place = Place::new();
    place.blank();
    let line = "steps.sh: No such file or directory (os error 2)";
    refused(&place, "blank.raw --installer medium.iso --out sealed.qcow2 --scratch scratch --steps steps.sh", line);
}
