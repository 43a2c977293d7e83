//! What changed between two images, by the folders of two reports.

use serde_json::{Value, json};

use crate::{left::fits, place::Place};

/// Leaves the folder of a report on an image with these packages, as a run does.
fn report(place: &Place, folder: &str, packages: &Value) {
    let subject = json!({"name": format!("{folder}.qcow2"), "digest": format!("sha256:{folder}"), "bytes": 1 << 20,
        "format": "qcow2", "disk_bytes": 1 << 30});
    let facts = json!({"schema": 1, "kverify": "0.1.0", "subject": subject, "machine": "tcg, 1 CPUs, 256 MiB",
        "known": [{"group": "packages", "fact": "packages.installed", "scale": "dpkg", "values": packages}],
        "unknown": [{"fact": "zfs.datasets", "groups": ["datasets"], "why": "left out by --only or --skip"}]});
    std::fs::create_dir(place.path(folder)).unwrap();
    place.file(&format!("{folder}/facts.json"), facts.to_string());
    let sum = place.run(&format!("sha256sum {folder}/facts.json"));
    let digest = format!("sha256:{}", sum.split(' ').next().unwrap());
    let report = json!({"kverify": "0.1.0", "subject": subject, "check_set": "", "machines": [], "outcomes": [],
        "expectation": {"name": "sheet", "chosen_by": "caller", "digest": ""}, "facts": digest, "verdict": "verified",
        "started": "2026-11-25T06:00:00Z", "finished": "2026-11-25T06:01:00Z"});
    place.file(&format!("{folder}/report.json"), report.to_string());
}

#[test]
fn a_difference_is_told_and_is_the_exit_status() {
    let place = Place::new();
    report(&place, "old", &json!({"openssl": "3.5.1-1", "telnet": "0.17"}));
    report(&place, "new", &json!({"openssl": "3.5.4-1", "ripgrep": "14"}));
    let said = place.kverify("diff old new --json out.json --html out.html").said();
    said.exits(1).shows("packages  1 added, 1 removed, 1 upgraded");
    said.shows("+ ripgrep  14").shows("- telnet   0.17").shows("↑ openssl  3.5.1-1 → 3.5.4-1");
    assert_eq!(said.stderr, "");
    let json: Value = serde_json::from_slice(&std::fs::read(place.path("out.json")).unwrap()).unwrap();
    assert_eq!(json["groups"][0]["changes"][2]["kind"], "upgraded");
    place.run("xmllint --noout out.html");
    place
        .kverify("diff old old/facts.json")
        .said()
        .exits(0)
        .shows("no difference; both are of the same image, byte by byte; 1 part not compared");
}

#[test]
fn what_cannot_be_compared_is_no_difference_and_no_sameness() {
    let place = Place::new();
    report(&place, "old", &json!({"openssl": "3.5.1-1"}));
    report(&place, "new", &json!({"openssl": "3.5.4-1"}));
    let facts = place.path("new/facts.json");
    std::fs::write(&facts, std::fs::read_to_string(&facts).unwrap().replace("3.5.4-1", "3.5.1-1")).unwrap();
    let why = "not the file that the report beside it speaks of; verify the image again";
    place.kverify("diff old new").said().no_verdict(&format!("new/facts.json: {why}"));
    let said = place.kverify("diff old none").said();
    assert!(said.reason().starts_with("none: cannot be read; name the folder of a report"), "{said}");
    said.no_verdict(said.reason());
}

#[test]
fn facts_have_a_schema() {
    let place = Place::new();
    report(&place, "old", &json!({"openssl": "3.5.1-1"}));
    let schema = serde_json::from_str(&place.kverify("schema facts.json").said().stdout).unwrap();
    let mut facts: Value = serde_json::from_slice(&std::fs::read(place.path("old/facts.json")).unwrap()).unwrap();
    assert_eq!(fits(&facts, &schema), Ok(()));
    facts["known"][0]["scale"] = "weight".into();
    assert!(fits(&facts, &schema).is_err(), "the schema takes anything");
}
