//! One step of a channel: which image it points to from then on, why, and what that rests on; signed and numbered.
//!
//! Each record names the digest of the one before it, so that none can be taken out, put in, or played again elsewhere.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Envelope, EnvelopeError, PayloadType, PublicKey, SigningKey, Summary, SummaryError};
use crate::image::Digest;

/// What a record does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The gate has let an image in.
    Promote,
    /// The channel goes back to an image that it has held.
    Rollback,
}

/// One step of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its place in the channel, from 1.
    pub number: u64,
    /// The channel.
    pub channel: String,
    /// What it does.
    pub action: Action,
    /// The image that the channel points to from here on.
    pub image: Digest,
    /// The image's name.
    pub name: String,
    /// The image that it pointed to before.
    pub previous: Option<Digest>,
    /// The digest of the record before this one, as it is stored.
    pub follows: Option<Digest>,
    /// Why.
    pub reason: String,
    /// When (RFC 3339).
    pub at: Timestamp,
    /// The signed decision that let the image into this channel.
    pub summary: Envelope,
}

/// Why a channel's records are not believed.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A record cannot be read, or nobody trusted has signed it.
    #[error("record {number} of channel {channel}: {why}")]
    Envelope {
        /// Which one.
        number: u64,
        /// Of which channel.
        channel: String,
        /// What is wrong with it.
        why: EnvelopeError,
    },
    /// It was signed as another one.
    #[error("record {number} of channel {channel}: it was signed as {signed}; somebody put it there")]
    Elsewhere {
        /// Which one.
        number: u64,
        /// Of which channel.
        channel: String,
        /// What it was signed as.
        signed: String,
    },
    /// Its decision is of another image or channel.
    #[error("record {number} of channel {channel}: {why}")]
    Summary {
        /// Which one.
        number: u64,
        /// Of which channel.
        channel: String,
        /// What is wrong with it.
        why: SummaryError,
    },
}

impl Record {
    /// Its signed text.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn sign(&self, key: &SigningKey) -> serde_json::Result<Vec<u8>> {
        Ok(Envelope::sign(PayloadType::ChannelRecord, &serde_json::to_vec(self)?, key).to_json())
    }

    /// The records of a channel from their stored texts, the first first, each signed by a trusted key and following the
    /// one before.
    ///
    /// # Errors
    /// [`RecordError`] names the first that is not believed.
    pub fn open_all(channel: &str, texts: &[Vec<u8>], trusted: &[PublicKey]) -> Result<Vec<Self>, RecordError> {
        let mut records: Vec<Self> = Vec::new();
        let mut follows = None;
        for (text, number) in texts.iter().zip(1..) {
            let envelope = |why| RecordError::Envelope { number, channel: channel.to_owned(), why };
            let (payload, _) = Envelope::parse(text)
                .and_then(|signed| signed.open(PayloadType::ChannelRecord, trusted))
                .map_err(envelope)?;
            let record: Self = serde_json::from_slice(&payload)
                .map_err(|error| envelope(EnvelopeError::Malformed(error.to_string())))?;
            let previous = records.last().map(|record| record.image);
            if (record.number, record.channel.as_str(), record.follows, record.previous)
                != (number, channel, follows, previous)
            {
                let signed = format!("record {} of channel {}", record.number, record.channel);
                return Err(RecordError::Elsewhere { number, channel: channel.to_owned(), signed });
            }
            Summary::open(&record.summary, trusted, record.image, Some(channel))
                .map_err(|why| RecordError::Summary { number, channel: channel.to_owned(), why })?;
            records.push(record);
            follows = Some(Digest::of(text));
        }
        Ok(records)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Action, Record};
    use crate::{
        gate::{Policy, SigningKey, Summary},
        image::Digest,
    };

    const AT: Timestamp = Timestamp::UNIX_EPOCH;

    struct Channel {
        key: SigningKey,
        texts: Vec<Vec<u8>>,
        previous: Option<Digest>,
    }

    impl Channel {
        fn new() -> Self {
            Self { key: SigningKey::generate().unwrap(), texts: Vec::new(), previous: None }
        }

        fn add(&mut self, channel: &str, image: Digest, decided_for: &str) {
            let text =
                format!("[trust]\nkeys = [\"{}\"]\n[[require]]\nexpectation = \"x\"\n", self.key.public().line());
            let policy = Policy::parse("p.toml", &text).unwrap();
            let summary = Summary::sign(("golden", image), decided_for, &policy, &[], (AT, &self.key)).unwrap();
            let record = Record {
                number: self.texts.len() as u64 + 1,
                channel: channel.to_owned(),
                action: Action::Promote,
                image,
                name: "golden".to_owned(),
                previous: self.previous,
                follows: self.texts.last().map(|text| Digest::of(text)),
                reason: "r".to_owned(),
                at: AT,
                summary,
            };
            self.texts.push(record.sign(&self.key).unwrap());
            self.previous = Some(image);
        }

        fn why(&self) -> String {
            Record::open_all("stable", &self.texts, &[self.key.public()]).unwrap_err().to_string()
        }
    }

    fn two() -> Channel {
        let mut channel = Channel::new();
        channel.add("stable", Digest::of(b"one"), "stable");
        channel.add("stable", Digest::of(b"two"), "stable");
        channel
    }

    #[test]
    fn a_channel_is_read_in_order() {
        let channel = two();
        let records = Record::open_all("stable", &channel.texts, &[channel.key.public()]).unwrap();
        assert_eq!(records[1].previous, Some(Digest::of(b"one")));
        assert_eq!(records.last().unwrap().image, Digest::of(b"two"));
        assert!(Record::open_all("stable", &[], &[channel.key.public()]).unwrap().is_empty());
    }

    #[test]
    fn what_was_moved_replayed_or_signed_by_another_is_found() {
        let mut replayed = two();
        replayed.texts.push(replayed.texts[0].clone());
        assert!(replayed.why().ends_with("it was signed as record 1 of channel stable; somebody put it there"));
        let mut swapped = two();
        swapped.texts.swap(0, 1);
        assert!(swapped.why().starts_with("record 1 of channel stable: it was signed as record 2"));
        let mut rewritten = two();
        let other = two();
        rewritten.texts[0] = other.texts[0].clone();
        assert!(rewritten.why().starts_with("record 1 of channel stable: no signature of a trusted key"));
        let mut renamed = Channel::new();
        renamed.add("edge", Digest::of(b"one"), "edge");
        assert!(renamed.why().ends_with("it was signed as record 1 of channel edge; somebody put it there"));
        let mut borrowed = Channel::new();
        borrowed.add("stable", Digest::of(b"one"), "edge");
        assert!(borrowed.why().contains("the summary is of another channel"), "{}", borrowed.why());
        let mut broken = two();
        broken.texts[1].truncate(10);
        assert!(broken.why().starts_with("record 2 of channel stable: no DSSE envelope"));
    }

    #[test]
    fn a_row_whose_first_record_was_replaced_by_the_same_key_is_found() {
        let mut channel = two();
        let mut again = Channel { key: SigningKey::generate().unwrap(), texts: Vec::new(), previous: None };
        std::mem::swap(&mut again.key, &mut channel.key);
        again.add("stable", Digest::of(b"other"), "stable");
        channel.texts[0] = again.texts[0].clone();
        std::mem::swap(&mut again.key, &mut channel.key);
        assert!(channel.why().starts_with("record 2 of channel stable: it was signed as record 2"));
    }
}
