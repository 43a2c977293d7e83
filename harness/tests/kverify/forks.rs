//! What is slow or changes the machine is asked of forks of it, where there can be any.

use crate::{
    call::Said,
    left::Left,
    place::{Place, SMALL},
    tiny,
};

/// Asks one thing that changes the machine, one that is slow, and one that is neither.
const SHEET: &str = "[boot]\nready = true\n[modules]\nwireguard = true\n[zfs]\ninitramfs_hostid = true\n";

/// Verifies the guest that does this, and gives what it left.
#[track_caller]
fn asked(does: &str) -> (Left, Said) {
    let place = Place::new();
    place.file("sheet.toml", SHEET);
    let account = format!("--expect sheet.toml --timeout 600 --ssh-user root --ssh-key {}", tiny::key().display());
    let said = place.kverify(&format!("{SMALL} {account}")).arg(tiny::image(does)).said();
    // These guests have no modprobe and no zpool: what matters here is where that was found out.
    said.exits(2);
    assert_eq!(place.names("scratch"), [""; 0]);
    (Left::by(&place, does), said)
}

#[test]
fn each_fact_on_a_fork_of_its_own() {
    let (left, said) = asked("port");
    assert!(said.stderr.contains("asking the rest of 2 forks, 2 at once\n"), "{said}");
    let machines = left.report["machines"].as_array().unwrap();
    assert_eq!(machines.len(), 3, "{said}");
    for (machine, id) in machines[1..].iter().zip(["fork-1", "fork-2"]) {
        assert_eq!((&machine["id"], &machine["carrier"]), (&id.into(), &"port".into()), "{said}");
        assert!(machine["boot"].as_str().unwrap().starts_with("fork_of 20"), "{machine}");
        assert!(machine["timings"]["login"].as_f64().unwrap() > 0.0, "{machine}");
    }
    let outcome = left.outcome("modules.wireguard-loadable");
    assert_eq!(outcome["machine"], "fork-1", "{outcome}");
    assert_eq!(outcome["evidence"][0]["exit"], serde_json::json!({ "code": 1 }), "{outcome}");
    assert_eq!(left.outcome("zfs.initramfs-hostid-agrees")["machine"], "fork-2", "{said}");
    assert_eq!(left.outcome("boot.ready")["machine"], "cold-1", "{said}");
}

#[test]
fn a_fork_that_dies_fails_its_own_fact_alone() {
    let (left, _) = asked("port-dies");
    let outcome = left.outcome("zfs.initramfs-hostid-agrees");
    assert_eq!((&outcome["status"], &outcome["machine"]), (&"error".into(), &"fork-2".into()), "{outcome}");
    let why = outcome["why"].as_str().unwrap();
    assert!(why.starts_with("the fork ended while it was asked: the guest powered itself off"), "{why}");
    assert!(why.contains("its console: ") && why.contains("tiny: unpacking /boot/initrd.img-"), "{why}");
    let other = left.outcome("modules.wireguard-loadable");
    assert_eq!((&other["machine"], &other["evidence"][0]["exit"]["code"]), (&"fork-1".into(), &1.into()), "{other}");
}

#[test]
fn a_machine_that_cannot_be_forked_is_asked_itself() {
    let (left, said) = asked("ssh");
    let machines = left.report["machines"].as_array().unwrap();
    assert_eq!(machines.len(), 1, "{said}");
    assert_eq!(machines[0]["not_captured"], "no shell on its port: no port called org.kverify.shell", "{said}");
    assert_eq!(left.outcome("modules.wireguard-loadable")["machine"], "cold-1", "{said}");
}
