//! `kverify build` up to the machine that installs; whole installations are made by `ci/golden`.

use rustix::process::Signal;

use crate::place::Place;

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
