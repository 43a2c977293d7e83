//! Scenarios, played on forks of a tiny guest.

use crate::{
    left::Left,
    place::{Place, SMALL},
    tiny,
};

const GOOD: &str = r#"
about = "its disk grows, its power fails, and it comes back"
remedy = "none"
[[step]]
differs = { name = "boot id", script = "cat /proc/sys/kernel/random/boot_id" }
[[step]]
differs = { name = "size of the disk", script = "cat /sys/block/vda/size" }
[[step]]
grow = { mib = 64 }
[[step]]
differs = { name = "size of the disk", script = "cat /sys/block/vda/size" }
[[step]]
run = { about = "words on the console", script = "(sleep 1; echo tiny: now > /dev/console) &" }
[[step]]
crash = { when = "tiny: now" }
[[step]]
start = {}
[[step]]
differs = { name = "boot id", script = "cat /proc/sys/kernel/random/boot_id" }
[[step]]
login = {}
"#;

const WRONG: &str = r#"
about = "two and two are five"
remedy = "none"
[[step]]
run = { about = "add", script = "echo so far so good" }
[[step]]
run = { about = "compare", script = "echo that is four; exit 3" }
[[step]]
run = { about = "never", script = "true" }
"#;

const CHANGED: &str = r#"
about = "what changes is the same"
remedy = "none"
[[step]]
same = { name = "uptime", script = "cat /proc/uptime" }
[[step]]
same = { name = "uptime", script = "cat /proc/uptime" }
"#;

const DEAF: &str = r#"
about = "it heeds its power button"
remedy = "none"
[[step]]
power-off = { within = 3 }
[[step]]
start = {}
"#;

#[test]
fn each_is_played_on_a_fork_of_its_own_and_ends_where_it_fails() {
    let place = Place::new();
    place.file("sheet.toml", "[boot]\nready = true\n");
    let files = [("good", GOOD), ("wrong", WRONG), ("changed", CHANGED), ("deaf", DEAF)];
    let list = files.map(|(name, text)| place.file(&format!("{name}.toml"), text).display().to_string());
    let account = format!("--expect sheet.toml --timeout 600 --ssh-user root --ssh-key {}", tiny::key().display());
    let call = place.kverify(&format!("{SMALL} {account} --scenarios")).arg(list.join(","));
    let said = call.arg(tiny::image("port")).said();
    said.exits(1);
    let left = Left::by(&place, "port");
    let good = left.outcome("scenario.good");
    assert_eq!((&good["status"], &good["machine"]), (&"pass".into(), &"scenario.good".into()), "{said}");
    assert!(good["got"].as_str().unwrap().starts_with("it does, settled again after "), "{good}");
    assert_eq!(good["evidence"].as_array().unwrap().len(), 10, "the fork, and nine steps: {good}");
    let failed = |name: &str| {
        let outcome = left.outcome(name);
        assert_eq!(outcome["status"], "fail", "{outcome}");
        outcome["got"].as_str().unwrap().to_owned()
    };
    assert_eq!(failed("scenario.wrong"), "at step 2 of 3, compare: exit 3: that is four");
    assert!(failed("scenario.changed").starts_with("at step 2 of 2, the same uptime as before: `"));
    let deaf = "at step 1 of 2, power button, off within 3 s: still on 3 s after its power button";
    assert_eq!(failed("scenario.deaf"), deaf);
    let machine = |id: &str| {
        let machines = left.report["machines"].as_array().unwrap().clone();
        machines.into_iter().find(|machine| machine["id"] == id).unwrap()
    };
    assert_eq!(machine("scenario.deaf")["carrier"], "port", "{said}");
    assert_eq!(place.names("scratch"), [""; 0]);
}

#[test]
fn a_machine_that_never_settles_plays_none() {
    let place = Place::new();
    let said = place.kverify(&format!("{SMALL} --scenarios reboot")).arg(tiny::image("poweroff")).said();
    said.exits(1);
    let outcome = Left::by(&place, "poweroff").outcome("scenario.reboot").clone();
    assert_eq!(outcome["status"], "error", "{said}");
    assert_eq!(outcome["why"], "at its beginning: not asked: the guest powered itself off", "{said}");
}
