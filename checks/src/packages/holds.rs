//! Packages on hold: those that no upgrade will touch.

use toml::Value;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    outcome::Verdict,
    packages::{Debian, Package},
};

/// No package is on hold that is not declared.
pub struct HoldsAsDeclared;

impl Check for HoldsAsDeclared {
    type Fact = Debian;
    /// The packages that may be.
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "packages.holds-as-declared",
            demand: "no package is on hold that is not declared: it would get no security update",
            remedy: "`apt-mark showhold` names them, `apt-mark unhold` frees them",
            key: "packages.holds",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        image.packages.holds.clone()
    }

    fn judge(&self, got: &Debian, want: &Vec<String>) -> Verdict {
        let held = held(got);
        let fits = held.iter().all(|name| want.iter().any(|wanted| wanted == name));
        let words = |names: &[&str]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let wanted: Vec<_> = want.iter().map(String::as_str).collect();
        Verdict::of(fits, words(&wanted), words(&held))
    }

    fn observed(&self, got: &Debian) -> Option<Value> {
        Some(held(got).into())
    }
}

fn held(got: &Debian) -> Vec<&str> {
    got.packages.iter().filter(|package| package.is_held()).map(|Package { name, .. }| name.as_str()).collect()
}
