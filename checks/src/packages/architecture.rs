//! The architectures that packages are of.

use toml::Value;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    outcome::Verdict,
    packages::Installed,
};

/// Packages are of the declared architectures alone, and no other is switched on.
pub struct ArchitecturesAsDeclared;

impl Check for ArchitecturesAsDeclared {
    type Fact = Installed;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "packages.architectures-as-declared",
            demand: "packages are of the declared architectures alone, and none further is switched on",
            remedy: "purge the packages of the foreign one, then `dpkg --remove-architecture`",
            key: "packages.architectures",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        image.packages.architectures.clone()
    }

    fn judge(&self, got: &Installed, want: &Vec<String>) -> Verdict {
        let got = got.architectures();
        let fits = !got.is_empty() && got.iter().all(|architecture| want.iter().any(|wanted| wanted == architecture));
        Verdict::of(fits, want.join(", "), got.into_iter().collect::<Vec<_>>().join(", "))
    }

    fn observed(&self, got: &Installed) -> Option<Value> {
        Some(got.architectures().into_iter().collect::<Vec<_>>().into())
    }
}
