//! From a verdict to a deployed file by commands, and everything on the way that has to be refused.

use std::fs;

use crate::{
    call::Said,
    place::{Place, SMALL},
    tiny,
};

const POLICY: &str = "[[require]]\nexpectation = \"sheet\"\n\n[trust]\nkeys = [\"KEY\"]\n";

/// A place with a verified image `golden.raw`, a signed report of it, a key pair and a policy that trusts it.
struct Row(Place);

impl Row {
    #[track_caller]
    fn new() -> Self {
        let row = Self(Place::new());
        row.0.file("sheet.toml", "[boot]\nready = true\nuefi = true\n");
        fs::copy(tiny::image("ssh"), row.0.path("golden.raw")).unwrap();
        row.verify("golden.raw", "").exits(0);
        row.says("keygen --out gate", 0);
        row.policy("policy.toml", "gate.pub", POLICY);
        let said = row.says("attest kverify-out/golden --key gate", 0);
        assert!(said.stdout.contains("golden.raw is verified, signed by SHA256:"), "{said}");
        row
    }

    fn verify(&self, image: &str, more: &str) -> Said {
        let account = format!("--expect sheet.toml --timeout 600 --ssh-user root --ssh-key {}", tiny::key().display());
        let line = format!("{SMALL} {account}{more} {image}");
        self.0.kverify(&line).said()
    }

    /// Writes a policy that trusts the key in a file.
    fn policy(&self, name: &str, key: &str, text: &str) {
        let key = fs::read_to_string(self.0.path(key)).unwrap();
        self.0.file(name, text.replace("KEY", key.trim()));
    }

    #[track_caller]
    fn says(&self, line: &str, code: i32) -> Said {
        let said = self.0.kverify(line).said();
        said.exits(code);
        said
    }

    #[track_caller]
    fn promote(&self, more: &str, code: i32) -> Said {
        let line = format!("promote golden-1 --channel stable --store shelf --policy policy.toml --key gate {more}");
        self.says(&format!("{line} --why tested"), code)
    }
}

#[test]
fn from_a_verdict_to_a_deployed_file() {
    let row = Row::new();
    let said = row
        .says("verify-attestation golden.raw --attestation kverify-out/golden/attestation.dsse.json --key gate.pub", 0);
    assert!(said.stdout.starts_with("golden.raw: verified, 2 passed, 0 left out (SHA256:"), "{said}");
    row.says("store golden.raw --store shelf --report kverify-out/golden --name golden-1", 0);
    let said = row.promote("", 0);
    assert!(said.stdout.starts_with("stable 1: golden-1\n"), "{said}");
    let said = row.says("channel get stable --store shelf --trust gate.pub --format env", 0);
    let digest = row.0.run("sha256sum golden.raw");
    let digest = digest.split(' ').next().unwrap();
    assert_eq!(
        said.stdout,
        format!(
            "IMAGE_CHANNEL=\"stable\"\nIMAGE_NUMBER=\"1\"\nIMAGE_NAME=\"golden-1\"\nIMAGE_DIGEST=\"sha256:{digest}\"\n"
        )
    );
    row.says("fetch --channel stable --store shelf --policy policy.toml --out deployed.raw", 0);
    assert!(fs::read(row.0.path("deployed.raw")).unwrap() == fs::read(row.0.path("golden.raw")).unwrap());
    // What stands there can be checked by other tools, which know nothing of kverify.
    let sums = format!("shelf/images/{digest}");
    let checked = std::process::Command::new("sha256sum")
        .args(["-c", "golden-1.raw.sha256"])
        .current_dir(row.0.path(&sums))
        .output()
        .unwrap();
    assert!(checked.status.success());
    let summaries = format!("{sums}/summaries");
    let statement = row.0.names(&summaries).into_iter().find(|name| {
        std::path::Path::new(name).extension().is_some_and(|ending| ending == "json") && !name.contains("dsse")
    });
    let statement = row.0.path(format!("{summaries}/{}", statement.unwrap()));
    let public = fs::read_to_string(row.0.path("gate.pub")).unwrap();
    row.0.file("allowed", format!("gate {public}"));
    let verified = std::process::Command::new("ssh-keygen")
        .args(["-Y", "verify", "-f", "allowed", "-I", "gate", "-n", "kverify", "-s"])
        .arg(format!("{}.sig", statement.display()))
        .stdin(fs::File::open(&statement).unwrap())
        .current_dir(row.0.path(""))
        .output()
        .unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let envelope = statement.with_extension("dsse.json");
    let verify = format!("verify-attestation golden.raw --attestation {} --policy policy.toml", envelope.display());
    let said = row.says(&format!("{verify} --channel stable"), 0);
    assert!(said.stdout.starts_with("golden.raw: met its policy for urn:kverify:channel:stable"), "{said}");
    let said = row.says(&format!("{verify} --channel edge"), 1);
    assert!(said.stdout.contains("the summary is of another channel"), "{said}");
    row.says("revoke golden-1 --store shelf --key gate --why CVE-2026-1", 0);
    let said = row.says("fetch --channel stable --store shelf --trust gate.pub --out again.raw", 1);
    assert!(said.stdout.contains("which was revoked: CVE-2026-1"), "{said}");
    assert!(!row.0.path("again.raw").exists());
    let said = row.promote("", 1);
    assert!(said.stdout.contains("  it was revoked: CVE-2026-1"), "{said}");
}

#[test]
fn a_format_that_the_policy_names_is_exported_signed_stored_and_fetched() {
    let row = Row::new();
    row.policy("policy.toml", "gate.pub", &format!("formats = [\"vhdx\", \"ova\"]\n\n{POLICY}"));
    let store = "store golden.raw --store shelf --report kverify-out/golden --name golden-1";
    row.says(store, 0);
    let said = row.promote("", 1);
    let bring = "bring it: kverify export IMAGE --format vhdx, then kverify attest and kverify store --export";
    assert!(said.stdout.contains(&format!("  no signed export as vhdx\n    {bring}\n")), "{said}");

    // Of another image.
    let mut other = fs::read(row.0.path("golden.raw")).unwrap();
    other[4096] ^= 1;
    fs::write(row.0.path("other.raw"), other).unwrap();
    for (image, folder) in [("golden", "made"), ("other", "of-other")] {
        fs::create_dir(row.0.path(folder)).unwrap();
        row.says(&format!("export {image}.raw --format ova,vhdx --out-dir {folder}"), 0);
    }
    let said = row.says(&format!("{store} --export made"), 2);
    assert!(said.reason().starts_with("not signed; `kverify attest made` does"), "{said}");
    let said = row.says("attest made --key gate", 0);
    assert!(said.stdout.contains("export.dsse.json: golden.raw exported as ova, vhdx, signed by SHA256:"), "{said}");
    row.says("attest of-other --key gate", 0);
    let check = "verify-attestation made/golden.vhdx --key gate.pub --attestation";
    let said = row.says(&format!("{check} made/export.dsse.json"), 0);
    assert!(said.stdout.starts_with("made/golden.vhdx: vhdx of sha256:"), "{said}");
    let said = row.says(&format!("{check} of-other/export.dsse.json"), 1);
    assert!(
        said.stdout.starts_with("made/golden.vhdx: not attested: it names other files: other.ova sha256:"),
        "{said}"
    );
    let said = row.says(&format!("{check} made/export.dsse.json --channel stable"), 1);
    assert!(said.stdout.contains("which is for no channel"), "{said}");
    let said = row.says(&format!("{store} --export of-other"), 2);
    assert!(said.reason().contains("export of-other: it was made of sha256:"), "{said}");

    let said = row.says(&format!("{store} --export made"), 0);
    assert!(said.stdout.ends_with("  export  ova, vhdx; 2 of 2 files were new\n"), "{said}");
    row.promote("", 0);
    let fetch = "fetch --channel stable --store shelf --policy policy.toml";
    let said = row.says(&format!("{fetch} --format vhdx --out deployed.vhdx"), 0);
    assert!(said.stdout.contains("\n  vhdx    sha256:"), "{said}");
    assert!(fs::read(row.0.path("deployed.vhdx")).unwrap() == fs::read(row.0.path("made/golden.vhdx")).unwrap());
    let said = row.says(&format!("{fetch} --format raw --out deployed.raw"), 2);
    assert!(said.reason().ends_with("was not exported as raw by anybody trusted; there are: ova, vhdx"), "{said}");

    // What is gone from the store, or was never signed by anybody trusted, does not count.
    let digest = row.0.run("sha256sum made/golden.vhdx");
    let image = row.0.run("sha256sum golden.raw");
    let stored = format!(
        "shelf/images/{}/exports/{}/golden.vhdx",
        image.split(' ').next().unwrap(),
        digest.split(' ').next().unwrap()
    );
    fs::remove_file(row.0.path(&stored)).unwrap();
    let said = row.promote("", 1);
    assert!(said.stdout.contains("  no signed export as vhdx\n"), "{said}");
    assert!(said.stdout.contains(".dsse.json: golden.vhdx is not there\n"), "{said}");
    assert!(!said.stdout.contains("as ova"), "{said}");
}

#[test]
fn what_was_not_proven_is_not_promoted() {
    let row = Row::new();
    let unsigned = row.0.path("kverify-out/golden/attestation.dsse.json");
    let signed = fs::read(&unsigned).unwrap();
    fs::remove_file(&unsigned).unwrap();
    let store = "store golden.raw --store shelf --report kverify-out/golden --name golden-1";
    let said = row.says(store, 2);
    assert!(said.reason().starts_with("not signed; `kverify attest kverify-out/golden` does"), "{said}");
    fs::write(&unsigned, &signed).unwrap();

    // Another image than the one that was tested.
    let mut other = fs::read(row.0.path("golden.raw")).unwrap();
    other[4096] ^= 1;
    fs::write(row.0.path("changed.raw"), other).unwrap();
    let said = row.says("store changed.raw --store shelf --report kverify-out/golden --name golden-1", 2);
    assert!(said.reason().contains("it changed since its test"), "{said}");
    let said = row.says(
        "verify-attestation changed.raw --attestation kverify-out/golden/attestation.dsse.json --key gate.pub",
        1,
    );
    assert!(said.stdout.starts_with("changed.raw: not attested: it is of another image"), "{said}");
    assert!(!row.0.path("shelf/channels").exists());

    row.says(store, 0);
    row.says("keygen --out stranger", 0);
    let line = "promote golden-1 --channel stable --store shelf --policy policy.toml --key stranger --why x";
    let said = row.says(line, 2);
    assert!(said.reason().contains("is not among those that policy policy.toml trusts"), "{said}");
    row.policy("strangers.toml", "stranger.pub", POLICY);
    let said = row.says(&line.replace("policy.toml", "strangers.toml"), 1);
    assert!(said.stdout.contains("  no signed report against sheet\n"), "{said}");
    assert!(
        said.stdout.contains("does not count: ") && said.stdout.contains("no signature of a trusted key"),
        "{said}"
    );
    row.policy("demanding.toml", "gate.pub", &POLICY.replace("\n\n", "\npassed = [\"zfs.*\"]\n\n"));
    let said =
        row.says("promote golden-1 --channel stable --store shelf --policy demanding.toml --key gate --why x", 1);
    assert!(said.stdout.contains("  sheet: nothing of zfs.* passed\n    bring it: kverify verify"), "{said}");
    assert!(!row.0.path("shelf/channels").exists(), "nothing refused has left a record");
    row.says("channel get stable --store shelf --trust gate.pub", 2);
    let said = row.says("promote golden-2 --channel stable --store shelf --policy policy.toml --key gate --why x", 2);
    assert!(said.reason().ends_with("there is no image golden-2; `kverify store` puts one there"), "{said}");

    // A failure that somebody answers for, where the policy lets him.
    row.0.file("sheet.toml", "[boot]\nready = true\nuefi = true\nroot_filesystem = \"zfs\"\n");
    let waiver =
        "[[waiver]]\ncheck = \"boot.root-filesystem\"\nimage = \"golden*\"\nreason = \"tiny\"\nowner = \"jm\"\n";
    row.0.file("waivers.toml", format!("{waiver}until = \"2999-12-31\"\n"));
    let said = row.verify("golden.raw", " --waivers waivers.toml --out waived");
    assert!(said.exits(0).stdout.contains("boot.root-filesystem: until 2999-12-31 (jm): tiny"), "{said}");
    row.says("attest waived --key gate", 0);
    row.says("store golden.raw --store waived-shelf --report waived --name golden-1", 0);
    let line = "promote golden-1 --channel stable --store waived-shelf --key gate --why x --policy";
    let said = row.says(&format!("{line} policy.toml"), 1);
    assert!(said.stdout.contains("  sheet: left out (waived): boot.root-filesystem\n"), "{said}");
    row.policy("patient.toml", "gate.pub", &format!("{POLICY}\n[tolerate]\nwaived = [\"boot.root-filesystem\"]\n"));
    row.says(&format!("{line} patient.toml"), 0);
    row.0.file("sheet.toml", "[boot]\nready = true\nuefi = true\n");

    // A report that left something out is signed and stored, and counts for nothing.
    row.verify("golden.raw", " --skip boot.uefi --out part").exits(0);
    row.says("attest part --key gate", 0);
    row.says("store golden.raw --store other --report part --name golden-1", 0);
    let said = row.says("promote golden-1 --channel stable --store other --policy policy.toml --key gate --why x", 1);
    assert!(said.stdout.contains("  sheet: left out (filtered): boot.uefi\n"), "{said}");
}

#[test]
fn a_channel_goes_back_and_no_record_is_forged() {
    let row = Row::new();
    row.says("store golden.raw --store shelf --report kverify-out/golden --name golden-1", 0);
    row.promote("", 0);
    let back = "rollback --channel stable --store shelf --policy policy.toml --key gate --why broken";
    let said = row.says(back, 1);
    assert_eq!(said.stdout, "refused: channel stable has held nothing before\n", "{said}");
    // All at once: each gets a record of its own, on top of all before it.
    let promote = "promote golden-1 --channel busy --store shelf --policy policy.toml --key gate --why race";
    let running: Vec<_> = (0..8).map(|_| row.0.kverify(promote).start()).collect();
    for running in running {
        running.said().exits(0);
    }
    let log = row.says("channel log busy --store shelf --trust gate.pub --format json", 0);
    let log: serde_json::Value = serde_json::from_str(&log.stdout).unwrap();
    let numbers: Vec<_> = log.as_array().unwrap().iter().map(|record| record["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=8).collect::<Vec<_>>());
    // A second image: the same guest on a longer disk.
    let mut second = fs::read(row.0.path("golden.raw")).unwrap();
    second.extend([0; 512]);
    fs::write(row.0.path("second.raw"), second).unwrap();
    row.verify("second.raw", "").exits(0);
    row.says("attest kverify-out/second --key gate", 0);
    let said = row.says("store second.raw --store shelf --report kverify-out/second --name golden-1", 2);
    assert!(said.reason().contains("the name golden-1 stands for sha256:"), "{said}");
    row.says("store second.raw --store shelf --report kverify-out/second --name golden-2", 0);
    row.says("promote golden-2 --channel stable --store shelf --policy policy.toml --key gate --why newer", 0);
    let said = row.says(back, 0);
    assert!(said.stdout.starts_with("stable 3: golden-1\n"), "{said}");
    let rotate = "rotate --store shelf --trust gate.pub --keep 0 --days";
    let said = row.says(&format!("{rotate} 1 --delete"), 0);
    assert_eq!(said.stdout, "nothing to remove\n", "it was left a moment ago: {said}");
    let said = row.says(&format!("{rotate} 0"), 0);
    assert!(said.stdout.starts_with("would remove golden-2 sha256:"), "{said}");
    assert!(said.stdout.ends_with("nothing was removed; --delete does it\n"), "{said}");
    let log = row.says("channel log stable --store shelf --trust gate.pub", 0);
    let actions: Vec<_> = log.stdout.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    assert_eq!(actions, ["promote", "promote", "rollback"], "{log}");

    // An older record played again, one of another channel, one taken away.
    let record = |number: u32| row.0.path(format!("shelf/channels/stable/{number:08}.json"));
    fs::copy(record(2), record(4)).unwrap();
    let fetch = "fetch --channel stable --store shelf --trust gate.pub --out deployed.raw";
    let said = row.says(fetch, 2);
    assert!(said.reason().ends_with("it was signed as record 2 of channel stable; somebody put it there"), "{said}");
    let said = row.promote("", 2);
    assert!(said.reason().contains("somebody put it there"), "nothing is put on top of it: {said}");
    fs::remove_file(record(4)).unwrap();
    let said = row.says(&format!("{fetch} --at-least 4"), 1);
    assert!(said.stdout.contains("channel stable ends with record 3, and record 4 was asked for"), "{said}");
    fs::create_dir(row.0.path("shelf/channels/edge")).unwrap();
    fs::copy(record(1), row.0.path("shelf/channels/edge/00000001.json")).unwrap();
    let said = row.says(&fetch.replace("stable", "edge"), 2);
    assert!(said.reason().contains("it was signed as record 1 of channel stable"), "{said}");
    fs::remove_file(record(2)).unwrap();
    let said = row.says(fetch, 2);
    assert!(said.reason().contains("record 2 of row stable is missing"), "{said}");
    assert!(!row.0.path("deployed.raw").exists());
}
