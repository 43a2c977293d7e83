//! What ties cloud-init to one data source: left over from the machine that the image was made on, it would do nothing,
//! or the same again, on every other platform.

use toml::Value;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// What ties cloud-init to one data source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pins {
    /// Files, settings and words of the kernel's command line.
    pub pins: Vec<String>,
}

const SCRIPT: &str = "c=$(cat /proc/cmdline) || exit
echo \"command line $c\"
for f in /etc/cloud/ds-identify.cfg; do [ ! -f \"$f\" ] || sed \"s|^|$f: |\" \"$f\"; done
for f in /var/lib/cloud/seed/*/*; do [ ! -e \"$f\" ] || echo \"$f\"; done";

/// Words of the command line that choose a data source, switch cloud-init off, or hand it configuration.
const WORDS: [&str; 7] =
    ["ds=", "ci.ds=", "ci.datasource=", "ci.di.policy=", "cloud-init=", "cloud-config-url=", "network-config="];

impl Fact for Pins {
    const ID: &'static str = "cloud.pins";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["sh", "-c", SCRIPT])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let mut lines = out[0].ok()?.lines();
        let command_line = lines.next().and_then(|first| first.strip_prefix("command line "));
        let command_line = command_line.filter(|words| !words.trim().is_empty());
        let command_line = command_line.ok_or_else(|| Unreadable::new("no command line of the kernel"))?;
        let words = command_line.split_whitespace().filter(|word| WORDS.iter().any(|pin| word.starts_with(pin)));
        let mut pins: Vec<_> = words.map(|word| format!("{word} (kernel command line)")).collect();
        let setting = |line: &&str| match line.strip_prefix("/etc/cloud/ds-identify.cfg: ") {
            Some(setting) => !setting.trim().is_empty() && !setting.trim_start().starts_with('#'),
            None => line.starts_with("/var/lib/cloud/seed/"),
        };
        pins.extend(lines.filter(setting).map(str::to_owned));
        Ok(Self { pins })
    }
}

/// Nothing ties cloud-init to one data source.
pub struct NotPinned;

impl Check for NotPinned {
    type Fact = Pins;
    /// What may.
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "cloud.not-pinned",
            demand: "no seed, setting or word of the command line ties cloud-init to one data source",
            remedy: "empty /var/lib/cloud/seed, remove /etc/cloud/ds-identify.cfg, take `ds=` off the kernel's command line",
            key: "cloud.pins",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        image.cloud.pins.clone()
    }

    fn judge(&self, got: &Pins, want: &Vec<String>) -> Verdict {
        let words = |pins: &[String]| if pins.is_empty() { "nothing".to_owned() } else { pins.join(", ") };
        Verdict::of(got.pins.iter().all(|pin| want.contains(pin)), words(want), words(&got.pins))
    }

    fn observed(&self, got: &Pins) -> Option<Value> {
        Some(got.pins.clone().into())
    }
}
