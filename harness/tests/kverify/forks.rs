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

#[test]
fn a_kept_machine_is_entered_where_it_was() {
    let place = Place::new();
    place.file("sheet.toml", SHEET);
    let image = place.path("guest.raw");
    std::fs::copy(tiny::image("port"), &image).unwrap();
    let account = format!("--expect sheet.toml --timeout 600 --ssh-user root --ssh-key {}", tiny::key().display());
    let said = place.kverify(&format!("guest.raw {SMALL} {account} --out out --keep")).said();
    assert!(said.exits(2).stdout.ends_with("\nenter    kverify shell out\n"), "{said}");
    let shell = |line: &str| place.kverify(&format!("shell out --scratch scratch {line}")).said();
    let asked = shell("-- probe");
    assert!(asked.stdout.contains("# modules.wireguard-loadable\n"), "{asked}");
    shell("-- cat /proc/sys/kernel/ostype").exits(0).shows("Linux");
    shell("-- false").exits(1);
    // A fork is another machine each time.
    shell("-- touch /left-behind").exits(0);
    shell("-- test -e /left-behind").exits(1);
    shell("").no_verdict("a shell is for a terminal; `kverify shell out -- COMMAND` runs a command");
    assert_eq!(place.names("scratch"), [""; 0]);
    let mut bytes = std::fs::read(&image).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&image, bytes).unwrap();
    let reason = shell("-- true");
    assert!(reason.exits(2).reason().contains("guest.raw: it is sha256:"), "{reason}");
    std::fs::remove_dir_all(place.path("out/machine")).unwrap();
    assert!(shell("-- true").reason().starts_with("out/machine: no machine was kept; "), "none is left");
}
