//! What an image is made of, as CycloneDX has it: every installed package, by name, version and package URL.

use std::fmt::Write as _;

use jiff::Timestamp;
use kverify_checks::packages::{Debian, Package};
use serde_json::{Value, json};

use super::{Subject, json};

/// The version of CycloneDX that is written.
const VERSION: &str = "1.6";

/// The list of an image's packages; `distro` is its `ID` and `VERSION_ID`, as far as it says them. The same content gives
/// the same bytes.
#[must_use]
pub fn sbom(subject: &Subject, distro: (&str, &str), packages: &Debian, made: Timestamp) -> Vec<u8> {
    let mut installed: Vec<_> = packages.packages.iter().filter(|package| package.is_installed()).collect();
    installed.sort_by_key(|package| (&package.name, &package.architecture, &package.version));
    let components: Vec<_> = installed.into_iter().map(|package| component(package, distro)).collect();
    let content = subject.digest.trim_start_matches("sha256:");
    let document = json!({
        "$schema": format!("http://cyclonedx.org/schema/bom-{VERSION}.schema.json"),
        "bomFormat": "CycloneDX",
        "specVersion": VERSION,
        "version": 1,
        "metadata": {
            "timestamp": made.to_string(),
            "tools": { "components": [
                { "type": "application", "name": "kverify", "version": env!("CARGO_PKG_VERSION") },
            ] },
            "component": {
                "type": "operating-system",
                "name": subject.name,
                "bom-ref": subject.digest,
                "hashes": [{ "alg": "SHA-256", "content": content }],
            },
        },
        "components": components,
    });
    json::harmless(&document).into_bytes()
}

fn component(package: &Package, (id, version): (&str, &str)) -> Value {
    let url = format!(
        "pkg:deb/{}/{}@{}?arch={}&distro={}",
        encoded(id),
        encoded(&package.name),
        encoded(&package.version),
        encoded(&package.architecture),
        encoded(&format!("{id}-{version}")),
    );
    json!({
        "type": "library",
        "bom-ref": url,
        "name": package.name,
        "version": package.version,
        "purl": url,
        "properties": [
            { "name": "kverify:source", "value": package.source.0 },
            { "name": "kverify:source-version", "value": package.source.1 },
        ],
    })
}

/// As a part of a package URL has it.
fn encoded(text: &str) -> String {
    let mut url = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use kverify_checks::packages::{Debian, Package};
    use serde_json::Value;

    use super::sbom;
    use crate::report::sample_verified;

    fn package(state: &str, name: &str, version: &str) -> Package {
        let (state, name, version) = (state.to_owned(), name.to_owned(), version.to_owned());
        let source = (format!("{name}-source"), version.clone());
        Package { state, name, version, architecture: "amd64".to_owned(), source }
    }

    #[test]
    fn what_is_installed_is_listed_once_and_in_order() {
        let packages = vec![
            package("ii ", "zfs", "2.3.9-1"),
            package("rc ", "gone", "1"),
            package("hi ", "libstdc++6", "1:14.2.0-19~x"),
        ];
        let subject = sample_verified().subject;
        let made: Timestamp = "2026-11-25T06:00:00Z".parse().unwrap();
        let packages = Debian { packages };
        let text = sbom(&subject, ("debian", "13"), &packages, made);
        assert_eq!(text, sbom(&subject, ("debian", "13"), &packages, made));
        let document: Value = serde_json::from_slice(&text).unwrap();
        let urls: Vec<_> = document["components"].as_array().unwrap().iter().map(|one| one["purl"].clone()).collect();
        assert_eq!(
            urls,
            [
                "pkg:deb/debian/libstdc%2B%2B6@1%3A14.2.0-19~x?arch=amd64&distro=debian-13",
                "pkg:deb/debian/zfs@2.3.9-1?arch=amd64&distro=debian-13"
            ]
        );
        let image = &document["metadata"]["component"];
        assert_eq!(image["bom-ref"], subject.digest);
        assert_eq!(image["hashes"][0]["content"].as_str().unwrap().len(), 64);
    }
}
