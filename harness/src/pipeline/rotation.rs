//! Which images of a store may go: never one that a channel points to, nor one that it pointed to lately.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{
    promotion::{PromotionError, records},
    shelf::{self, Manifest},
    store::Store,
};
use crate::{
    gate::{PublicKey, Record},
    image::Digest,
};

/// How much stays.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// How many of the youngest images.
    pub youngest: usize,
    /// For how long after a channel has left an image, in days.
    pub days: u32,
}

/// The images that may go, the oldest first.
///
/// # Errors
/// [`PromotionError`] where a channel cannot be believed: then nothing may go.
pub async fn removable(store: &Store, trusted: &[PublicKey], keep: Keep) -> Result<Vec<Manifest>, PromotionError> {
    let mut manifests = Vec::new();
    for key in store.list("images").await? {
        if let Some(digits) = key.strip_prefix("images/").and_then(|key| key.strip_suffix("/manifest.json")) {
            manifests.push(shelf::manifest(store, &format!("sha256:{digits}")).await?);
        }
    }
    let mut channels = Vec::new();
    for channel in store.rows().await? {
        channels.push(records(store, &channel, trusted).await?);
    }
    Ok(pick(manifests, &channels, keep, Timestamp::now()))
}

/// Removes an image and its papers. Its name stays taken, so that it never stands for another.
///
/// # Errors
/// [`PromotionError`] where the store does not do it; it can be asked again.
pub async fn remove(store: &Store, manifest: &Manifest) -> Result<(), PromotionError> {
    let folder = format!("images/{}", manifest.digest.hex());
    let own = format!("{folder}/manifest.json");
    let keys = store.list(&folder).await?;
    // The manifest last: until it is gone, what is left can be found and removed.
    for key in keys.iter().filter(|key| **key != own) {
        store.delete(key).await?;
    }
    Ok(store.delete(&own).await?)
}

fn pick(mut manifests: Vec<Manifest>, channels: &[Vec<Record>], keep: Keep, now: Timestamp) -> Vec<Manifest> {
    let lately = now.checked_sub(SignedDuration::from_hours(24 * i64::from(keep.days))).unwrap_or(Timestamp::MIN);
    let held: BTreeSet<Digest> = channels.iter().flat_map(|records| held_since(records, lately)).collect();
    manifests.sort_by_key(|manifest| manifest.stored);
    let old = manifests.len().saturating_sub(keep.youngest);
    manifests.truncate(old);
    manifests.retain(|manifest| !held.contains(&manifest.digest));
    manifests
}

/// What a channel points to, or has pointed to at some moment since then.
fn held_since(records: &[Record], since: Timestamp) -> impl Iterator<Item = Digest> {
    records.iter().enumerate().filter_map(move |(index, record)| {
        let left = records.get(index + 1).map(|next| next.at);
        left.is_none_or(|left| left >= since).then_some(record.image)
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Keep, pick};
    use crate::{
        gate::{Action, Envelope, PayloadType, Record, SigningKey},
        image::Digest,
        pipeline::shelf::Manifest,
    };

    const DAY: i64 = 86_400;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_second(day * DAY).unwrap()
    }

    fn manifest(name: &str, day: i64) -> Manifest {
        Manifest {
            name: name.to_owned(),
            file: format!("{name}.qcow2"),
            digest: Digest::of(name.as_bytes()),
            bytes: 1,
            format: "qcow2".to_owned(),
            stored: at(day),
            kverify: "0".to_owned(),
            git: None,
        }
    }

    fn record(name: &str, day: i64) -> Record {
        let summary = Envelope::sign(PayloadType::InToto, b"{}", &SigningKey::generate().unwrap());
        Record {
            number: 1,
            channel: "stable".to_owned(),
            action: Action::Promote,
            image: Digest::of(name.as_bytes()),
            name: name.to_owned(),
            previous: None,
            follows: None,
            reason: String::new(),
            at: at(day),
            summary,
        }
    }

    #[test]
    fn what_is_young_or_was_held_lately_stays() {
        let images = || ["a", "b", "c", "d", "e"].into_iter().zip(1..).map(|(name, day)| manifest(name, day)).collect();
        let names = |youngest, days, channel: &[(&str, i64)]| {
            let records = channel.iter().map(|(name, day)| record(name, *day)).collect();
            let picked = pick(images(), &[records], Keep { youngest, days }, at(100));
            picked.into_iter().map(|manifest| manifest.name).collect::<String>()
        };
        assert_eq!(names(0, 0, &[]), "abcde");
        assert_eq!(names(2, 0, &[]), "abc");
        assert_eq!(names(9, 0, &[]), "");
        assert_eq!(names(0, 0, &[("a", 10)]), "bcde", "it is what the channel points to, however old");
        assert_eq!(names(0, 30, &[("a", 10), ("b", 60)]), "acde", "left 40 days ago");
        assert_eq!(names(0, 41, &[("a", 10), ("b", 60)]), "cde");
        assert_eq!(names(0, 0, &[("a", 10), ("b", 60), ("a", 70)]), "bcde", "it came back");
    }
}
