//! `/etc/kldload/image-metadata.json`: what the image says it is, held against what it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    check::{About, Check, Cost},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Exit, Output, Probe},
    traits::{Group, Traits},
};

const PATH: &str = "/etc/kldload/image-metadata.json";

/// What the metadata file has to say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExpectedMetadata {
    /// The distribution, by its ID in os-release; the file may add the release, as in `debian-13`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distro: Option<String>,
    /// The profile the image was installed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// The metadata file, and the names of the system that it describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The names that os-release allows: its ID alone, and with its release or the release's first number.
    pub os: Vec<String>,
    /// Image name, version, distribution, time and builder, or why there are none: a bad file is the image's fault.
    pub file: Result<[String; 5], String>,
    /// The profile, where the file names it apart from the image's name.
    pub profile: Option<String>,
}

/// The texts that every metadata file has.
const FIELDS: [&str; 5] = ["image_name", "image_version", "target_distro", "build_timestamp", "builder"];

impl Fact for Metadata {
    const ID: &'static str = "image.metadata";
    const GROUPS: &'static [Group] = &[Group::System];

    fn probes() -> Vec<Probe> {
        vec![Probe::file(PATH), Probe::file("/etc/os-release")]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let os = os_names(out[1].ok()?)?;
        if out[0].exit == Exit::Code(1) && out[0].stderr.contains("No such file or directory") {
            return Ok(Self { os, file: Err(format!("no {PATH}")), profile: None });
        }
        let text = out[0].ok()?;
        let value = match serde_json::from_str::<Value>(text) {
            Ok(value) => value,
            Err(error) => return Ok(Self { os, file: Err(format!("not JSON: {error}")), profile: None }),
        };
        let word =
            |field: &str| value.get(field).and_then(Value::as_str).map(str::trim).filter(|word| !word.is_empty());
        let missing: Vec<_> = FIELDS.into_iter().filter(|field| word(field).is_none()).collect();
        let file = if missing.is_empty() {
            Ok(FIELDS.map(|field| word(field).unwrap_or_default().to_owned()))
        } else {
            Err(format!("no {}", missing.join(", no ")))
        };
        Ok(Self { os, file, profile: word("profile").map(str::to_owned) })
    }

    fn tell(&self, traits: &mut Traits) {
        // With the release, where there is one.
        if let Some(os) = self.os.get(1).or(self.os.first()) {
            traits.put(Group::System, "os", os);
        }
        if let Some(profile) = &self.profile {
            traits.put(Group::System, "profile", profile);
        }
    }
}

fn os_names(os_release: &str) -> Result<Vec<String>, Unreadable> {
    let value = |key: &str| {
        let line = os_release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.map(|value| value.trim_matches(['"', '\'']))
    };
    let id = value("ID").ok_or_else(|| Unreadable::new("/etc/os-release has no ID"))?;
    let mut names = vec![id.to_owned()];
    if let Some(release) = value("VERSION_ID") {
        names.push(format!("{id}-{release}"));
        names.extend(release.split_once('.').map(|(major, _)| format!("{id}-{major}")));
    }
    Ok(names)
}

/// The metadata file agrees with the system, the profile and its own name.
pub struct MetadataAgrees;

impl Check for MetadataAgrees {
    type Fact = Metadata;
    type Want = ExpectedMetadata;

    fn about(&self) -> &About {
        &About {
            id: "image.metadata-agrees",
            demand: "the metadata file is complete and agrees with os-release, the profile and the image's name",
            remedy: "write the file when the image is built, from the same answers as the image",
            key: "image.metadata",
            cost: Cost::Quick,
            needs: &[],
        }
    }

    fn want(&self, image: &Expectation) -> Option<ExpectedMetadata> {
        let want = &image.image.metadata;
        (*want != ExpectedMetadata::default()).then(|| want.clone())
    }

    fn judge(&self, got: &Metadata, want: &ExpectedMetadata) -> Verdict {
        let wanted = [&want.distro, &want.profile].into_iter().flatten().cloned().collect::<Vec<_>>().join(" ");
        let [name, version, distro, built, _builder] = match &got.file {
            Ok(fields) => fields,
            Err(why) => return Verdict::of(false, wanted, why),
        };
        let mut amiss = Vec::new();
        if !got.os.contains(distro) {
            amiss.push(format!("target_distro {distro} on {}", got.os.join(" or ")));
        }
        if want.distro.as_ref().is_some_and(|want| distro != want && !distro.starts_with(&format!("{want}-"))) {
            amiss.push(format!("target_distro {distro}"));
        }
        let profile = name.strip_prefix(&format!("golden-{distro}-")).and_then(|rest| rest.split('-').next());
        match (profile, &got.profile) {
            (None, _) => amiss.push(format!("image_name {name} of {distro}")),
            (Some(named), Some(said)) if named != said => amiss.push(format!("image_name {name} of profile {said}")),
            _ => {}
        }
        if want.profile.as_deref().is_some_and(|want| profile.is_some_and(|named| named != want)) {
            amiss.push(format!("profile {}", profile.unwrap_or_default()));
        }
        let said = if amiss.is_empty() { format!("{name} {version}, built {built}") } else { amiss.join(", ") };
        Verdict::of(amiss.is_empty(), wanted, said)
    }
}
