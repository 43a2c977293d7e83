//! `kverify seal IMAGE`.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use anyhow::bail;
use clap::ValueEnum;

use super::{
    account::Account,
    given,
    live::{Live, Shown},
    machine_args::MachineArgs,
    verify::interrupted,
    whole::write_json,
};
use crate::pipeline::{Scrub, SealRequest, Sealed, Snapshots, seal};

/// The longest script of extra steps, in bytes.
const LONGEST_STEPS: u64 = 256 * 1024;
const MIB: u64 = 1 << 20;

/// Options of `kverify seal`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The image: qcow2 or raw, its root on ZFS. It is never written.
    image: PathBuf,
    /// The installer medium: its kernel finishes what the image's own system cannot.
    #[arg(long, value_name = "ISO")]
    installer: PathBuf,
    /// Where the sealed image goes; nothing may be there yet.
    #[arg(long, value_name = "SEALED")]
    out: PathBuf,
    /// What becomes of snapshots, which still hold what is removed: destroyed and taken again, destroyed, or kept.
    #[arg(long, value_name = "HOW", default_value = "renew")]
    snapshots: SnapshotsArg,
    /// Leave the passwords of the image's accounts as they are; without, each account's is locked.
    #[arg(long)]
    keep_passwords: bool,
    /// A shell script that root runs in the system once it is sealed; it has to end with 0.
    #[arg(long, value_name = "FILE")]
    steps: Option<PathBuf>,
    /// Where a record of what was done goes.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Do not remove what the image's own system leaves.
    #[arg(long, hide = true)]
    no_sweep: bool,
    /// What becomes of free blocks; with `not`, what was deleted can be read in the sealed image.
    #[arg(long, value_name = "HOW", default_value = "copy", hide = true)]
    scrub: ScrubArg,
    #[command(flatten)]
    account: Account,
    #[command(flatten)]
    machine: MachineArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SnapshotsArg {
    Renew,
    Destroy,
    Keep,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ScrubArg {
    Copy,
    Not,
}

/// Seals, and says what was done.
pub(crate) async fn run(args: &Args, shown: Shown) -> anyhow::Result<u8> {
    let request = SealRequest {
        image: args.image.clone(),
        installer: args.installer.clone(),
        out: args.out.clone(),
        snapshots: match args.snapshots {
            SnapshotsArg::Renew => Snapshots::Renew,
            SnapshotsArg::Destroy => Snapshots::Destroy,
            SnapshotsArg::Keep => Snapshots::Keep,
        },
        steps: args.steps.as_deref().map(steps).transpose()?,
        keep_passwords: args.keep_passwords,
        sweep: !args.no_sweep,
        scrub: match args.scrub {
            ScrubArg::Copy => Scrub::Copy,
            ScrubArg::Not => Scrub::Not,
        },
        credential: args.account.credential()?,
        spec: args.machine.spec(),
        scratch: args.machine.scratch(),
    };
    let live = Live::new(shown);
    let progress = |step| live.show(&step);
    let sealed = tokio::select! {
        sealed = seal(&request, &progress) => sealed?,
        name = interrupted() => bail!("interrupted by {}; nothing is left at {}", name?, request.out.display()),
    };
    drop(live);
    if let Some(path) = &args.json {
        write_json(path, &sealed)?;
    }
    super::print(&said(&sealed, shown));
    Ok(0)
}

fn steps(path: &Path) -> anyhow::Result<(String, String)> {
    let named = path.display().to_string();
    let text = given::text(path, &named, "script of steps", LONGEST_STEPS)?;
    Ok((named, text))
}

fn said(sealed: &Sealed, shown: Shown) -> String {
    let mut text = format!("sealed {} as {}\n", sealed.image, sealed.out);
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<10}{value}");
    };
    if shown.quiet {
        return text;
    }
    let by = sealed.steps.as_ref().map_or_else(String::new, |steps| format!(", then the steps of {steps}"));
    row("by", format!("{}{by}", sealed.sealed_by));
    if shown.verbose {
        sealed.removed.iter().for_each(|what| row("removed", what.clone()));
        sealed.emptied.iter().for_each(|what| row("emptied", what.clone()));
    } else {
        row(
            "removed",
            format!("{} more once it was off, {} files emptied", sealed.removed.len(), sealed.emptied.len()),
        );
    }
    let counts = [("renewed", &sealed.renewed), ("destroyed", &sealed.destroyed), ("kept", &sealed.kept)];
    let counts: Vec<_> = counts.iter().filter(|(_, names)| !names.is_empty()).collect();
    let counts: Vec<_> = counts.iter().map(|(what, names)| format!("{} {what}", names.len())).collect();
    row("snapshots", if counts.is_empty() { "none".to_owned() } else { counts.join(", ") });
    if !sealed.scrubbed {
        row("warning", "free blocks were left: what was deleted can be read".to_owned());
    }
    for left in &sealed.left {
        row("left", left.clone());
    }
    let (allocated, held) = (sealed.allocated_bytes / MIB, sealed.held_bytes() / MIB);
    let over = sealed.over_percent();
    row("size", format!("{allocated} MiB, {over:.1} % over the {held} MiB that pools and EFI partition hold"));
    let stages: Vec<_> = sealed.stages.iter().map(|(name, seconds)| format!("{name} {seconds:.1}")).collect();
    let all: f64 = sealed.stages.iter().map(|(_, seconds)| seconds).sum();
    row("seconds", format!("{}; in all {all:.1}", stages.join(", ")));
    text
}
