//! `kverify build ANSWERS`.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::ValueEnum;
use regex::Regex;

use super::{
    live::{Live, Shown},
    machine_args::MachineArgs,
    verify::interrupted,
};
use crate::{
    image::Seed,
    machine::{Keys, Typist},
    pipeline::{BuildRequest, CommandRequest, Done, build, build_by},
};

const GIB: u64 = 1 << 30;

/// Options of `kverify build`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The answers to the installer's questions: KEY=value lines.
    #[arg(required_unless_present = "command")]
    answers: Option<PathBuf>,
    /// The installer medium.
    #[arg(long, value_name = "ISO", required_unless_present = "command")]
    installer: Option<PathBuf>,
    /// Build by a command of your own instead, as `packer build …`, which leaves the image at `$KVERIFY_OUT`; it has
    /// `$KVERIFY_DEADLINE` seconds, and is ended with its process group.
    #[arg(long, value_name = "COMMAND", conflicts_with_all = ["answers", "done_pattern"])]
    command: Option<String>,
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
    /// What is typed to the machine, as in Packer's `boot_command`: `e<end> console=tty0<enter><wait20s>`; and
    /// `<until "TEXT">` waits until the serial console says so. Several are typed one after the other.
    #[arg(long, value_name = "KEYS", conflicts_with = "command")]
    boot_command: Vec<Keys>,
    /// Where it is typed: on the keyboard, or on the terminal of the serial console (QEMU 8.2 or later).
    #[arg(long, value_name = "WHERE", default_value = "keyboard", requires = "boot_command")]
    type_on: TypeArg,
    /// The label of the volume that the answers are on, as `answers.env`; an installer that goes by commands typed needs
    /// another than the one it looks for.
    #[arg(long, value_name = "LABEL", default_value = Seed::ANSWERS, conflicts_with = "command")]
    seed_label: String,
    /// Where the serial console goes, or what the command says, whatever becomes of the build.
    #[arg(long, value_name = "FILE")]
    serial_log: Option<PathBuf>,
    #[command(flatten)]
    machine: MachineArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TypeArg {
    Keyboard,
    Serial,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DoneArg {
    Poweroff,
    Reboot,
}

impl Args {
    fn installed(&self, answers: &Path, installer: &Path) -> BuildRequest {
        BuildRequest {
            answers: answers.to_owned(),
            installer: installer.to_owned(),
            out: self.out.clone(),
            disk_bytes: self.disk * GIB,
            seed_label: self.seed_label.clone(),
            typist: match self.type_on {
                TypeArg::Keyboard => Typist::Keyboard,
                TypeArg::Serial => Typist::Serial,
            },
            keys: self.boot_command.iter().cloned().fold(Keys::default(), Keys::then),
            spec: self.machine.spec(),
            done: match self.done {
                DoneArg::Poweroff => Done::Poweroff,
                DoneArg::Reboot => Done::Reboot,
            },
            done_pattern: self.done_pattern.clone(),
            serial_log: self.serial_log.clone(),
        }
    }

    fn commanded(&self, command: &str) -> CommandRequest {
        CommandRequest {
            command: command.to_owned(),
            out: self.out.clone(),
            deadline: self.machine.spec().deadline,
            log: self.serial_log.clone(),
        }
    }
}

/// Builds, and says where the image is.
pub(crate) async fn run(args: &Args, shown: Shown) -> anyhow::Result<u8> {
    if matches!(args.type_on, TypeArg::Serial) {
        args.boot_command.iter().try_for_each(Keys::for_serial)?;
    }
    let live = Live::new(shown);
    let progress = |step| live.show(&step);
    let built = async {
        match (&args.command, &args.answers, &args.installer) {
            (Some(command), ..) => build_by(&args.commanded(command), &progress).await,
            (None, Some(answers), Some(installer)) => build(&args.installed(answers, installer), &progress).await,
            _ => unreachable!("clap wants answers and installer, or a command"),
        }
    };
    let took = tokio::select! {
        took = built => took?,
        name = interrupted() => bail!("interrupted by {}; nothing is left at {}", name?, args.out.display()),
    };
    drop(live);
    if !shown.quiet {
        super::print(&format!("built {} in {:.0} s\n", args.out.display(), took.as_secs_f64()));
    }
    Ok(0)
}
