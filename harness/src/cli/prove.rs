//! `kverify prove IMAGE`: does the catalogue notice what it is there for?

mod page;

use std::path::PathBuf;

use anyhow::bail;
use kverify_checks::fault::{At, Fault};

use super::{
    live::{Live, Shown},
    machine_args::MachineArgs,
    verify::interrupted,
    whole::write_json,
};
use crate::{
    faults::{Shard, chosen, faults},
    run::{ProveRequest, Tried, Twin, prove, twins},
};

/// Options of `kverify prove`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The image: qcow2 or raw. It is never written.
    #[arg(required_unless_present = "list")]
    image: Option<PathBuf>,
    /// What it is expected to be: the name of a built-in expectation or a file [default: what the guest says it is].
    #[arg(long, value_name = "NAME|FILE")]
    expect: Option<String>,
    /// Try the faults of this folder (NAME.toml each) instead of those that are built in.
    #[arg(long, value_name = "DIR")]
    faults: Option<PathBuf>,
    /// Try only these: names of faults, or of checks that they have to make fail, or globs such as `zfs.*`.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    only: Vec<String>,
    /// Try the K-th of N parts.
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
    /// Try these as well, whatever the shard.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    also: Vec<String>,
    /// Also verify so many untouched machines, each of other hardware and with another clock: all must be well.
    #[arg(long, value_name = "N", default_value_t = 0)]
    twins: usize,
    /// Ask so many untouched forks everything: all must be well.
    #[arg(long, value_name = "N", default_value_t = 1)]
    untouched: usize,
    /// The image is sealed: try the faults of sealed disks, from a rescue system beside the disk.
    #[arg(long, requires = "installer", requires = "expect", conflicts_with = "twins")]
    sealed: bool,
    /// The installer medium, whose kernel is the rescue system's.
    #[arg(long, value_name = "ISO", requires = "sealed")]
    installer: Option<PathBuf>,
    /// Try no fault, only what `--twins` and `--untouched` say.
    #[arg(long, conflicts_with_all = ["only", "shard", "also"])]
    no_faults: bool,
    /// Only list the faults, with the checks that have to notice them.
    #[arg(long)]
    list: bool,
    /// Write what came of it, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    machine: MachineArgs,
}

/// Tries the faults, prints the table, and gives the exit status.
pub(crate) async fn run(args: &Args, shown: Shown) -> anyhow::Result<u8> {
    let faults = chosen_faults(args)?;
    let style = shown.style(None);
    let Some(image) = args.image.as_ref().filter(|_| !args.list) else {
        super::print(&page::listed(&faults, &style));
        return Ok(0);
    };
    let request = ProveRequest {
        image: image.clone(),
        spec: args.machine.spec(),
        expect: args.expect.clone(),
        faults,
        untouched: args.untouched,
        sealed: args.installer.clone(),
        scratch: args.machine.scratch(),
    };
    let live = Live::new(shown);
    let progress = |step| live.show(&step);
    let told = |tried: &Tried| live.say(&page::line(tried));
    let proven = async {
        let mut proof = prove(&request, &progress, &told).await?;
        let twin = |twin: &Twin| live.say(&page::twin(twin));
        Box::pin(twins(&request, args.twins, &mut proof, &progress, &twin)).await?;
        anyhow::Ok(proof)
    };
    let proof = tokio::select! {
        proof = proven => proof?,
        name = interrupted() => bail!("interrupted by {}", name?),
    };
    drop(live);
    super::print(&page::table(&proof, &style));
    if let Some(path) = &args.json {
        write_json(path, &proof)?;
    }
    Ok(proof.exit_code())
}

fn chosen_faults(args: &Args) -> anyhow::Result<Vec<Fault>> {
    if args.no_faults {
        return Ok(Vec::new());
    }
    // Who names none means those that this image can show.
    let fit = |fault: &Fault| args.list || (fault.at == At::Sealed) == args.sealed;
    Ok(chosen(&faults(args.faults.as_deref())?, fit, &args.only, args.shard, &args.also)?)
}
