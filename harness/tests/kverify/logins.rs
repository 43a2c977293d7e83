//! Ways into a machine: who is let in, who is refused, and that a refusal is no timeout.

use crate::{
    left::Left,
    place::{Place, SMALL},
    tiny,
};

/// Nobody gets in by these words, and `reason` says why.
#[track_caller]
fn no_way_in(place: &Place, account: &str, reason: &str) {
    let call = place.kverify(&format!("{SMALL} --only boot.ready --timeout 600 {account}")).arg(tiny::image("ssh"));
    call.env("PASSWORD", "not tiny").said().exits(2);
    assert_eq!(Left::by(place, "ssh").untold(), format!("no way in: {reason}"));
    assert_eq!(place.names("scratch"), [""; 0]);
}

/// A settled machine without an operating system worth the name is refuted, by what was asked over ssh.
#[track_caller]
fn way_in(account: &str) {
    let place = Place::new();
    place.file("password", "tiny\n");
    let call = place.kverify(&format!("{SMALL} --timeout 600 {account}")).arg(tiny::image("ssh"));
    let said = call.env("PASSWORD", "tiny").said();
    said.exits(1);
    let left = Left::by(&place, "ssh");
    assert_eq!(left.outcome("boot.ready")["status"], "pass", "{said}");
    assert_eq!(left.outcome("boot.uefi")["status"], "pass", "{said}");
    assert_eq!(left.outcome("boot.root-filesystem")["status"], "fail", "{said}");
    assert_eq!(left.report["machines"][0]["access"], "own", "{said}");
    assert_eq!(left.report["machines"][0]["carrier"], "ssh", "{said}");
    assert!(!left.shows_the_screen(), "a machine that got ready has no screenshot");
    assert_eq!(place.names("scratch"), [""; 0]);
}

#[test]
fn the_right_key_is_let_in() {
    way_in(&format!("--ssh-user root --ssh-key {}", tiny::key().display()));
}

#[test]
fn the_right_password_is_let_in() {
    way_in("--ssh-user root --ssh-password-file password");
}

#[test]
fn a_wrong_password_is_refused() {
    let reason = "the ssh server refused the password of `root`: Authentication failed (username/password)";
    no_way_in(&Place::new(), "--ssh-user root --ssh-password-env PASSWORD", reason);
}

#[test]
fn a_wrong_key_is_refused() {
    let place = Place::new();
    place.run("ssh-keygen -q -t ed25519 -N  -f other");
    let reason = "the ssh server refused the key of `root`: Username/PublicKey combination invalid";
    no_way_in(&place, "--ssh-user root --ssh-key other", reason);
}

#[test]
fn a_user_who_is_not_there_is_refused() {
    let reason = "the ssh server refused the key of `nobody-here`: Username/PublicKey combination invalid";
    no_way_in(&Place::new(), &format!("--ssh-user nobody-here --ssh-key {}", tiny::key().display()), reason);
}

#[test]
fn a_user_without_a_way_to_root_is_no_way_in() {
    let reason = "`plain` cannot become root: sh: sudo: not found; give it sudo, without password or with the one \
                  used to log in";
    no_way_in(&Place::new(), &format!("--ssh-user plain --ssh-key {}", tiny::key().display()), reason);
}

#[test]
fn an_image_that_takes_no_seed_lets_nobody_in() {
    let reason = "the ssh server refused the key of `kverify`: Username/PublicKey combination invalid; the image did \
                  not take the NoCloud seed (is cloud-init installed, enabled, and NoCloud among its data sources?): \
                  give an account of its own with --ssh-user and --ssh-key";
    no_way_in(&Place::new(), "", reason);
}

#[test]
fn an_image_without_an_ssh_server_lets_nobody_in() {
    let place = Place::new();
    let said = place.kverify(&format!("{SMALL} --only boot.ready --timeout 120")).arg(tiny::image("no-ssh")).said();
    let why = "the console asks for a login, but no ssh server answers on port 22; is it installed and enabled?";
    said.exits(2);
    assert_eq!(Left::by(&place, "no-ssh").untold(), format!("no way in: {why}"));
}
