//! The decision, signed: SLSA's verification summary, which says that this image met this policy for this channel.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Envelope, EnvelopeError, Evidence, PayloadType, Policy, PublicKey, Resource, SigningKey, Statement};
use crate::image::Digest;

/// The predicate type of a verification summary.
const PREDICATE: &str = "https://slsa.dev/verification_summary/v1";
/// Who verified.
const VERIFIER: &str = "urn:kverify:verifier";
/// What `PASSED` claims; no level of SLSA's build track is claimed.
const LEVEL: &str = "KVERIFY_PROMOTABLE";

/// SLSA's verification summary, version 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Summary {
    verifier: Verifier,
    /// When it was decided (RFC 3339).
    pub time_verified: Timestamp,
    /// The channel that it was decided for.
    pub resource_uri: String,
    /// The policy.
    pub policy: Resource,
    /// The signed evidence that it rests on.
    pub input_attestations: Vec<Resource>,
    /// `PASSED`; no other is ever signed.
    pub verification_result: String,
    verified_levels: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Verifier {
    id: String,
    version: std::collections::BTreeMap<String, String>,
}

/// Why a summary does not count.
#[derive(Debug, thiserror::Error)]
pub enum SummaryError {
    /// Its signature does not hold.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// It cannot be read.
    #[error("no verification summary: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It says something else.
    #[error("the summary is of another {what}: {signed}, and this is {here}")]
    Other {
        /// Of what.
        what: &'static str,
        /// What was signed.
        signed: String,
        /// What is here.
        here: String,
    },
}

impl Summary {
    /// Signs that an image met a policy for a channel.
    ///
    /// # Errors
    /// [`SummaryError::Malformed`] where it cannot be written.
    pub fn sign(
        (name, digest): (&str, Digest),
        channel: &str,
        policy: &Policy,
        evidence: &[Evidence],
        (now, key): (Timestamp, &SigningKey),
    ) -> Result<Envelope, SummaryError> {
        let version = [("kverify".to_owned(), env!("CARGO_PKG_VERSION").to_owned())].into();
        let inputs = evidence.iter().map(|evidence| Resource::at("urn:kverify:report", evidence.digest));
        let summary = Self {
            verifier: Verifier { id: VERIFIER.to_owned(), version },
            time_verified: now,
            resource_uri: uri_of(channel),
            policy: Resource::named(&policy.name, policy.digest),
            input_attestations: inputs.collect(),
            verification_result: "PASSED".to_owned(),
            verified_levels: vec![LEVEL.to_owned()],
        };
        let statement = Statement::new(name, digest, PREDICATE, summary);
        Ok(Envelope::sign(PayloadType::InToto, &serde_json::to_vec(&statement)?, key))
    }

    /// The summary, if a trusted key has signed it for this image and, where one is named, this channel.
    ///
    /// # Errors
    /// [`SummaryError`] says why it does not count.
    pub fn open(
        envelope: &Envelope,
        trusted: &[PublicKey],
        digest: Digest,
        channel: Option<&str>,
    ) -> Result<Self, SummaryError> {
        let (payload, _) = envelope.open(PayloadType::InToto, trusted)?;
        let statement: Statement<Self> = serde_json::from_slice(&payload)?;
        let other = |what, signed: String, here: String| Err(SummaryError::Other { what, signed, here });
        if !statement.is_of(PREDICATE) {
            return other("kind", statement.predicate_type().to_owned(), PREDICATE.to_owned());
        }
        if statement.subjects() != [digest] {
            let signed: Vec<_> = statement.subjects().iter().map(ToString::to_string).collect();
            return other("image", signed.join(", "), digest.to_string());
        }
        let summary = statement.predicate;
        if let Some(channel) = channel.map(uri_of)
            && summary.resource_uri != channel
        {
            return other("channel", summary.resource_uri, channel);
        }
        if summary.verification_result != "PASSED" {
            return other("result", summary.verification_result, "PASSED".to_owned());
        }
        Ok(summary)
    }
}

fn uri_of(channel: &str) -> String {
    format!("urn:kverify:channel:{channel}")
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::Summary;
    use crate::{
        gate::{Policy, SigningKey},
        image::Digest,
    };

    #[test]
    fn it_counts_for_its_image_and_channel_alone() {
        let key = SigningKey::generate().unwrap();
        let trusted = [key.public()];
        let text = format!("[trust]\nkeys = [\"{}\"]\n[[require]]\nexpectation = \"x\"\n", trusted[0].line());
        let policy = Policy::parse("stable.toml", &text).unwrap();
        let (image, other) = (Digest::of(b"image"), Digest::of(b"other"));
        let signed = Summary::sign(("golden", image), "stable", &policy, &[], (Timestamp::UNIX_EPOCH, &key)).unwrap();
        let summary = Summary::open(&signed, &trusted, image, Some("stable")).unwrap();
        assert_eq!(summary.policy.digest(), Some(policy.digest));
        assert!(Summary::open(&signed, &trusted, image, None).is_ok());
        let error = Summary::open(&signed, &trusted, other, None).unwrap_err().to_string();
        assert!(error.starts_with("the summary is of another image: sha256:"), "{error}");
        let error = Summary::open(&signed, &trusted, image, Some("edge")).unwrap_err().to_string();
        assert_eq!(
            error,
            "the summary is of another channel: urn:kverify:channel:stable, and this is urn:kverify:channel:edge"
        );
        let stranger = [SigningKey::generate().unwrap().public()];
        assert!(Summary::open(&signed, &stranger, image, None).is_err());
    }
}
