//! Versions of packages: those that are declared.

use std::{cmp::Ordering, collections::BTreeMap};

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    outcome::Verdict,
    packages::{Installed, InstalledPackage, VersionWanted},
};

/// Every package whose version is declared has that version.
pub struct VersionsAsDeclared;

impl Check for VersionsAsDeclared {
    type Fact = Installed;
    /// By name.
    type Want = BTreeMap<String, VersionWanted>;

    fn about(&self) -> &About {
        &About {
            id: "packages.versions-as-declared",
            demand: "each package whose version is declared has that version, or where so declared a later one",
            remedy: "build the image from a newer archive, or pin the version while it is built",
            key: "packages.versions",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Self::Want> {
        Some(image.packages.versions.clone()).filter(|versions| !versions.is_empty())
    }

    fn judge(&self, got: &Installed, want: &Self::Want) -> Verdict {
        let mut wrong = Vec::new();
        for (name, wanted) in want {
            let mut found = got.named(name).peekable();
            if found.peek().is_none() {
                wrong.push(format!("{name} is not installed"));
            }
            wrong.extend(found.filter_map(|package| complaint(got, package, wanted)));
        }
        let said = if wrong.is_empty() { "as declared".to_owned() } else { wrong.join(", ") };
        let wanted: Vec<_> = want.iter().map(|(name, version)| format!("{name} {version}")).collect();
        Verdict::of(wrong.is_empty(), wanted.join(", "), said)
    }
}

fn complaint(got: &Installed, package: &InstalledPackage, wanted: &VersionWanted) -> Option<String> {
    let (VersionWanted::Exactly(version) | VersionWanted::AtLeast(version)) = wanted;
    let said = format!("{} {}", package.name, package.version);
    match (got.manager.compare(&package.version, version), wanted) {
        (Some(Ordering::Equal), _) | (Some(Ordering::Greater), VersionWanted::AtLeast(_)) => None,
        (None, VersionWanted::AtLeast(_)) => {
            Some(format!("{said} (which of the two is later is not known of {})", got.manager))
        }
        _ => Some(said),
    }
}
