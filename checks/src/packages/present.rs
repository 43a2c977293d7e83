//! Which packages have to be there, and which must not.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    outcome::Verdict,
    packages::{Installed, InstalledPackage},
    pattern::Pattern,
};

/// Every package that is declared is installed.
pub struct RequiredPresent;

impl Check for RequiredPresent {
    type Fact = Installed;
    /// Names, by a name of their group.
    type Want = BTreeMap<String, Vec<String>>;

    fn about(&self) -> &About {
        &About {
            id: "packages.required-present",
            demand: "every package that the image is declared to have is installed",
            remedy: "install them while the image is built, or take them out of the declaration",
            key: "packages.required",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Self::Want> {
        Some(image.packages.required.clone()).filter(|required| !required.is_empty())
    }

    fn judge(&self, got: &Installed, want: &Self::Want) -> Verdict {
        let there: BTreeSet<_> = got.packages.iter().map(|package| package.name.as_str()).collect();
        let missing: Vec<_> = want.values().flatten().filter(|name| !there.contains(name.as_str())).cloned().collect();
        let wanted: BTreeSet<_> = want.values().flatten().collect();
        let said = if missing.is_empty() {
            "all installed".to_owned()
        } else {
            format!("not installed: {}", missing.join(", "))
        };
        Verdict::of(missing.is_empty(), format_args!("{} packages of {}", wanted.len(), groups(want)), said)
    }
}

/// No package is installed that has no business on the machine.
pub struct ForbiddenAbsent;

impl Check for ForbiddenAbsent {
    type Fact = Installed;
    /// Patterns of names, by a name of their group.
    type Want = BTreeMap<String, Vec<Pattern>>;

    fn about(&self) -> &About {
        &About {
            id: "packages.forbidden-absent",
            demand: "no package of a kind that is declared unwanted is installed",
            remedy: "purge them, and install with `--no-install-recommends` what brought them",
            key: "packages.forbidden",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Self::Want> {
        Some(image.packages.forbidden.clone()).filter(|forbidden| !forbidden.is_empty())
    }

    fn judge(&self, got: &Installed, want: &Self::Want) -> Verdict {
        let of_group = |name: &str| {
            want.iter()
                .find(|(_, patterns)| patterns.iter().any(|pattern| pattern.matches(name)))
                .map(|(group, _)| group)
        };
        let said = |package: &InstalledPackage| Some(format!("{} ({})", package.name, of_group(&package.name)?));
        let found: Vec<_> = got.packages.iter().filter_map(said).collect();
        let none = format!("none of {} packages", got.packages.len());
        Verdict::of(
            found.is_empty(),
            format_args!("none of {}", groups(want)),
            if found.is_empty() { none } else { found.join(", ") },
        )
    }
}

fn groups<T>(want: &BTreeMap<String, T>) -> String {
    want.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}
