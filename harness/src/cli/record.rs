//! `kverify record IMAGE`.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, bail};

use super::{
    account::Account,
    live::{Live, Shown},
    machine_args::MachineArgs,
    verify::interrupted,
};
use crate::run::{RecordPlan, RecordRequest, record};

/// Options of `kverify record`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The image: qcow2 or raw. It is never written.
    image: PathBuf,
    /// The cases to record (TOML); see `fixtures/recordings/plans`.
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,
    /// The folder of the recordings.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The installer medium, for facts about an image that does not run.
    #[arg(long, value_name = "ISO")]
    installer: Option<PathBuf>,
    #[command(flatten)]
    account: Account,
    #[command(flatten)]
    machine: MachineArgs,
}

/// Records, and names each file.
pub(crate) async fn run(args: &Args, shown: Shown) -> anyhow::Result<u8> {
    let named = || args.plan.display().to_string();
    let plan: RecordPlan = toml::from_str(&fs::read_to_string(&args.plan).with_context(named)?).with_context(named)?;
    let name = args.image.file_name().unwrap_or_default().display().to_string();
    let request = RecordRequest {
        image: args.image.clone(),
        spec: args.machine.spec(),
        credential: args.account.credential()?,
        installer: args.installer.clone(),
        plan,
        out: args.out.clone(),
        from: format!("{name}; kverify record, {}", jiff::Zoned::now().date()),
        scratch: args.machine.scratch(),
    };
    let live = Live::new(shown);
    let progress = |step| live.show(&step);
    let made = |path: &std::path::Path| live.say(&format!("recorded {}", path.display()));
    tokio::select! {
        recorded = record(&request, &progress, &made) => recorded?,
        name = interrupted() => bail!("interrupted by {}", name?),
    }
    Ok(0)
}
