//! `kverify gc`.

use super::said::Said;
use crate::run::{Swept, WARM_LIMIT, Warm};

/// Options of `kverify gc`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many GiB may stay.
    #[arg(long, value_name = "GIB", default_value_t = WARM_LIMIT >> 30, value_parser = clap::value_parser!(u64).range(..=1 << 20))]
    keep: u64,
}

/// Removes what is too much, and says what is left.
pub(crate) fn said(args: &Args) -> anyhow::Result<Said> {
    let Swept { gone, left, bytes } = Warm::of_user()?.sweep(args.keep << 30)?;
    Ok(Said::well(format!("{gone} captured machines removed; {left} left, {} MiB\n", bytes >> 20)))
}
