//! Words that mean nothing: told before anything is opened or started.

use crate::place::Place;

/// These words end without a verdict, for `reason`, and before the image is looked at.
#[track_caller]
fn told(line: &str, reason: &str) {
    let place = Place::new();
    let before = place.names("");
    place.kverify(&format!("no-such.qcow2 {line}")).said().no_verdict(reason);
    assert_eq!(place.names(""), before);
}

#[test]
fn a_pattern_that_names_no_check() {
    told("--only zsf.*", "`zsf.*` names no check; `kverify checks` lists them");
    told("--only boot.ready,zsf.*", "`zsf.*` names no check; `kverify checks` lists them");
    told("--skip boot.reday", "`boot.reday` names no check; `kverify checks` lists them");
}

#[test]
fn an_expectation_that_is_not_there() {
    let why = "cannot be read: No such file or directory (os error 2)";
    told("--expect ./mine.toml", &format!("./mine.toml: {why}"));
    let said = Place::new().kverify("no-such.qcow2 --expect debian-99").said();
    assert!(said.reason().starts_with("no expectation is called `debian-99`; there are: "), "{said}");
    said.no_verdict(said.reason());
}

#[test]
fn advisories_that_nothing_is_compared_with() {
    told("--advisories none.json", "advisories none.json: No such file or directory (os error 2)");
    let why =
        "not a record of OSV and not the export of Debian's tracker: EOF while parsing a value at line 1 column 0";
    told("--advisories /dev/null", &format!("advisories /dev/null: {why}"));
}

#[test]
fn times_and_clouds_that_there_are_not() {
    for (line, why) in [
        ("--soak 10", "write it as 90s, 10m or 1h30m"),
        ("--cloud ec3", "no cloud is called `ec3`; there are all, azure"),
    ] {
        let said = Place::new().kverify(&format!("no-such.qcow2 {line}")).said();
        said.exits(2);
        assert!(said.stderr.contains(why), "{said}");
    }
}

#[test]
fn an_account_without_a_credential() {
    told("--ssh-user root", "--ssh-user needs --ssh-key, --ssh-password-env or --ssh-password-file");
    told("--ssh-user root --ssh-key none", "none: No such file or directory (os error 2)");
    told("--ssh-user root --ssh-key /etc/hostname", "/etc/hostname: no private key in PEM or OpenSSH form");
    told("--ssh-user root --ssh-password-env NOT_SET", "--ssh-password-env NOT_SET: environment variable not found");
}

#[test]
fn frames_that_nobody_could_see() {
    let why = "--pcap writes what goes over the lab's network; --network slirp has none that could be seen";
    told("--pcap lab.pcap --network slirp", why);
    told("--pcap lab.pcap", "no-such.qcow2: no such file");
    let said = Place::new().kverify("no-such.qcow2 --pcap none/lab.pcap").said();
    assert!(said.reason().starts_with("none: No such file or directory"), "{said}");
    let said = Place::new().kverify("no-such.qcow2 --pcap lab.pcap --warm").said();
    said.exits(2);
    assert!(said.stderr.contains("'--pcap <FILE>' cannot be used with '--warm'"), "{said}");
}

#[test]
fn no_words_at_all() {
    let said = Place::new().kverify("").said();
    said.exits(2);
    assert!(said.stderr.contains("Usage: kverify"), "{said}");
}

#[test]
fn a_seal_that_nothing_could_prove() {
    let said = Place::new().kverify("no-such.qcow2 --sealed").said();
    said.exits(2);
    assert!(said.stderr.contains("--installer <ISO>"), "{said}");
    for more in ["--warm", "--ssh-user root --ssh-key none"] {
        let said = Place::new().kverify(&format!("no-such.qcow2 --sealed --installer medium.iso {more}")).said();
        said.exits(2);
        assert!(said.stderr.contains("'--sealed' cannot be used with"), "{said}");
    }
}

#[test]
fn a_medium_that_starts_nothing_is_told_before_the_boot() {
    let place = Place::new();
    place.blank();
    let line = "medium.iso: cannot be read: No such file or directory (os error 2)";
    place.kverify("blank.raw --sealed --installer medium.iso --scratch scratch").said().no_verdict(line);
}
