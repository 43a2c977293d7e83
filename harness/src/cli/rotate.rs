//! `kverify rotate`.

use std::{fmt::Write as _, path::PathBuf};

use super::{attest::trusted, said::Said, store::At};
use crate::pipeline::rotation::{Keep, removable, remove};

/// Options of `kverify rotate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    store: At,
    /// A public key whose records are believed: a `.pub` file.
    #[arg(long, value_name = "FILE", required_unless_present = "policy")]
    trust: Vec<PathBuf>,
    /// A policy, whose keys are trusted.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// How many of the youngest images stay, whatever points to them.
    #[arg(long, value_name = "N", default_value_t = 5)]
    keep: usize,
    /// For how many days an image stays that a channel has left.
    #[arg(long, value_name = "N", default_value_t = 30)]
    days: u32,
    /// Remove them; without this they are only named.
    #[arg(long)]
    delete: bool,
}

/// Names what may go, or removes it.
pub(crate) async fn said(args: &Args) -> anyhow::Result<Said> {
    let store = args.store.open()?;
    let trusted = trusted(&args.trust, args.policy.as_deref())?;
    let keep = Keep { youngest: args.keep, days: args.days };
    let mut text = String::new();
    let manifests = removable(&store, &trusted, keep).await?;
    for manifest in &manifests {
        if args.delete {
            remove(&store, manifest).await?;
        }
        let does = if args.delete { "removed" } else { "would remove" };
        let _ = writeln!(text, "{does} {} {} ({} MiB)", manifest.name, manifest.digest, manifest.bytes >> 20);
    }
    if manifests.is_empty() {
        text.push_str("nothing to remove\n");
    } else if !args.delete {
        text.push_str("nothing was removed; --delete does it\n");
    }
    Ok(Said::well(text))
}
