//! A signed statement in DSSE (Dead Simple Signing Envelope, protocol version 1).
//!
//! What is signed is the payload with its type and their lengths; nothing of the payload is read before a trusted key
//! has been found to have signed it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use super::{PublicKey, SigningKey};

/// The largest envelope that is read, in bytes.
const LARGEST: usize = 64 << 20;

/// What a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadType {
    /// An in-toto statement.
    InToto,
    /// A record of a channel.
    ChannelRecord,
    /// A revocation.
    Revocation,
    /// The record of an export.
    Export,
}

impl PayloadType {
    /// Its media type.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InToto => "application/vnd.in-toto+json",
            Self::ChannelRecord => "application/vnd.kverify.channel-record+json",
            Self::Revocation => "application/vnd.kverify.revocation+json",
            Self::Export => "application/vnd.kverify.export+json",
        }
    }
}

/// A payload with its signatures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeSignature {
    #[serde(default)]
    keyid: String,
    sig: String,
}

/// Why an envelope is not believed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// It is no envelope.
    #[error("no DSSE envelope: {0}")]
    Malformed(String),
    /// It holds something else than what was looked for.
    #[error("it holds `{got}`, not `{want}`")]
    OtherType {
        /// What it says that it holds.
        got: String,
        /// What was looked for.
        want: &'static str,
    },
    /// None of its signatures is of a trusted key.
    #[error("no signature of a trusted key: it names {named}; trusted are {trusted}")]
    Untrusted {
        /// The keys that it names.
        named: String,
        /// The keys that are trusted.
        trusted: String,
    },
}

impl Envelope {
    /// Signs a payload.
    #[must_use]
    pub fn sign(kind: PayloadType, payload: &[u8], key: &SigningKey) -> Self {
        let signature = key.sign(&signed_bytes(kind.name(), payload));
        Self {
            payload_type: kind.name().to_owned(),
            payload: STANDARD.encode(payload),
            signatures: vec![EnvelopeSignature { keyid: key.public().fingerprint(), sig: STANDARD.encode(signature) }],
        }
    }

    /// Its text.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        text.push(b'\n');
        text
    }

    /// Reads its text.
    ///
    /// # Errors
    /// [`EnvelopeError::Malformed`] where it is none.
    pub fn parse(text: &[u8]) -> Result<Self, EnvelopeError> {
        if text.len() > LARGEST {
            return Err(EnvelopeError::Malformed(format!("{} bytes, more than {LARGEST}", text.len())));
        }
        serde_json::from_slice(text).map_err(|error| EnvelopeError::Malformed(error.to_string()))
    }

    /// Whether it says that it holds this kind, which nobody has to believe yet.
    #[must_use]
    pub fn is(&self, kind: PayloadType) -> bool {
        self.payload_type == kind.name()
    }

    /// The payload, believed by nobody yet.
    ///
    /// # Errors
    /// [`EnvelopeError::Malformed`] where it is not encoded as it has to be.
    pub fn payload(&self) -> Result<Vec<u8>, EnvelopeError> {
        decode("payload", &self.payload)
    }

    /// The payload, if it is of this kind and one of `trusted` has signed it; and that key.
    ///
    /// # Errors
    /// [`EnvelopeError`] says why it is not believed.
    pub fn open<'a>(
        &self,
        kind: PayloadType,
        trusted: &'a [PublicKey],
    ) -> Result<(Vec<u8>, &'a PublicKey), EnvelopeError> {
        if !self.is(kind) {
            return Err(EnvelopeError::OtherType { got: self.payload_type.clone(), want: kind.name() });
        }
        let payload = self.payload()?;
        let signed = signed_bytes(&self.payload_type, &payload);
        for signature in &self.signatures {
            let sig = decode("sig", &signature.sig)?;
            // The name of the key in an envelope is a hint that nobody has signed.
            if let Some(key) = trusted.iter().find(|key| key.verifies(&signed, &sig)) {
                return Ok((payload, key));
            }
        }
        let list = |names: Vec<String>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Err(EnvelopeError::Untrusted {
            named: list(self.signatures.iter().map(|signature| signature.keyid.clone()).collect()),
            trusted: list(trusted.iter().map(PublicKey::fingerprint).collect()),
        })
    }
}

fn decode(what: &str, text: &str) -> Result<Vec<u8>, EnvelopeError> {
    STANDARD.decode(text).map_err(|error| EnvelopeError::Malformed(format!("{what}: {error}")))
}

/// DSSE's pre-authentication encoding.
fn signed_bytes(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    bytes.extend(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::{Envelope, EnvelopeError, PayloadType, signed_bytes};
    use crate::gate::SigningKey;

    #[test]
    fn what_is_signed_is_as_the_protocol_says() {
        // The example of the protocol's own text.
        assert_eq!(
            signed_bytes("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn only_what_a_trusted_key_signed_is_opened() {
        let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let envelope = Envelope::parse(&Envelope::sign(PayloadType::InToto, b"{}", &key).to_json()).unwrap();
        let trusted = [other.public(), key.public()];
        let (payload, by) = envelope.open(PayloadType::InToto, &trusted).unwrap();
        assert_eq!((payload.as_slice(), by), (&b"{}"[..], &trusted[1]));
        let untrusted = envelope.open(PayloadType::InToto, &trusted[..1]).unwrap_err();
        assert!(matches!(&untrusted, EnvelopeError::Untrusted { named, .. } if *named == key.public().fingerprint()));
        assert!(matches!(envelope.open(PayloadType::InToto, &[]), Err(EnvelopeError::Untrusted { .. })));
        assert!(matches!(envelope.open(PayloadType::Revocation, &trusted), Err(EnvelopeError::OtherType { .. })));
    }

    #[test]
    fn a_flipped_bit_anywhere_is_noticed() {
        let key = SigningKey::generate().unwrap();
        let trusted = [key.public()];
        let text = Envelope::sign(PayloadType::InToto, b"{\"result\":\"PASSED\"}", &key).to_json();
        let text = String::from_utf8(text).unwrap();
        let envelope = Envelope::parse(text.as_bytes()).unwrap();
        for index in 0..envelope.payload.len() {
            let mut changed = envelope.clone();
            let old = changed.payload.as_bytes()[index];
            let new = if old == b'A' { "B" } else { "A" };
            changed.payload.replace_range(index..=index, new);
            assert!(changed.open(PayloadType::InToto, &trusted).is_err(), "payload, character {index}");
        }
        let mut renamed = envelope.clone();
        renamed.payload_type = PayloadType::Revocation.name().to_owned();
        assert!(renamed.open(PayloadType::Revocation, &trusted).is_err(), "the type is signed too");
        let mut unsigned = envelope;
        unsigned.signatures.clear();
        assert!(unsigned.open(PayloadType::InToto, &trusted).is_err());
        for bad in ["", "{}", "[]", "{\"payload\":1}"] {
            assert!(matches!(Envelope::parse(bad.as_bytes()), Err(EnvelopeError::Malformed(_))), "{bad}");
        }
    }
}
