//! `kverify lead`: what ci/lead starts for `cargo nextest run --profile images`; nobody types it.

use std::path::PathBuf;

use anyhow::Context as _;

use super::{
    account::Account,
    live::{Live, Shown},
    machine_args::MachineArgs,
    verify::interrupted,
};
use crate::{
    lead::{Leader, Watched},
    matrix::{Fetched, Matrix, Order, Step},
};

/// Options of `kverify lead`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The matrix.
    #[arg(long, value_name = "FILE")]
    matrix: PathBuf,
    /// The process that the leader ends with.
    #[arg(long, value_name = "PID")]
    watch: i32,
    /// Where the reports go.
    #[arg(long, value_name = "DIR", default_value = "kverify-out/images")]
    out: PathBuf,
    #[command(flatten)]
    account: Account,
    #[command(flatten)]
    machine: MachineArgs,
}

/// Says where it is asked, as its only line on standard output, and answers until the watched process ends.
pub(crate) async fn run(args: &Args, shown: Shown) -> anyhow::Result<u8> {
    let watched = Watched::open(args.watch).with_context(|| format!("--watch {}", args.watch))?;
    let leader = Leader::open(Order {
        matrix: Matrix::read(&args.matrix)?,
        out: args.out.clone(),
        spec: args.machine.spec(),
        credential: args.account.credential()?,
        scratch: args.machine.scratch(),
        fetched: Fetched::default(),
    })?;
    super::print(&format!("{}\n", leader.socket().display()));
    let live = Live::lines(shown);
    let step = |step| match step {
        Step::Said(words) => live.say(&words),
        Step::Run { progress, .. } => live.show(&progress),
    };
    tokio::select! {
        led = leader.lead(&step) => led?,
        gone = watched.gone() => gone?,
        name = interrupted() => { name?; }
    }
    Ok(0)
}
