//! `kverify build ANSWERS`.

use std::path::PathBuf;

use anyhow::bail;
use clap::ValueEnum;
use regex::Regex;

use super::{
    live::{Live, Shown},
    machine_args::MachineArgs,
    verify::interrupted,
};
use crate::pipeline::{BuildRequest, Done, build};

const GIB: u64 = 1 << 30;

/// Options of `kverify build`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The answers to the installer's questions: KEY=value lines.
    answers: PathBuf,
    /// The installer medium.
    #[arg(long, value_name = "ISO")]
    installer: PathBuf,
    /// Where the image goes; nothing may be there yet.
    #[arg(long, value_name = "IMAGE")]
    out: PathBuf,
    /// Size of the image's disk in GiB.
    #[arg(long, value_name = "GIB", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=16_384))]
    disk: u64,
    /// How the installer says that it is done.
    #[arg(long, value_name = "HOW", default_value = "poweroff")]
    done: DoneArg,
    /// What the console must have said by then.
    #[arg(long, value_name = "REGEX")]
    done_pattern: Option<Regex>,
    /// Where the serial console goes, whatever becomes of the build.
    #[arg(long, value_name = "FILE")]
    serial_log: Option<PathBuf>,
    #[command(flatten)]
    machine: MachineArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DoneArg {
    Poweroff,
    Reboot,
}

/// Builds, and says where the image is.
pub(crate) async fn run(args: &Args, shown: Shown) -> anyhow::Result<u8> {
    let request = BuildRequest {
        answers: args.answers.clone(),
        installer: args.installer.clone(),
        out: args.out.clone(),
        disk_bytes: args.disk * GIB,
        spec: args.machine.spec(),
        done: match args.done {
            DoneArg::Poweroff => Done::Poweroff,
            DoneArg::Reboot => Done::Reboot,
        },
        done_pattern: args.done_pattern.clone(),
        serial_log: args.serial_log.clone(),
    };
    let live = Live::new(shown);
    let progress = |step| live.show(&step);
    let took = tokio::select! {
        took = build(&request, &progress) => took?,
        name = interrupted() => bail!("interrupted by {}; nothing is left at {}", name?, request.out.display()),
    };
    drop(live);
    if !shown.quiet {
        super::print(&format!("built {} in {:.0} s\n", request.out.display(), took.as_secs_f64()));
    }
    Ok(0)
}
