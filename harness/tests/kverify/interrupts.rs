//! kverify is ended while a machine boots: nothing of it survives, however it is ended.

use rustix::process::Signal;

use crate::{
    call::Said,
    place::{Place, SMALL},
    running::Running,
    tiny,
};

/// Starts a verification, ends it by `end` once QEMU runs, and finds no process and no file of it.
#[track_caller]
fn ended_by(end: impl FnOnce(&Running)) -> Said {
    let place = Place::new();
    let mut running = place.kverify(SMALL).arg(tiny::image("hang")).start();
    running.wait_for("booting on tcg");
    let helpers = running.helpers();
    assert!(helpers.iter().any(|line| line.starts_with("qemu-system-x86_64 ")), "{helpers:?}");
    end(&running);
    let said = running.said();
    assert_eq!(place.names("scratch"), [""; 0]);
    assert_eq!(place.names("tmp"), [""; 0]);
    assert!(!place.path("kverify-out").exists());
    said
}

#[test]
fn ctrl_c_on_a_terminal() {
    ended_by(|running| running.kill_group(Signal::INT)).no_verdict("interrupted by SIGINT");
}

#[test]
fn sigterm() {
    ended_by(|running| running.kill(Signal::TERM)).no_verdict("interrupted by SIGTERM");
}

#[test]
fn sigkill() {
    let said = ended_by(|running| running.kill(Signal::KILL));
    assert_eq!(said.code, None, "{said}");
}
