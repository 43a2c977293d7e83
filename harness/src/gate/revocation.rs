//! That an image may no longer be used, by whom and why; signed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Envelope, EnvelopeError, PayloadType, PublicKey, SigningKey};
use crate::image::Digest;

/// A revocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// The image.
    pub image: Digest,
    /// Why.
    pub why: String,
    /// When (RFC 3339).
    pub at: Timestamp,
}

impl Revocation {
    /// Its signed text.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn sign(&self, key: &SigningKey) -> serde_json::Result<Vec<u8>> {
        Ok(Envelope::sign(PayloadType::Revocation, &serde_json::to_vec(self)?, key).to_json())
    }

    /// Why the image is revoked by this text, which lies where its revocation would. One that cannot be believed revokes
    /// too: nothing else belongs there, and closed is the default.
    #[must_use]
    pub fn reason(text: &[u8], image: Digest, trusted: &[PublicKey]) -> String {
        let opened = Envelope::parse(text).and_then(|envelope| {
            let (payload, _) = envelope.open(PayloadType::Revocation, trusted)?;
            serde_json::from_slice::<Self>(&payload).map_err(|error| EnvelopeError::Malformed(error.to_string()))
        });
        match opened {
            Ok(revocation) if revocation.image == image => format!("{} ({})", revocation.why, revocation.at),
            Ok(revocation) => format!("by a revocation of {} that lies in its place", revocation.image),
            Err(why) => format!("by something that cannot be believed: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::Revocation;
    use crate::{gate::SigningKey, image::Digest};

    #[test]
    fn whatever_lies_there_revokes() {
        let key = SigningKey::generate().unwrap();
        let trusted = [key.public()];
        let (image, other) = (Digest::of(b"image"), Digest::of(b"other"));
        let text = Revocation { image, why: "CVE-1".to_owned(), at: Timestamp::UNIX_EPOCH }.sign(&key).unwrap();
        assert_eq!(Revocation::reason(&text, image, &trusted), "CVE-1 (1970-01-01T00:00:00Z)");
        assert!(Revocation::reason(&text, other, &trusted).contains("lies in its place"));
        assert!(Revocation::reason(&text, image, &[]).contains("no signature of a trusted key"));
        assert!(Revocation::reason(b"", image, &trusted).contains("cannot be believed"));
    }
}
