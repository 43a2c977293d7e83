//! Installed packages, compared with the advisories of a file.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    outcome::Verdict,
    packages::{
        Advisories, Debian, Manager, Package,
        advisories::{Advisory, End},
    },
};

/// Which advisories speak of the image, and which of them it must not have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Vulnerabilities {
    /// The release by its names: OSV's ecosystem (`Debian:13`), the tracker's codename (`trixie`).
    pub releases: Vec<String>,
    /// Ratings that are not borne, in lower case, as the advisories have them: Debian's urgencies, the words of other
    /// databases, those of CVSS 3; `unrated` where there is none, `undetermined` where the tracker is not sure.
    pub not_borne: Vec<String>,
    /// Advisories that are borne all the same, by any of their names.
    pub borne: Vec<String>,
    /// Whether those are borne that no version fixes yet.
    pub unfixed_borne: bool,
    /// Source packages that are built again from another one, with that one: an advisory is about the latter.
    pub built_from: BTreeMap<String, String>,
}

/// No installed package has a vulnerability that is known and not borne.
pub struct NoKnownVulnerabilities;

impl Check for NoKnownVulnerabilities {
    type Fact = Debian;
    type Want = (Advisories, Vulnerabilities);

    fn about(&self) -> &About {
        &About {
            id: "packages.no-known-vulnerabilities",
            demand: "no installed package has a vulnerability of the advisory file whose rating is not borne",
            remedy: "build the image from the archive as it is now; what has to be borne is named in the expectation",
            key: "packages.vulnerabilities",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Self::Want> {
        Some((image.packages.advisories.clone()?, image.packages.vulnerabilities.clone()?))
    }

    fn judge(&self, got: &Debian, (advisories, bounds): &Self::Want) -> Verdict {
        let wanted = format!("none rated {}", bounds.not_borne.join(", "));
        let mut sources: BTreeMap<&str, Vec<(&Package, &str)>> = BTreeMap::new();
        for package in got.packages.iter().filter(|package| package.has_files()) {
            let (source, version) = (&package.source.0, &package.source.1);
            // What is signed anew has a version of its own; that of the package itself is the original's.
            let (source, version) =
                bounds.built_from.get(source).map_or((source, version), |original| (original, &package.version));
            sources.entry(source).or_default().push((package, version));
        }
        let (mut looked_at, mut borne, mut found) = (0_usize, 0_usize, BTreeMap::new());
        for advisory in advisories.of(&bounds.releases) {
            looked_at += 1;
            for (package, version) in sources.get(advisory.package.as_str()).into_iter().flatten() {
                let Some(end) = advisory.affected.end_for(version, Manager::Dpkg) else { continue };
                if bounds.bears(advisory, &end) {
                    borne += 1;
                } else {
                    found
                        .entry((&advisory.id, &advisory.package))
                        .or_insert_with(|| words(advisory, package, version, &end));
                }
            }
        }
        if looked_at == 0 {
            // An advisory file of another release would find nothing in any image.
            return Verdict::of(
                false,
                wanted,
                format_args!("no advisory in the file is of {}", bounds.releases.join(" or ")),
            );
        }
        let none = found.is_empty();
        let said = match found.len() {
            0 => format!("none of {looked_at} advisories"),
            count if count <= 12 => found.into_values().collect::<Vec<_>>().join("; "),
            count => {
                format!("{}; and {} more", found.into_values().take(12).collect::<Vec<_>>().join("; "), count - 12)
            }
        };
        let verdict = Verdict::of(none, wanted, said);
        if borne > 0 { verdict.note(format!("{borne} borne")) } else { verdict }
    }
}

impl Vulnerabilities {
    fn bears(&self, advisory: &Advisory, end: &End) -> bool {
        let named = |id: &String| *id == advisory.id || advisory.names.contains(id);
        self.borne.iter().any(named)
            || self.unfixed_borne && *end == End::Open
            || !advisory.ratings.iter().any(|rating| self.not_borne.contains(rating))
    }
}

fn words(advisory: &Advisory, package: &Package, version: &str, end: &End) -> String {
    let ratings: Vec<_> = advisory.ratings.iter().map(String::as_str).collect();
    let source = if package.name == advisory.package { String::new() } else { format!(" of {}", advisory.package) };
    format!("{} ({}): {}{source} {version}, {end}", advisory.id, ratings.join(", "), package.name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{NoKnownVulnerabilities, Vulnerabilities};
    use crate::{
        check::Check,
        packages::{Advisories, Debian, Package},
    };

    /// What is said of a kernel that was signed anew, as Debian 13 has it, where `fixed` is the version that is well.
    fn judged(fixed: &str, state: &str, bounds: &Vulnerabilities) -> (bool, String) {
        let kernel = Package {
            state: state.to_owned(),
            name: "linux-image-6.12.118+deb13-amd64".to_owned(),
            version: "6.12.118-1".to_owned(),
            architecture: "amd64".to_owned(),
            source: ("linux-signed-amd64".to_owned(), "6.12.118+1".to_owned()),
        };
        let text = format!(
            r#"{{"linux": {{"CVE-2026-1": {{"releases": {{"trixie": {{"status": "resolved", "fixed_version": "{fixed}", "urgency": "not yet assigned"}}}}}}}}}}"#
        );
        let want = (Advisories::read(&text).unwrap(), bounds.clone());
        let verdict = NoKnownVulnerabilities.judge(&Debian { packages: vec![kernel] }, &want);
        (verdict.holds, verdict.got)
    }

    #[test]
    fn what_is_signed_anew_is_judged_by_what_it_was_built_from() {
        let bounds = Vulnerabilities {
            releases: vec!["Debian:13".to_owned(), "trixie".to_owned()],
            not_borne: vec!["not yet assigned".to_owned()],
            unfixed_borne: true,
            built_from: BTreeMap::from([("linux-signed-amd64".to_owned(), "linux".to_owned())]),
            ..Vulnerabilities::default()
        };
        let (holds, got) = judged("6.12.119-1", "ii ", &bounds);
        assert!(!holds);
        assert_eq!(
            got,
            "CVE-2026-1 (not yet assigned): linux-image-6.12.118+deb13-amd64 of linux 6.12.118-1, fixed in 6.12.119-1"
        );
        assert!(judged("6.12.118-1", "ii ", &bounds).0);
        assert!(!judged("6.12.119-1", "iF ", &bounds).0, "half configured, its files are there");
        assert!(judged("6.12.119-1", "rc ", &bounds).0, "removed");
        let bears = |bounds: Vulnerabilities| judged("6.12.119-1", "ii ", &bounds).0;
        assert!(bears(Vulnerabilities { borne: vec!["CVE-2026-1".to_owned()], ..bounds.clone() }));
        assert!(bears(Vulnerabilities { not_borne: vec!["high".to_owned()], ..bounds.clone() }));
        assert!(!bears(Vulnerabilities { releases: vec!["sid".to_owned()], ..bounds }), "no advisory of the release");
    }
}
