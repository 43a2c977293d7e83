//! `kverify scenarios`: every scenario that is built in; and the option that names some, or files of the user's own.

use std::{path::Path, str::FromStr};

use kverify_checks::scenarios::{Bus, Scenario, all};
use serde::Serialize;

use super::said::Said;
use crate::{
    report::{Ink, Page, Style, json},
    run::{cloud_named, clouds, scenario_named},
};

/// Options of `kverify scenarios`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// As JSON: a list of objects with name, about, remedy, cost in seconds, start and steps.
    #[arg(long)]
    json: bool,
}

/// The scenarios that a run plays.
#[derive(Clone, Debug)]
pub(crate) struct Scenarios(pub(crate) Vec<Scenario>);

impl FromStr for Scenarios {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => return Ok(Self(Vec::new())),
            "all" => return Ok(Self(all().to_vec())),
            _ => {}
        }
        let mut named: Vec<Scenario> = Vec::new();
        for name in text.split(',') {
            let scenario = scenario_named(name, Path::new(""))?;
            match named.iter().find(|other| other.name == scenario.name) {
                Some(same) if *same == scenario => {}
                Some(_) => return Err(format!("two scenarios are called `{}`; rename a file", scenario.name)),
                None => named.push(scenario),
            }
        }
        Ok(Self(named))
    }
}

/// The clouds that a run boots the image on: a short name for their scenarios.
#[derive(Clone, Debug)]
pub(crate) struct Clouds(pub(crate) Vec<Scenario>);

impl FromStr for Clouds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self(clouds().cloned().collect()));
        }
        text.split(',').map(cloud_named).collect::<Result<_, _>>().map(Self)
    }
}

/// A scenario as a program reads it.
#[derive(Serialize)]
struct Listed {
    name: &'static str,
    about: &'static str,
    remedy: &'static str,
    cost: u64,
    start: &'static str,
    steps: Vec<String>,
}

/// Every scenario, by name.
pub(crate) fn said(args: &Args, style: &Style) -> Said {
    if args.json {
        return Said::well(json::harmless(&all().iter().map(listed).collect::<Vec<_>>()));
    }
    let mut page = Page::new(style);
    let widest = all().iter().map(|scenario| scenario.name.len()).max().unwrap_or(0);
    for scenario in all() {
        let cost = if scenario.cost == 0 { "not measured".to_owned() } else { format!("{} s", scenario.cost) };
        let terms = format!("{} ({}, {cost})", scenario.about, start(scenario));
        page.hanging(0, widest + 2, Ink::Good, &scenario.name, &terms);
    }
    page.gap();
    page.line("Seconds are those of two cores without KVM, boots included.");
    page.line("`kverify IMAGE --scenarios NAME,…` plays them.");
    Said::well(page.finish())
}

fn listed(scenario: &'static Scenario) -> Listed {
    Listed {
        name: &scenario.name,
        about: &scenario.about,
        remedy: &scenario.remedy,
        cost: scenario.cost,
        start: start(scenario),
        steps: scenario.steps.iter().map(kverify_checks::step::Step::about).collect(),
    }
}

/// What it begins with.
fn start(scenario: &Scenario) -> &'static str {
    if scenario.is_cold(Bus::default()) { "cold boot" } else { "fork" }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use kverify_checks::scenarios::{Bus, Scenario, all};

    use super::{Args, Clouds, Scenarios, said};
    use crate::report::Style;

    fn names(text: &str) -> Result<Vec<String>, String> {
        text.parse().map(|Scenarios(list)| list.into_iter().map(|scenario| scenario.name).collect())
    }

    #[test]
    fn they_are_named_one_by_one_or_all() {
        assert_eq!(names("none").unwrap(), [""; 0]);
        assert_eq!(names("all").unwrap().len(), all().len());
        assert_eq!(names("reboot,crash,reboot").unwrap(), ["reboot", "crash"]);
        let error = names("reboot,cash").unwrap_err();
        assert_eq!(error, "no scenario is called `cash`; `kverify scenarios` lists them");
    }

    #[test]
    fn clouds_are_named_without_their_prefix() {
        let names =
            |text: &str| text.parse().map(|Clouds(list)| list.into_iter().map(|one| one.name).collect::<Vec<_>>());
        assert_eq!(names("ec2,nocloud").unwrap(), ["cloud-ec2", "cloud-nocloud"]);
        assert_eq!(names("all").unwrap().len(), 6);
        let error = names("ec3").unwrap_err();
        assert_eq!(error, "no cloud is called `ec3`; there are all, azure, configdrive, ec2, gce, nocloud, openstack");
    }

    #[test]
    fn a_file_of_ones_own_is_read_and_its_mistakes_are_placed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.toml");
        let write = |text: &str| std::fs::write(&path, text).unwrap();
        write("about = 'a'\nremedy = 'b'\n[[step]]\nreboot = {}\n");
        assert_eq!(names(&format!("reboot,{}", path.display())).unwrap(), ["reboot", "mine"]);
        write("about = 'a'\nremedy = 'b'\n[[step]]\nreboots = {}\n");
        let error = names(&path.display().to_string()).unwrap_err();
        assert!(error.contains("mine.toml: ") && error.contains("line 4") && error.contains("reboots"), "{error}");
        write("about = 'a'\nremedy = 'b'\n[[step]]\nexpect = ['zfs.pool-nmaed']\n");
        let error = names(&path.display().to_string()).unwrap_err();
        assert!(error.ends_with("step 1: `zfs.pool-nmaed` names no check; `kverify checks` lists them"), "{error}");
        write("about = 'a'\nremedy = 'b'\n[[step]]\nstart = {}\n");
        let error = names(&path.display().to_string()).unwrap_err();
        assert!(error.ends_with("step 1: the machine is on; `start` follows `crash` or `power-off`"), "{error}");
        assert!(names("no/such.toml").unwrap_err().starts_with("no/such.toml: No such file"));
    }

    #[test]
    fn those_that_have_to_fail_name_a_step_of_theirs() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/scenarios");
        let mut read = 0;
        for file in std::fs::read_dir(&folder).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|ending| ending != "toml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let step = text.lines().next().unwrap().strip_prefix("# fails at: ").unwrap();
            let scenario = Scenario::read("x", &text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(scenario.steps.iter().any(|one| one.about() == step), "{}: {step}", path.display());
            read += 1;
        }
        assert!(read >= 6, "{read}");
    }

    #[test]
    fn those_that_wait_for_their_images_can_be_played() {
        let lost = include_str!("../../../fixtures/scenarios/open/metadata-lost.toml");
        assert!(Scenario::read("x", lost).is_ok_and(|scenario| scenario.is_cold(Bus::default())));
    }

    #[test]
    fn the_one_in_the_readme_can_be_played() {
        let readme = include_str!("../../../README.md");
        let (_, rest) = readme.split_once("```toml\nabout = ").unwrap();
        let (text, _) = rest.split_once("```").unwrap();
        assert_eq!(Scenario::read("x", &format!("about = {text}")).unwrap().steps.len(), 5);
    }

    #[test]
    fn every_scenario_is_listed() {
        let text = said(&Args { json: false }, &Style::default()).text;
        for scenario in all() {
            assert!(text.lines().any(|line| line.starts_with(&scenario.name)), "{text}");
        }
        let json: Vec<serde_json::Value> =
            serde_json::from_str(&said(&Args { json: true }, &Style::default()).text).unwrap();
        assert_eq!(json.len(), all().len());
        assert_eq!(json[0]["steps"][1], "create a boot environment");
    }
}
