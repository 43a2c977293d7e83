//! The agents that platforms talk to inside a machine.

use std::collections::BTreeMap;

use crate::{
    check::{About, Check, Cost, Need},
    cloud::Platform,
    expect::Expectation,
    outcome::Verdict,
    packages::Installed,
};

/// The packages that the declared platforms need are installed.
pub struct AgentsPresent;

impl Check for AgentsPresent {
    type Fact = Installed;
    type Want = BTreeMap<String, Platform>;

    fn about(&self) -> &About {
        &About {
            id: "cloud.agents-present",
            demand: "the guest agents and further packages that the declared platforms need are installed",
            remedy: "install them while the image is built (qemu-guest-agent, open-vm-tools, waagent …)",
            key: "cloud.platforms",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<BTreeMap<String, Platform>> {
        let platforms = image.cloud.platforms_asked()?;
        platforms.values().any(|platform| !platform.packages.is_empty()).then_some(platforms)
    }

    fn judge(&self, got: &Installed, want: &BTreeMap<String, Platform>) -> Verdict {
        let has = |name: &str| got.packages.iter().any(|package| package.name == name);
        Platform::verdict(want, "packages", |platform| &platform.packages, has)
    }
}
