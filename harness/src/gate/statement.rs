//! in-toto's statement, version 1: something said of a subject that is named by its digest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::image::Digest;

/// What in-toto calls itself in `_type`.
const TYPE: &str = "https://in-toto.io/Statement/v1";

/// A statement whose predicate is a `P`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Statement<P> {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    /// What is said.
    pub predicate: P,
}

/// What something is said of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Its name, which proves nothing.
    pub name: String,
    digest: BTreeMap<String, String>,
}

/// Something that a statement refers to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it is, or what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    digest: BTreeMap<String, String>,
}

impl<P> Statement<P> {
    /// Says `predicate` of one file.
    pub(super) fn new(name: &str, digest: Digest, predicate_type: &str, predicate: P) -> Self {
        let subject = vec![Subject { name: name.to_owned(), digest: map_of(digest) }];
        Self { kind: TYPE.to_owned(), subject, predicate_type: predicate_type.to_owned(), predicate }
    }

    /// Whether it is a statement of this kind.
    pub(super) fn is_of(&self, predicate_type: &str) -> bool {
        self.kind == TYPE && self.predicate_type == predicate_type
    }

    /// The type of its predicate.
    pub(super) fn predicate_type(&self) -> &str {
        &self.predicate_type
    }

    /// The subjects' digests, those that are SHA-256.
    #[must_use]
    pub fn subjects(&self) -> Vec<Digest> {
        self.subject.iter().filter_map(|subject| of_map(&subject.digest)).collect()
    }
}

impl Resource {
    /// What has this name and digest.
    #[must_use]
    pub fn named(name: &str, digest: Digest) -> Self {
        Self { name: Some(name.to_owned()), uri: None, digest: map_of(digest) }
    }

    /// What is at this address and has this digest.
    #[must_use]
    pub fn at(uri: &str, digest: Digest) -> Self {
        Self { name: None, uri: Some(uri.to_owned()), digest: map_of(digest) }
    }

    /// Its SHA-256.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        of_map(&self.digest)
    }
}

fn map_of(digest: Digest) -> BTreeMap<String, String> {
    BTreeMap::from([("sha256".to_owned(), digest.hex())])
}

fn of_map(map: &BTreeMap<String, String>) -> Option<Digest> {
    format!("sha256:{}", map.get("sha256")?).parse().ok()
}
