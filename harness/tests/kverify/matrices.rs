//! `kverify matrix`: several images by one file, in parts and as a whole, whatever becomes of a row.

use std::{fs, path::Path};

use serde_json::Value;

use crate::{
    call::Said,
    place::{Place, SMALL},
    tiny,
};

fn row(name: &str, image: &Path) -> String {
    format!("[[row]]\nname = \"{name}\"\nimage.file = \"{}\"\nexpect = \"sheet.toml\"\n", image.display())
}

/// A folder with a matrix of this text, whose guests have to be ready and no more.
fn place(matrix: &str) -> Place {
    let place = Place::new();
    place.file("matrix.toml", matrix);
    place.file("sheet.toml", "[boot]\nready = true\n");
    place
}

/// Runs the matrix with an account of the guests.
fn run(place: &Place, words: &str) -> Said {
    let account = format!("--network slirp --timeout 600 --ssh-user root --ssh-key {}", tiny::key().display());
    place.kverify(&format!("matrix matrix.toml {SMALL} {account} {words}")).said()
}

fn record(place: &Place, path: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(place.path(path)).unwrap()).unwrap()
}

#[test]
fn every_row_is_answered_and_one_that_fails_stops_no_other() {
    let guest = tiny::image("ssh");
    let lost = format!("{}digest = \"sha256:{}\"\n", row("lost", &guest), "0".repeat(64));
    let matrix =
        format!("{}axes.bus = ['virtio', 'sata']\n{}{lost}", row("guest", &guest), row("gone", Path::new("gone")));
    let place = place(&matrix);
    let said = run(&place, "--out out");
    said.exits(2);
    assert_eq!(place.names("out"), ["guest.sata", "guest.virtio", "junit.xml", "matrix.html", "matrix.json"]);
    let record = record(&place, "out/matrix.json");
    let rows = record["rows"].as_array().unwrap();
    let told: Vec<_> =
        rows.iter().map(|row| [&row["row"], &row["verdict"], &row["bus"]].map(|v| v.as_str().unwrap())).collect();
    let expected = [
        ["guest.virtio", "verified", "virtio"],
        ["guest.sata", "verified", "sata"],
        ["gone", "no-verdict", "virtio"],
        ["lost", "no-verdict", "virtio"],
    ];
    assert_eq!(told, expected, "{said}");
    assert!(rows[2]["why"].as_str().unwrap().ends_with("matrix.toml:8: no image at ./gone; put it there, or have a command make it: image.command = [\"program\", \"word\"]"), "{record:#}");
    assert!(rows[3]["why"].as_str().unwrap().contains("and the matrix wants sha256:0000"), "{record:#}");
    assert_eq!(record["verdict"], "no-verdict");
    said.shows("no verdict  matrix.toml: 2 of 4 rows hold");
    place.run("xmllint --noout out/junit.xml out/guest.sata/junit.xml");
    let junit = fs::read_to_string(place.path("out/junit.xml")).unwrap();
    for suite in ["name=\"guest.virtio/boot\"", "name=\"guest.sata/boot\"", "name=\"gone/boot\"", "name=\"lost/boot\""]
    {
        assert!(junit.contains(suite), "no {suite}: {junit}");
    }
    // The next run knows how long each takes, but for those that it knows nothing of.
    let listed = run(&place, "--out out --list --json");
    let listed: Value = serde_json::from_str(&listed.exits(0).stdout).unwrap();
    let known: Vec<_> = listed.as_array().unwrap().iter().map(|row| row["seconds"].is_number()).collect();
    assert_eq!(known, [true, true, false, false]);
}

#[test]
fn parts_make_a_whole_or_are_refused() {
    let guest = tiny::image("ssh");
    let place = place(&format!("{}{}", row("a", &guest), row("b", &guest)));
    for part in ["1", "2"] {
        let said = run(&place, &format!("--shard {part}/2 --out part-{part}"));
        said.exits(0).shows(&format!("verified  matrix.toml, part {part} of 2: 1 of 1 rows hold"));
    }
    assert_eq!(record(&place, "part-1/matrix.json")["due"], serde_json::json!(["a"]));
    let merge = |words: &str| place.kverify(&format!("merge {words}")).said();
    merge("part-1 part-2 --out whole").exits(0).shows("verified  matrix.toml: 2 of 2 rows hold");
    assert_eq!(place.names("whole"), ["a", "b", "junit.xml", "matrix.html", "matrix.json"]);
    assert_eq!(place.names("whole/a"), place.names("part-1/a"));
    place.run("xmllint --noout whole/junit.xml");
    for format in ["github", "gitlab", "tap", "json-lines"] {
        let call = place.kverify(&format!("merge part-1 part-2 --out {format} --format {format}"));
        let said = call.env("GITHUB_STEP_SUMMARY", place.path("summary.md")).said();
        said.exits(0);
        let lines: Vec<_> = said.stdout.lines().collect();
        match format {
            "github" => {
                let word = lines[0].strip_prefix("::stop-commands::").unwrap();
                assert_eq!(lines.last(), Some(&format!("::{word}::").as_str()), "{said}");
                let summary = fs::read_to_string(place.path("summary.md")).unwrap();
                assert!(
                    summary.starts_with("## kverify: verified\n") && summary.contains("| b | **verified** |"),
                    "{summary}"
                );
            }
            "gitlab" => {
                said.shows("verified  matrix.toml: 2 of 2 rows hold");
                assert_eq!(fs::read_to_string(place.path("gitlab/gl-code-quality-report.json")).unwrap(), "[]\n");
            }
            "tap" => assert!(
                lines[0] == "TAP version 14" && lines.last().unwrap().ends_with(" - verdict: verified"),
                "{said}"
            ),
            _ => assert_eq!(lines.last(), Some(&"{\"kind\":\"matrix\",\"verdict\":\"verified\"}"), "{said}"),
        }
    }

    let refused = |words: &str, why: &str| {
        let said = merge(words);
        assert!(said.exits(2).reason().contains(why), "{said}");
        assert!(!place.path("other").exists(), "{said}");
    };
    refused(
        "part-2 --out other",
        "1 of 2 rows are missing, with parts 1 of 2: a; run them with `kverify matrix matrix.toml --only a`",
    );
    refused("part-1 part-2 part-1 --out other", "row a: part-1 and part-1 both answer it");
    refused("part-1 part-2 --out whole", "whole: there is something already");
    refused("part-1 nowhere --out other", "nowhere/matrix.json: No such file");
    let report = fs::read_to_string(place.path("part-2/b/report.json")).unwrap();
    place.file("part-2/b/report.json", report.replace("\"verified\"", "\"refuted\""));
    refused(
        "part-1 part-2 --out other",
        "part-2/b/report.json: it does not say what matrix.json beside it says of row b",
    );
    place.file("part-2/b/report.json", report);
    let part = fs::read_to_string(place.path("part-2/matrix.json")).unwrap();
    let digest = record(&place, "part-2/matrix.json")["digest"].as_str().unwrap().to_owned();
    place.file("part-2/matrix.json", part.replace(&digest, &format!("sha256:{}", "1".repeat(64))));
    refused("part-1 part-2 --out other", "part-2: it is of matrix sha256:1111");
    place.file("part-2/matrix.json", part.replace("\"b\"", "\"../b\""));
    refused("part-2 part-1 --out other", "`../b` is no name for a row");
    refused("part-1 part-2 --out other", "it is of matrix ");
    let told = part.replace("\"checks\"", "\"why\": \"trust me\", \"checks\"");
    place.file("part-2/matrix.json", told);
    refused(
        "part-1 part-2 --out other",
        "part-2/b: matrix.json says that row b is verified, and that it has no report",
    );
    // A row of which nothing was known can be answered by a later run.
    place.file(
        "part-2/matrix.json",
        part.replace("\"verified\"", "\"no-verdict\"").replace("\"checks\"", "\"why\": \"lost\", \"checks\""),
    );
    place.file("matrix.toml", fs::read_to_string(place.path("matrix.toml")).unwrap());
    run(&place, "--only b --out again")
        .exits(0)
        .shows("verified in part  matrix.toml: 1 of 1 rows hold, and 1 were left out");
    merge("part-1 part-2 again --out other").exits(0).shows("verified  matrix.toml: 2 of 2 rows hold");
    assert_eq!(record(&place, "other/matrix.json")["rows"][1]["tries"], serde_json::json!(["lost"]));
    assert_eq!(place.names("scratch"), [""; 0]);
}

#[test]
fn what_is_not_over_in_time_is_no_verdict_and_what_waits_is_not_begun() {
    let place = place(&format!("{}{}", row("hangs", &tiny::image("hang")), row("waits", &tiny::image("ssh"))));
    let said = run(&place, "--jobs 1 --deadline 5s --out out");
    said.exits(2).shows("no verdict  matrix.toml: 0 of 2 rows hold");
    let rows = record(&place, "out/matrix.json")["rows"].clone();
    for row in rows.as_array().unwrap() {
        let why = row["why"].as_str().unwrap();
        assert_eq!(why, "not over when the matrix had taken 5 s, which is its --deadline");
    }
    assert_eq!(place.names("out"), ["junit.xml", "matrix.html", "matrix.json"]);
    assert_eq!(place.names("scratch"), [""; 0]);
}

#[test]
fn a_row_that_finds_no_memory_stops_no_other() {
    let large = format!("{}memory = 1048576\n", row("large", Path::new("gone")));
    let place = place(&format!("{large}{}", row("gone", Path::new("gone"))));
    run(&place, "--out out").exits(2);
    let rows = record(&place, "out/matrix.json")["rows"].clone();
    let why = |at: usize| rows[at]["why"].as_str().unwrap().to_owned();
    assert!(why(0).starts_with("its machine takes 1049088 MiB, and "), "{rows:#}");
    assert!(why(1).contains(": no image at ./gone"), "{rows:#}");
    run(&place, "--list").exits(0);
}

#[test]
fn nothing_of_an_earlier_run_passes_for_what_this_one_says() {
    let place = place(&row("guest", &tiny::image("ssh")));
    run(&place, "--out out").exits(0).shows("verified  matrix.toml: 1 of 1 rows hold");
    place.file("matrix.toml", row("guest", Path::new("gone")));
    run(&place, "--out out").exits(2);
    assert_eq!(place.names("out"), ["junit.xml", "matrix.html", "matrix.json"]);
    fs::create_dir(place.path("out/guest")).unwrap();
    place.file("out/guest/letter.txt", "dear");
    let said = run(&place, "--out out");
    assert!(said.exits(2).reason().starts_with("out/guest: holds files, but no report of kverify"), "{said}");
}

#[test]
fn after_a_failure_nothing_is_begun_where_that_is_wanted() {
    let place = place(&format!("{}{}", row("a", Path::new("gone")), row("b", &tiny::image("ssh"))));
    run(&place, "--jobs 1 --fail-fast --out out").exits(2);
    let rows = record(&place, "out/matrix.json")["rows"].clone();
    assert!(rows[1]["why"].as_str().unwrap().starts_with("not begun: an earlier row does not hold"), "{rows:#}");
}

#[test]
fn what_cannot_be_done_is_told_before_anything_is_begun() {
    let place = place(&row("a", Path::new("gone")));
    let refused = |words: &str, why: &str| {
        let said = run(&place, words);
        assert!(said.exits(2).stderr.contains(why), "{said}");
        assert!(!place.path("kverify-out").exists(), "{said}");
    };
    refused("--only b*", "--only b*: no row is called so; there are: a");
    refused("--shard 2/2", "--shard 2/2: there are fewer rows than parts");
    refused("--shard 3/2", "`3/2` is no part");
    refused("--times sheet.toml", "--times sheet.toml: no record of a matrix");
    refused("--shard 1/2 --only a", "the argument '--shard <K/N|auto>' cannot be used with");
    place.file("matrix.toml", "");
    refused("--fail-fast", "matrix.toml: no row, so nothing would be verified");
    fs::create_dir(place.path("mine")).unwrap();
    place.file("mine/matrix.json", "{}");
    place.file("matrix.toml", row("a", Path::new("gone")));
    refused("--out mine", "mine/matrix.json: no record of a matrix; remove it, or name another folder with --out");
}
