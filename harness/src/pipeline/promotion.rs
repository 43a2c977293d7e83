//! Moving channels: forward through the gate, back to what they held, and nothing without a signed record.

use jiff::Timestamp;

use super::{
    shelf::{self, Manifest, ShelfError, revocation_key},
    store::{Creation, Store, StoreError},
};
use crate::{
    gate::{
        Action, Case, Decision, Envelope, Missing, Policy, PublicKey, Record, RecordError, Revocation, SigningKey,
        Summary, SummaryError, decide,
    },
    image::Digest,
};

/// Why a channel did not move.
#[derive(Debug, thiserror::Error)]
pub enum PromotionError {
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The image or its papers cannot be read.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// The channel's records are not believed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The decision cannot be signed.
    #[error(transparent)]
    Summary(#[from] SummaryError),
    /// A record cannot be written.
    #[error("a record cannot be written: {0}")]
    Write(#[from] serde_json::Error),
    /// The store lets two create one key.
    #[error(
        "store {0}: it lets a second writer replace what the first has just created, so two promotions at once could \
         both be told that they won; use a store that keeps create-if-absent"
    )]
    NoPromise(String),
    /// Nobody would believe what this key signs.
    #[error("the key {key} is not among those that policy {policy} trusts: {trusted}")]
    Untrusted {
        /// Its fingerprint.
        key: String,
        /// The policy.
        policy: String,
        /// Those that are.
        trusted: String,
    },
    /// The channel has never held it.
    #[error("channel {channel} has never held {image}; kverify promote brings an image in")]
    NeverHeld {
        /// The channel.
        channel: String,
        /// The image.
        image: String,
    },
    /// The channel has held nothing before.
    #[error("channel {0} has held nothing before")]
    NothingBefore(String),
    /// The image was revoked.
    #[error("{image} was revoked: {why}")]
    Revoked {
        /// The image.
        image: String,
        /// Why.
        why: String,
    },
}

/// What became of a promotion.
pub enum Promotion {
    /// The channel points to the image.
    Done(Box<Record>),
    /// The gate is closed.
    Refused {
        /// What is missing.
        missing: Vec<Missing>,
        /// Papers that are there and do not count.
        ignored: Vec<String>,
    },
}

/// Who moves a channel, and why.
pub struct Order<'a> {
    /// The channel.
    pub channel: &'a str,
    /// What it demands, and whom it trusts.
    pub policy: &'a Policy,
    /// The key that signs.
    pub key: &'a SigningKey,
    /// Why.
    pub reason: &'a str,
}

/// Lets the gate decide about an image of the store, and points the channel to it if it may.
///
/// # Errors
/// [`PromotionError`] where nothing could be decided or written; the channel is then as it was.
pub async fn promote(store: &Store, what: &str, order: &Order<'_>) -> Result<Promotion, PromotionError> {
    may_write(store, order).await?;
    let trusted = &order.policy.trusted;
    let manifest = shelf::manifest(store, what).await?;
    let (evidence, mut ignored) = shelf::evidence(store, manifest.digest, trusted).await?;
    let (exports, others) = shelf::exports(store, manifest.digest, trusted).await?;
    ignored.extend(others);
    let revoked = shelf::revoked(store, manifest.digest, trusted).await?;
    let now = Timestamp::now();
    let (digest, revoked) = (manifest.digest, revoked.as_deref());
    let case = Case { digest, evidence: &evidence, exports: &exports, revoked, now };
    if let Decision::Refuse(missing) = decide(order.policy, &case) {
        return Ok(Promotion::Refused { missing, ignored });
    }
    let subject = (manifest.name.as_str(), manifest.digest);
    let summary = Summary::sign(subject, order.channel, order.policy, &evidence, (now, order.key))?;
    shelf::put_summary(store, &manifest, order.channel, &summary, order.key).await?;
    let step = Step { action: Action::Promote, image: manifest.digest, name: manifest.name, summary };
    Ok(Promotion::Done(Box::new(append(store, order, step).await?)))
}

/// Points the channel back to an image that it has held: `what`, or the one before the present.
///
/// # Errors
/// [`PromotionError`] says why not; the channel is then as it was.
pub async fn rollback(store: &Store, what: Option<&str>, order: &Order<'_>) -> Result<Record, PromotionError> {
    may_write(store, order).await?;
    let channel = order.channel.to_owned();
    let records = records(store, order.channel, &order.policy.trusted).await?;
    let now = records.last().map(|record| record.image);
    let held = match what {
        None => records.iter().rev().find(|record| Some(record.image) != now),
        Some(what) => {
            let image = shelf::manifest(store, what).await?.digest;
            records.iter().rev().find(|record| record.image == image)
        }
    };
    let held = held.cloned().ok_or_else(|| match what {
        None => PromotionError::NothingBefore(channel.clone()),
        Some(what) => PromotionError::NeverHeld { channel: channel.clone(), image: what.to_owned() },
    })?;
    if let Some(why) = shelf::revoked(store, held.image, &order.policy.trusted).await? {
        return Err(PromotionError::Revoked { image: held.name, why });
    }
    let Record { image, name, summary, .. } = held;
    append(store, order, Step { action: Action::Rollback, image, name, summary }).await
}

/// Says of an image that it may no longer be promoted or fetched.
///
/// # Errors
/// [`PromotionError`] says why not.
pub async fn revoke(store: &Store, what: &str, why: &str, key: &SigningKey) -> Result<Manifest, PromotionError> {
    let manifest = shelf::manifest(store, what).await?;
    let revocation = Revocation { image: manifest.digest, why: why.to_owned(), at: Timestamp::now() };
    match store.create(&revocation_key(manifest.digest), &revocation.sign(key)?).await? {
        Creation::Created => Ok(manifest),
        Creation::AlreadyThere(text) => {
            let why = Revocation::reason(&text, manifest.digest, &[key.public()]);
            Err(PromotionError::Revoked { image: manifest.name, why })
        }
    }
}

/// The records of a channel, each signed by a trusted key and following the one before.
///
/// # Errors
/// [`PromotionError`] where one is missing or not believed.
pub async fn records(store: &Store, channel: &str, trusted: &[PublicKey]) -> Result<Vec<Record>, PromotionError> {
    Ok(Record::open_all(channel, &store.records(channel).await?, trusted)?)
}

/// Makes sure, before anything is decided, that a record written here would be believed and stay the only one.
async fn may_write(store: &Store, order: &Order<'_>) -> Result<(), PromotionError> {
    let (policy, public) = (order.policy, order.key.public());
    if !policy.trusted.contains(&public) {
        let trusted: Vec<_> = policy.trusted.iter().map(PublicKey::fingerprint).collect();
        let (key, policy) = (public.fingerprint(), policy.name.clone());
        return Err(PromotionError::Untrusted { key, policy, trusted: trusted.join(", ") });
    }
    if !store.keeps_the_first().await? {
        return Err(PromotionError::NoPromise(store.to_string()));
    }
    Ok(())
}

/// What a record says besides its place in the channel.
struct Step {
    action: Action,
    image: Digest,
    name: String,
    summary: Envelope,
}

/// Why a record was not written at once.
enum Attempt {
    /// Another was written meanwhile.
    Raced,
    Failed(PromotionError),
}

impl From<StoreError> for Attempt {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// Writes the channel's next record, on top of records that are all believed.
async fn append(store: &Store, order: &Order<'_>, step: Step) -> Result<Record, PromotionError> {
    let Step { action, image, name, summary } = step;
    let mut record = Record {
        number: 0,
        channel: order.channel.to_owned(),
        action,
        image,
        name,
        previous: None,
        follows: None,
        reason: order.reason.to_owned(),
        at: Timestamp::now(),
        summary,
    };
    loop {
        let before = store.records(order.channel).await?;
        let believed = Record::open_all(order.channel, &before, &order.policy.trusted)?;
        record.previous = believed.last().map(|record| record.image);
        record.follows = before.last().map(|text| Digest::of(text));
        let appended = store.append(order.channel, |number, latest| {
            if latest.map(Digest::of) != record.follows {
                return Err(Attempt::Raced);
            }
            record.number = number;
            record.sign(order.key).map_err(|error| Attempt::Failed(error.into()))
        });
        match appended.await {
            Ok(_) => return Ok(record),
            // Each lost race is a record of somebody else's, so this ends.
            Err(Attempt::Raced) => {}
            Err(Attempt::Failed(error)) => return Err(error),
        }
    }
}
