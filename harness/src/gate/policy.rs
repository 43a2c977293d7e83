//! What a channel demands of an image before it may hold it, as TOML.

use kverify_checks::{Outcome, all};
use serde::Deserialize;

use super::{KeyError, PublicKey, Target};
use crate::image::Digest;

/// A channel's demands.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The name of its file.
    pub name: String,
    /// The digest of its text.
    pub digest: Digest,
    /// What has to be proven, all of it.
    pub(super) require: Vec<Requirement>,
    pub(super) tolerate: Tolerate,
    /// The formats that the image has to be there in, each held against it.
    pub(super) formats: Vec<Target>,
    /// The keys whose word counts.
    pub trusted: Vec<PublicKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    require: Vec<Requirement>,
    #[serde(default)]
    tolerate: Tolerate,
    #[serde(default)]
    formats: Vec<Target>,
    trust: Trust,
}

/// One report that there has to be.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Requirement {
    /// The expectation, by name.
    pub(super) expectation: String,
    /// Its digest, where no other of that name will do.
    pub(super) expectation_digest: Option<Digest>,
    /// The sets of checks of which one was asked; empty takes any.
    #[serde(default)]
    pub(super) check_sets: Vec<Digest>,
    /// Whether the machine has to have booted from the image for the report.
    #[serde(default = "yes")]
    pub(super) cold: bool,
    /// Whether the guest may have chosen the expectation.
    #[serde(default)]
    pub(super) guest_may_choose: bool,
    /// How old the report may be, in days.
    pub(super) max_age_days: Option<u32>,
    /// Whether the seal has to be proven: on the disk, and by two machines.
    #[serde(default)]
    pub(super) sealed: bool,
    /// Checks, topics (`zfs.*`) and scenarios of which at least one each has to have passed.
    #[serde(default)]
    pub(super) passed: Vec<String>,
}

/// What may be left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Tolerate {
    /// Checks that the host or network of the run could not ask.
    pub(super) not_here: Vec<String>,
    /// Checks whose waivers count.
    pub(super) waived: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Trust {
    keys: Vec<String>,
}

/// What is wrong with a policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It cannot be read.
    #[error("policy {name}: {why}")]
    Toml {
        /// Its file.
        name: String,
        /// Where and what.
        why: toml::de::Error,
    },
    /// It would let everything pass.
    #[error("policy {0}: demands nothing; name an expectation under [[require]]")]
    Nothing(String),
    /// It trusts nobody.
    #[error("policy {0}: trusts no key; put the line of a `.pub` file into [trust] keys")]
    Nobody(String),
    /// A key cannot be read.
    #[error("policy {name}: {why}")]
    Key {
        /// Its file.
        name: String,
        /// What is wrong with the key.
        why: KeyError,
    },
    /// It names a check that does not exist.
    #[error("policy {name}: `{pattern}` names no check; `kverify checks` lists them")]
    Unknown {
        /// Its file.
        name: String,
        /// The name.
        pattern: String,
    },
}

fn yes() -> bool {
    true
}

impl Policy {
    /// How old a report may be for each of its demands, in days; nothing where none says so.
    #[must_use]
    pub fn max_age_days(&self) -> Option<u32> {
        self.require.iter().filter_map(|one| one.max_age_days).min()
    }

    /// The formats that it demands of an image.
    #[must_use]
    pub fn formats(&self) -> &[Target] {
        &self.formats
    }

    /// Reads a policy; `name` is that of its file.
    ///
    /// # Errors
    /// [`PolicyError`] says what is wrong with it.
    pub fn parse(name: &str, text: &str) -> Result<Self, PolicyError> {
        let name = name.to_owned();
        let written: Written = toml::from_str(text).map_err(|why| PolicyError::Toml { name: name.clone(), why })?;
        let Written { require, tolerate, formats, trust } = written;
        if require.is_empty() {
            return Err(PolicyError::Nothing(name));
        }
        if trust.keys.is_empty() {
            return Err(PolicyError::Nobody(name));
        }
        let named = [&tolerate.not_here, &tolerate.waived].into_iter().chain(require.iter().map(|one| &one.passed));
        for pattern in named.flatten() {
            let scenario = pattern.starts_with("scenario.");
            if !scenario && !all().any(|check| matches(pattern, check.about().id)) {
                return Err(PolicyError::Unknown { name, pattern: pattern.clone() });
            }
        }
        let keys = trust.keys.iter().map(|line| PublicKey::parse(line)).collect::<Result<_, _>>();
        let trusted = keys.map_err(|why| PolicyError::Key { name: name.clone(), why })?;
        Ok(Self { name, digest: Digest::of(text.as_bytes()), require, tolerate, formats, trusted })
    }
}

/// Whether a name in a policy means this check: itself, or its topic as in `zfs.*`.
fn matches(pattern: &str, id: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(topic) => topic.ends_with('.') && id.starts_with(topic),
        None => pattern == id,
    }
}

/// Whether one of the names means the check of this outcome.
pub(super) fn any_matches(patterns: &[String], outcome: &Outcome) -> bool {
    patterns.iter().any(|pattern| matches(pattern, &outcome.check))
}

#[cfg(test)]
mod tests {
    use super::Policy;
    use crate::gate::SigningKey;

    #[test]
    fn a_policy_that_demands_nothing_or_trusts_nobody_is_none() {
        let key = SigningKey::generate().unwrap().public().line();
        let error = |text: &str| Policy::parse("stable.toml", text).unwrap_err().to_string();
        let trust = format!("[trust]\nkeys = [\"{key}\"]\n");
        let require = "[[require]]\nexpectation = \"debian-13-server\"\n";
        assert!(Policy::parse("stable.toml", &format!("{require}{trust}")).is_ok());
        assert!(error(&trust).ends_with("demands nothing; name an expectation under [[require]]"));
        assert!(error(&format!("{require}[trust]\nkeys = []\n")).contains("trusts no key"));
        assert!(error(require).contains("missing field `trust`"));
        assert!(
            error(&format!("{require}[trust]\nkeys = [\"ssh-ed25519 AAAA\"]\n")).contains("policy stable.toml: key")
        );
        assert!(error(&format!("{require}colour = 1\n{trust}")).contains("unknown field `colour`"));
        let formats = |list: &str| format!("formats = [{list}]\n{require}{trust}");
        assert!(Policy::parse("stable.toml", &formats("\"vhd\", \"gce\"")).is_ok());
        assert!(error(&formats("\"vdi\"")).contains("unknown variant `vdi`"));
        let typo = format!("{require}{trust}[tolerate]\nnot-here = [\"netwrok.*\"]\n");
        assert_eq!(error(&typo), "policy stable.toml: `netwrok.*` names no check; `kverify checks` lists them");
        assert!(error(&typo.replace("netwrok.*", "*")).contains("`*` names no check"), "not everything at once");
    }

    #[test]
    fn the_one_in_the_readme_is_one() {
        let readme = include_str!("../../../README.md");
        let begin = readme.find("[[require]]\nexpectation").unwrap();
        let text = readme[begin..].split("```").next().unwrap();
        let policy = Policy::parse("stable.toml", text).unwrap();
        assert_eq!((policy.require.len(), policy.trusted.len()), (1, 1));
        assert_eq!(policy.tolerate.not_here.len(), 0);
    }
}
