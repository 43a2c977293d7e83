//! `kverify verify IMAGE`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};

use super::{
    account::Account,
    live::{Live, Shown},
    machine_args::MachineArgs,
    scenarios::Scenarios,
};
use crate::{
    gate::Waivers,
    report::{Conclusion, Files, Folder, table},
    run::{Filter, Request, verify},
};

/// Options of `kverify verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The image: qcow2 or raw. It is never written.
    image: PathBuf,
    /// What it is expected to be: the name of a built-in expectation or a file [default: what the guest says it is].
    #[arg(long, value_name = "NAME|FILE")]
    expect: Option<String>,
    /// Where the report goes [default: kverify-out/<image name>].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Run only these checks: IDs or globs such as `zfs.*`.
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    only: Vec<String>,
    /// Leave these checks out: IDs or globs.
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    skip: Vec<String>,
    /// The image is sealed: prove it. Its disk is walked without booting it, and two machines are made of it.
    #[arg(long, requires = "installer", conflicts_with_all = ["ssh_user", "warm"])]
    sealed: bool,
    /// The installer medium, whose kernel walks the disk of a sealed image.
    #[arg(long, value_name = "ISO", requires = "sealed")]
    installer: Option<PathBuf>,
    /// Fork the machine that an earlier run captured instead of booting, and keep this one's for the next.
    #[arg(long)]
    warm: bool,
    /// Play these scenarios: none, all, or names (`kverify scenarios` lists them).
    #[arg(long, value_name = "NAME,…", default_value = "none")]
    scenarios: Scenarios,
    /// Let the failures pass that this file's `[[waiver]]` tables name.
    #[arg(long, value_name = "FILE")]
    waivers: Option<PathBuf>,
    #[command(flatten)]
    account: Account,
    #[command(flatten)]
    machine: MachineArgs,
}

/// Verifies, writes the report, prints the table, and gives the exit status.
pub(crate) async fn run(args: &Args, shown: Shown) -> anyhow::Result<u8> {
    let request = Request {
        image: args.image.clone(),
        spec: args.machine.spec(),
        credential: args.account.credential()?,
        expect: args.expect.clone(),
        filter: Filter::new(&args.only, &args.skip)?,
        sealed: args.installer.clone(),
        warm: args.warm,
        scenarios: args.scenarios.0.clone(),
        waivers: args.waivers.as_deref().map(waivers).transpose()?.unwrap_or_default(),
        scratch: args.machine.scratch(),
    };
    let folder = Folder::prepare(&out(args))?;
    let live = Live::new(shown);
    let progress = |step| live.show(&step);
    let run = tokio::select! {
        run = verify(&request, &progress) => run?,
        name = interrupted() => bail!("interrupted by {}", name?),
    };
    drop(live);
    let files = Files {
        report: &run.report,
        console: &run.console,
        evidence: &run.answers,
        sbom: run.sbom.as_deref(),
        screenshot: run.screenshot.as_deref(),
    };
    let written = folder.write(&files);
    // A report that cannot be kept was still paid for with a boot: it is shown, and a refutation stays one.
    super::print(&table(&run.report, &shown.style(written.as_ref().ok().cloned())));
    match written {
        Err(error) if run.report.verdict == Conclusion::Refuted => super::complain(&error.into()),
        written => drop(written?),
    }
    Ok(run.report.verdict.exit_code())
}

/// The waivers of a file.
fn waivers(path: &Path) -> anyhow::Result<Waivers> {
    let text = std::fs::read_to_string(path).with_context(|| format!("waivers {}", path.display()))?;
    Waivers::parse(&text).with_context(|| format!("waivers {}", path.display()))
}

fn out(args: &Args) -> PathBuf {
    let name = args.image.file_name().map_or_else(|| "image".into(), PathBuf::from);
    args.out.clone().unwrap_or_else(|| PathBuf::from("kverify-out").join(name.with_extension("")))
}

/// Waits for a signal that asks to end, and gives its name.
pub(crate) async fn interrupted() -> std::io::Result<&'static str> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    })
}
