//! `kverify promote`, `rollback` and `revoke`: what moves a channel, and what keeps an image from it.

use std::{fmt::Write as _, path::PathBuf};

use super::{attest::read_policy, said::Said, store::At};
use crate::{
    gate::{Policy, Record, SigningKey},
    pipeline::promotion::{self, Order, Promotion, PromotionError},
};

/// Options of `kverify promote`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The image: its digest, or its name in the store.
    image: String,
    #[command(flatten)]
    order: OrderArgs,
}

/// Options of `kverify rollback`.
#[derive(Debug, clap::Args)]
pub(crate) struct RollbackArgs {
    /// The image to go back to, by digest or name [default: the one before the present].
    #[arg(long, value_name = "DIGEST|NAME")]
    to: Option<String>,
    #[command(flatten)]
    order: OrderArgs,
}

/// Options of `kverify revoke`.
#[derive(Debug, clap::Args)]
pub(crate) struct RevokeArgs {
    /// The image: its digest, or its name in the store.
    image: String,
    #[command(flatten)]
    store: At,
    #[command(flatten)]
    signed: Signed,
}

#[derive(Debug, clap::Args)]
struct OrderArgs {
    /// The channel.
    #[arg(long)]
    channel: String,
    #[command(flatten)]
    store: At,
    /// What the channel demands, and whose keys are trusted.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    #[command(flatten)]
    signed: Signed,
}

#[derive(Debug, clap::Args)]
struct Signed {
    /// The private key that signs [default: the text in `KVERIFY_KEY`].
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Why; it is signed too.
    #[arg(long, value_name = "TEXT")]
    why: String,
}

impl Args {
    /// What the decision needs: the channel, its policy, and the key that signs.
    pub(crate) fn read(&self) -> anyhow::Result<(&str, Policy, SigningKey)> {
        let (policy, key) = self.order.read()?;
        Ok((&self.order.channel, policy, key))
    }
}

impl OrderArgs {
    fn read(&self) -> anyhow::Result<(Policy, SigningKey)> {
        Ok((read_policy(&self.policy)?, SigningKey::find(self.signed.key.as_deref())?))
    }

    fn order<'a>(&'a self, policy: &'a Policy, key: &'a SigningKey) -> Order<'a> {
        Order { channel: &self.channel, policy, key, reason: &self.signed.why }
    }
}

/// Promotes, or says what is missing.
pub(crate) async fn promoted(args: &Args) -> anyhow::Result<Said> {
    let (policy, key) = args.order.read()?;
    let order = args.order.order(&policy, &key);
    Ok(match promotion::promote(&args.order.store.open()?, &args.image, &order).await? {
        Promotion::Done(record) => Said::well(moved(&record)),
        Promotion::Refused { missing, ignored } => {
            let mut text = format!("not promoted: {} to {}\n", args.image, order.channel);
            for missing in missing {
                let _ = writeln!(text, "  {}", missing.what);
                if let Some(bring) = missing.bring {
                    let _ = writeln!(text, "    bring it: {bring}");
                }
            }
            for ignored in ignored {
                let _ = writeln!(text, "  does not count: {ignored}");
            }
            Said { text, code: 1 }
        }
    })
}

/// Rolls back.
pub(crate) async fn rolled_back(args: &RollbackArgs) -> anyhow::Result<Said> {
    let (policy, key) = args.order.read()?;
    let order = args.order.order(&policy, &key);
    let done = promotion::rollback(&args.order.store.open()?, args.to.as_deref(), &order).await;
    refusable(done.map(|record| moved(&record)))
}

/// Revokes.
pub(crate) async fn revoked(args: &RevokeArgs) -> anyhow::Result<Said> {
    let key = SigningKey::find(args.signed.key.as_deref())?;
    let done = promotion::revoke(&args.store.open()?, &args.image, &args.signed.why, &key).await;
    refusable(done.map(|manifest| format!("revoked: {} {}\n", manifest.name, manifest.digest)))
}

/// What the gate or the channel refuses is an answer; what could not be done is an error.
fn refusable(done: Result<String, PromotionError>) -> anyhow::Result<Said> {
    match done {
        Ok(text) => Ok(Said::well(text)),
        Err(
            why
            @ (PromotionError::NeverHeld { .. } | PromotionError::NothingBefore(_) | PromotionError::Revoked { .. }),
        ) => Ok(Said { text: format!("refused: {why}\n"), code: 1 }),
        Err(error) => Err(error.into()),
    }
}

fn moved(record: &Record) -> String {
    let Record { channel, number, name, image, previous, .. } = record;
    let before = previous.map_or_else(|| "nothing".to_owned(), |previous| previous.to_string());
    format!("{channel} {number}: {name}\n  image   {image}\n  before  {before}\n")
}
