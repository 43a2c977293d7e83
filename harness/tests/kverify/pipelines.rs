//! A pipeline: planned before it begins, stopped by what refuses, and never doing again what is done.
//!
//! A tiny guest cannot be sealed; the whole way is gone by `ci/promote` and `ci/full pipeline`, with images that can.

use std::{fs, thread::sleep, time::Duration};

use rustix::process::Signal;

use crate::{
    call::{Call, Said},
    place::{Place, SMALL},
    tiny,
};

/// A place with an image, a key, a policy that trusts it, and a pipeline with all steps.
struct Row(Place);

impl Row {
    fn new() -> Self {
        let row = Self(Place::new());
        row.0.file("sheet.toml", "[boot]\nready = true\nuefi = true\n");
        fs::copy(tiny::image("ssh"), row.0.path("golden.raw")).unwrap();
        row.0.file("medium.iso", "an installer");
        row.0.kverify("keygen --out gate").said().exits(0);
        row.policy("formats = [\"vhd\"]");
        let pipeline = format!(
            r#"expect = "sheet.toml"
image = "golden.raw"
name = "golden-1"
work = "work"
installer = "medium.iso"
key = "gate"
memory = 256
cpus = 1
accel = "tcg"
scratch = "scratch"
[verify]
timeout = 600
ssh-user = "root"
ssh-key = "{}"
[seal]
[prove]
[export]
format = ["vhd", "vmdk"]
[store]
store = "shelf"
[promote]
channel = "stable"
policy = "policy.toml"
"#,
            tiny::key().display()
        );
        row.0.file("row.toml", pipeline);
        row
    }

    fn policy(&self, text: &str) {
        let key = fs::read_to_string(self.0.path("gate.pub")).unwrap();
        let rest = "[[require]]\nexpectation = \"sheet\"\n\n[trust]\nkeys = [\"KEY\"]\n".replace("KEY", key.trim());
        self.0.file("policy.toml", format!("{text}\n{rest}"));
    }

    fn call(&self, line: &str) -> Call {
        self.0.kverify(&format!("pipeline row.toml {line}"))
    }

    fn verified(&self, more: &str) -> Said {
        self.call(&format!("--until verify {more}")).said()
    }
}

#[test]
fn a_plan_says_the_commands_and_does_nothing() {
    let row = Row::new();
    let before = row.0.names("");
    let said = row.call("--dry-run").said();
    said.exits(0);
    assert_eq!(row.0.names(""), before);
    let key = tiny::key();
    let machine = "--memory 256 --cpus 1 --accel tcg";
    said.shows("verify   to do (not timed here): not done yet");
    said.shows(&format!(
        "kverify verify golden.raw --expect sheet.toml --ssh-user root --ssh-key {} {machine} --timeout 600 --scratch scratch \
         --out work/verified",
        key.display()
    ));
    said.shows("seal     to do (not timed here): after verify");
    said.shows(&format!(
        "kverify seal golden.raw --installer medium.iso {machine} --scratch scratch --out work/golden-1.qcow2 --json \
         work/seal.json"
    ));
    said.shows("kverify attest work/proven --key gate");
    said.shows("kverify export work/golden-1.qcow2 --format vhd,vmdk --out-dir work/exported");
    said.shows(
        "kverify store work/golden-1.qcow2 --store shelf --name golden-1 --report work/proven --export work/exported",
    );
    said.shows(
        "kverify promote golden-1 --channel stable --store shelf --policy policy.toml --key gate --why 'pipeline row'",
    );
    said.shows("0 s as before, and 6 steps that were never timed here");
}

#[test]
fn what_would_stop_it_at_the_end_stops_it_before_it_begins() {
    let row = Row::new();
    let before = row.0.names("");
    let told = |line: &str, why: &str| {
        row.call(line).said().no_verdict(&format!("pipeline row.toml: {why}"));
        assert_eq!(row.0.names(""), before, "{line}");
    };
    told("--set image=none.raw", "verify: none.raw: no such file");
    told("--set installer=none.iso", "seal: none.iso: no such file");
    told("--set memory=12", "verify: invalid value '12' for '--memory <MIB>': 12 is not in 256..=1048576");
    told(
        "--set export.format=iso",
        "export: invalid value 'iso' for '--format <FORMAT>' [possible values: qcow2, vmdk, vhd, vhdx, ova, raw, gce]",
    );
    told("--set export.format=vmdk", "promote: policy policy.toml demands vhd; name it under [export] format");
    told("--from build", "it has no step build");
    told(
        "--set name=../golden",
        "`../golden` is no name of an image: letters, digits, `-`, `_`, `.` and `+`, the first no point, at most 90 of them, with `name`",
    );
    told(
        "--set store.store=s3://",
        "store: store s3://: write a bucket's name and a prefix, no more; credentials come from the environment",
    );
    row.0.kverify("keygen --out other").said().exits(0);
    let said = row.call("--set key=other").said();
    assert!(said.reason().contains("verify: policy policy.toml does not trust the key SHA256:"), "{said}");
    fs::remove_file(row.0.path("gate")).unwrap();
    let said = row.call("").said();
    assert!(said.reason().starts_with("pipeline row.toml: verify: "), "{said}");
    assert!(!row.0.path("work").exists());
}

#[test]
fn a_step_is_done_again_only_where_something_is_another() {
    let row = Row::new();
    let said = row.verified("");
    said.exits(0).shows("golden-1 in work");
    assert!(said.stdout.contains("verified  golden.raw"), "{said}");
    let took = |said: &Said| said.stderr.contains("== verify: done ");
    // Elsewhere, for longer, by a longer path: the same.
    fs::copy(row.0.path("golden.raw"), row.0.path("copy.raw")).unwrap();
    for same in [
        "",
        "--set verify.timeout=900",
        "--set timeout=800",
        "--set image=copy.raw",
        "--set image=./scratch/../golden.raw",
    ] {
        let said = row.verified(same);
        assert!(took(said.exits(0)), "{same}: {said}");
    }
    let plan = |line: &str| row.call(&format!("--dry-run --until verify {line}")).said();
    let due = |line: &str, why: &str| {
        let said = plan(line);
        assert!(said.stdout.lines().next().unwrap().ends_with(why), "{line}: {said}");
    };
    due("--set cpus=2", "it was done with other inputs");
    due("--from verify", "as asked");
    row.0.file("sheet.toml", "[boot]\nready = true\n");
    due("", "it was done with other inputs");
    row.0.file("sheet.toml", "[boot]\nready = true\nuefi = true\n");
    assert!(plan("").stdout.contains("nothing is left to do"));
    row.0.file("work/verified/report.json", "{}");
    due("", "verified/report.json was changed");
    fs::remove_file(row.0.path("work/verified/report.json")).unwrap();
    due("", "verified/report.json has gone");
    let said = row.call("--from seal").said();
    assert!(said.reason().contains("verify has to be done first, since verified/report.json has gone"), "{said}");
    row.verified("").exits(0);
    assert!(plan("").stdout.contains("nothing is left to do"));
}

#[test]
fn from_an_image_to_a_channel_and_nothing_is_done_twice() {
    let row = Row::new();
    // What is verified as it is, and not sealed.
    let whole = fs::read_to_string(row.0.path("row.toml")).unwrap();
    row.0.file(
        "row.toml",
        whole.replace("[seal]\n[prove]\n", "").replace("name = \"golden-1\"", "name = \"tiny-{date}\""),
    );
    let said = row.call("").said();
    said.exits(0);
    assert!(said.stdout.contains("golden.raw is verified, signed by SHA256:"), "{said}");
    assert!(said.stdout.contains("\nstable 1: tiny-2"), "{said}");
    assert_eq!(
        row.0.names("work/exported"),
        ["SHA256SUMS", "export.dsse.json", "export.json", "golden.vhd", "golden.vmdk"]
    );
    let plan = || row.call("--dry-run").said();
    plan().exits(0).shows("nothing is left to do");
    let said = row.call("").said();
    assert_eq!(said.exits(0).stderr.matches("== ").count(), 4, "{said}");
    assert!(!said.stderr.contains("$ kverify"), "{said}");
    // The folder is lost: the image has its name, and the channel holds it by this policy.
    fs::rename(row.0.path("work"), row.0.path("lost")).unwrap();
    let said = row.call("").said();
    assert!(said.exits(0).stderr.contains("== promote: stable 1, "), "{said}");
    // What the channel points to is an image of a matrix, fetched once for both of its rows.
    let channel = "{ name = 'stable', store = 'shelf', trust = ['gate.pub'] }";
    let sheet = "expect = 'sheet.toml'\naxes.bus = ['virtio', 'sata']\n";
    row.0.file("matrix.toml", format!("[[row]]\nname = 'stable'\nimage.channel = {channel}\n{sheet}"));
    let account = format!("--ssh-user root --ssh-key {}", tiny::key().display());
    let said = row.0.kverify(&format!("matrix matrix.toml {SMALL} --network slirp {account} --out rows")).said();
    said.exits(0).shows("verified  matrix.toml: 2 of 2 rows hold");
    // A policy that is another one decides anew.
    row.policy("formats = [\"vhd\", \"vmdk\"]");
    let said = row.call("").said();
    assert!(said.exits(0).stdout.contains("stable 2: tiny-2"), "{said}");
    // Evidence that a policy takes no more is made anew; here a month old by its journal.
    let journal = row.0.path("work/.kverify-pipeline/verify.json");
    let entry = fs::read_to_string(&journal).unwrap();
    let ended = entry.lines().find(|line| line.contains("\"ended\"")).unwrap();
    fs::write(&journal, entry.replace(ended, "\"ended\": \"2026-01-01T00:00:00Z\"")).unwrap();
    let rule = "[[require]]\nexpectation = \"sheet\"\nmax-age-days = 30";
    row.policy(rule);
    let said = plan();
    assert!(said.stdout.lines().next().unwrap().ends_with("the policy takes no evidence older than 30 days"), "{said}");
    row.policy("formats = [\"vhd\", \"vmdk\"]");
    plan().shows("nothing is left to do");
    fs::remove_dir_all(row.0.path("shelf")).unwrap();
    let said = plan();
    said.shows("store    to do (0 s): the store does not have it");
    let said = row.call("").said();
    assert!(said.exits(0).stdout.contains("stable 1: tiny-2"), "{said}");
}

#[test]
fn a_command_of_the_user_s_own_builds_what_is_verified() {
    let row = Row::new();
    let whole = fs::read_to_string(row.0.path("row.toml")).unwrap();
    let built =
        "[build]\ncommand = \"echo taking $(cat what); cp golden.raw $KVERIFY_OUT\"\nreads = [\"what\"]\n[verify]";
    row.0.file("row.toml", whole.replace("image = \"golden.raw\"\n", "").replace("[verify]", built));
    let said = row.call("--until build").said();
    assert!(said.reason().ends_with("build: what: no such file"), "{said}");
    row.0.file("what", "it");
    let said = row.verified("");
    assert!(said.exits(0).stdout.contains("verified  built.qcow2"), "{said}");
    assert_eq!(fs::read_to_string(row.0.path("work/build.log")).unwrap(), "taking it\n");
    row.0.file("what", "another");
    let said = row.call("--dry-run").said();
    assert!(said.stdout.lines().next().unwrap().ends_with("it was done with other inputs"), "{said}");
    let said = row.call("--until build --set build.command=/bin/false").said();
    assert!(said.stderr.contains("stopped at build\n  what was said while it was built: work/build.log"), "{said}");
}

#[test]
fn what_refuses_stops_it_with_what_to_look_at() {
    let row = Row::new();
    row.0.file("sheet.toml", "[boot]\nready = true\nuefi = false\n");
    let said = row.call("").said();
    said.exits(1).shows("stopped at verify").shows("what was found, with the evidence: work/verified/report.html");
    assert!(row.0.path("work/verified/report.html").exists());
    // It is no evidence, and is asked again.
    let said = row.call("--dry-run").said();
    said.shows("verify   to do (not timed here): not done yet");
    // A folder of somebody else's is not touched.
    fs::create_dir_all(row.0.path("theirs/verified")).unwrap();
    let said = row.verified("--set work=theirs");
    assert!(said.reason().starts_with("theirs: holds files, and is no folder of a pipeline"), "{said}");
}

#[test]
fn whoever_ends_it_can_go_on() {
    let row = Row::new();
    fs::copy(tiny::image("hang"), row.0.path("hang.raw")).unwrap();
    let mut running = row.call("--until verify --set image=hang.raw").start();
    running.wait_for("booting on tcg");
    // Two at once in one folder would remove each other's files.
    let said = row.verified("");
    assert!(said.reason().starts_with("work: another pipeline is at work there"), "{said}");
    running.kill(Signal::KILL);
    assert_eq!(running.said().code, None);
    let mut running = row.call("--until verify --set image=hang.raw").start();
    running.wait_for("booting on tcg");
    sleep(Duration::from_millis(200));
    running.kill(Signal::INT);
    let said = running.said();
    assert!(said.stderr.contains("interrupted by SIGINT"), "{said}");
    row.verified("").exits(0);
}
