//! Whether a step has to be done, and why.

use std::{fmt, path::PathBuf};

use super::step::StepName;
use crate::{
    gate::{Action, Policy, Record, Resource, Summary},
    image::Digest,
    pipeline::{
        journal::{Entry, Standing},
        promotion,
        store::Store,
    },
};

/// Why a step has to be done.
pub(super) enum Due {
    Never,
    Asked,
    OtherInputs,
    Gone(PathBuf),
    Changed(PathBuf),
    /// The policy takes no evidence that is so many days old.
    TooOld(u32),
    NotInStore,
    NotInChannel,
    /// An earlier step will be done.
    After(StepName),
}

/// Whether a step has to be done.
pub(super) enum Need {
    Done(String),
    Due(Due),
}

impl Need {
    /// What the journal says of a step, if nobody asked for it to be done again.
    pub(super) fn of(standing: Standing) -> Self {
        match standing {
            Standing::Never => Self::Due(Due::Never),
            Standing::OtherInputs => Self::Due(Due::OtherInputs),
            Standing::Gone(path) => Self::Due(Due::Gone(path)),
            Standing::Changed(path) => Self::Due(Due::Changed(path)),
            Standing::Good(Entry { ended, seconds, .. }) => {
                Self::Done(format!("done {}, in {seconds:.0} s", ended.strftime("%Y-%m-%d %H:%M UTC")))
            }
        }
    }
}

/// Whether the gate has let an image into a channel by this policy, and where the channel is now.
pub(super) async fn held(
    store: &Store,
    channel: &str,
    policy: &Policy,
    image: Digest,
) -> anyhow::Result<Option<String>> {
    let records = promotion::records(store, channel, &policy.trusted).await?;
    let by_this = |record: &&Record| {
        let summary = Summary::open(&record.summary, &policy.trusted, image, Some(channel));
        let this = Resource::named(&policy.name, policy.digest);
        record.action == Action::Promote && record.image == image && summary.is_ok_and(|one| one.policy == this)
    };
    let (Some(record), Some(last)) = (records.iter().rev().find(by_this), records.last()) else { return Ok(None) };
    let done = format!("{channel} {}, {}", record.number, record.at.strftime("%Y-%m-%d %H:%M UTC"));
    Ok(Some(if last.image == image {
        done
    } else {
        let Record { number, name, .. } = last;
        format!("{done}; since then the channel has gone to {name} ({channel} {number}), which stays")
    }))
}

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("not done yet"),
            Self::Asked => f.write_str("as asked"),
            Self::OtherInputs => f.write_str("it was done with other inputs"),
            Self::Gone(path) => write!(f, "{} has gone", path.display()),
            Self::Changed(path) => write!(f, "{} was changed", path.display()),
            Self::TooOld(days) => write!(f, "the policy takes no evidence older than {days} days"),
            Self::NotInStore => f.write_str("the store does not have it"),
            Self::NotInChannel => f.write_str("the channel has not held it by this policy"),
            Self::After(first) => write!(f, "after {first}"),
        }
    }
}
