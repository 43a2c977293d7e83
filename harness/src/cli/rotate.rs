//! `kverify rotate`.

use std::fmt::Write as _;

use super::{said::Said, store::At, trust::Trust};
use crate::pipeline::rotation::{Keep, removable, remove};

/// Options of `kverify rotate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    store: At,
    #[command(flatten)]
    trust: Trust,
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
    let trusted = args.trust.keys()?;
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
