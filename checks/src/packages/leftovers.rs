//! Configuration that a package manager put beside the one in use, since it could not tell which is wanted.

use toml::Value;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// The files below `/etc` that a package manager left for somebody to decide on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftovers {
    /// Their paths, sorted.
    pub files: Vec<String>,
}

impl Fact for Leftovers {
    const ID: &'static str = "packages.leftovers";

    fn probes() -> Vec<Probe> {
        // The names that dpkg, ucf, rpm, pacman and apk give, asked so that busybox's find knows them too.
        vec![Probe::root([
            "find",
            "/etc",
            "-xdev",
            "(",
            "-name",
            "*.dpkg-*",
            "-o",
            "-name",
            "*.ucf-*",
            "-o",
            "-name",
            "*.rpmnew",
            "-o",
            "-name",
            "*.rpmsave",
            "-o",
            "-name",
            "*.rpmorig",
            "-o",
            "-name",
            "*.pacnew",
            "-o",
            "-name",
            "*.pacsave",
            "-o",
            "-name",
            "*.apk-new",
            ")",
        ])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let mut files: Vec<_> = out[0].ok()?.lines().map(str::to_owned).collect();
        files.sort();
        Ok(Self { files })
    }
}

/// No configuration waits to be merged.
pub struct ConfigurationSettled;

impl Check for ConfigurationSettled {
    type Fact = Leftovers;
    /// The files that may be there.
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "packages.configuration-settled",
            demand: "no upgrade left a second version of a configuration file behind (.dpkg-new, .rpmnew, .pacnew …)",
            remedy: "take over what the new version needs, and remove the file",
            key: "packages.leftovers",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        image.packages.leftovers.clone()
    }

    fn judge(&self, got: &Leftovers, want: &Vec<String>) -> Verdict {
        let words = |files: &[String]| if files.is_empty() { "none".to_owned() } else { files.join(", ") };
        Verdict::of(got.files.iter().all(|file| want.contains(file)), words(want), words(&got.files))
    }

    fn observed(&self, got: &Leftovers) -> Option<Value> {
        Some(got.files.clone().into())
    }
}
