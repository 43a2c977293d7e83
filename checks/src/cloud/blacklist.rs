//! Drivers that are there and are never loaded, since somebody said so: modprobe's configuration or the kernel's command
//! line.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    check::{About, Check, Cost, Need},
    cloud::Platform,
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// What keeps drivers from being loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blacklist {
    /// The modules, with `_`.
    pub modules: BTreeSet<String>,
}

const SCRIPT: &str = "c=$(cat /proc/cmdline) || exit
echo \"command line $c\"
cat /etc/modprobe.d/*.conf /run/modprobe.d/*.conf /usr/local/lib/modprobe.d/*.conf /usr/lib/modprobe.d/*.conf \
/lib/modprobe.d/*.conf 2>/dev/null; exit 0";

impl Fact for Blacklist {
    const ID: &'static str = "cloud.blacklist";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["sh", "-c", SCRIPT])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let (first, settings) = out[0].ok()?.split_once('\n').unwrap_or_default();
        let command_line = first.strip_prefix("command line ").filter(|words| !words.trim().is_empty());
        let command_line = command_line.ok_or_else(|| Unreadable::new("no command line of the kernel"))?;
        let of_kernel = command_line.split_whitespace().filter_map(|word| {
            word.strip_prefix("module_blacklist=").or_else(|| word.strip_prefix("modprobe.blacklist="))
        });
        let mut modules: BTreeSet<_> = of_kernel.flat_map(|list| list.split(',')).map(named).collect();
        for line in settings.lines() {
            match line.split_whitespace().collect::<Vec<_>>()[..] {
                ["blacklist", module, ..] => modules.insert(named(module)),
                // A command that only fails, or does nothing, in the driver's stead.
                ["install", module, command] if command.ends_with("/false") || command.ends_with("/true") => {
                    modules.insert(named(module))
                }
                _ => false,
            };
        }
        Ok(Self { modules })
    }
}

fn named(module: &str) -> String {
    module.replace('-', "_")
}

/// No driver that the declared platforms need is kept from being loaded.
pub struct DriversNotBlacklisted;

impl Check for DriversNotBlacklisted {
    type Fact = Blacklist;
    type Want = BTreeMap<String, Platform>;

    fn about(&self) -> &About {
        &About {
            id: "cloud.drivers-not-blacklisted",
            demand: "no driver that the declared platforms need is kept from being loaded",
            remedy: "take it out of /etc/modprobe.d or off the kernel's command line, and make the initramfs anew",
            key: "cloud.platforms",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<BTreeMap<String, Platform>> {
        image.cloud.platforms_asked()
    }

    fn judge(&self, got: &Blacklist, want: &BTreeMap<String, Platform>) -> Verdict {
        Platform::verdict(want, "loadable drivers", |platform| &platform.kernel, |driver| !got.modules.contains(driver))
    }
}
