//! `kverify verify IMAGE`.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use kverify_checks::scenarios::Scenario;
use tokio::signal::unix::{SignalKind, signal};

use super::{
    account::Account,
    format::Format,
    live::{Live, Shown},
    machine_args::MachineArgs,
    pcap::Pcap,
    scenarios::{Clouds, Scenarios},
    shell,
};
use crate::{
    gate::Waivers,
    machine::Network,
    report::{Conclusion, Folder, formats::Judged, table},
    run::{Filter, Request, Run, verify},
    shell::quoted,
    span::span,
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
    /// Boot it on these clouds too, each made here: all, or names (azure, configdrive, ec2, gce, nocloud, openstack). It has
    /// to find its data source, and take name, key and user data from there.
    #[arg(long, value_name = "CLOUD,…")]
    cloud: Option<Clouds>,
    /// Compare the packages with these advisories: records of OSV, or the export of Debian's security tracker.
    #[arg(long, value_name = "FILE")]
    advisories: Option<PathBuf>,
    /// Watch what the machine sends for so much longer before it is captured, as in 10m or 1h30m.
    #[arg(long, value_name = "TIME", value_parser = soak, default_value = "0s", conflicts_with = "warm")]
    soak: Duration,
    /// Write each frame of the lab's network to this file, as pcap, 256 MiB at most: those of the machine that is booted for
    /// the verdict, neither of its forks nor of machines of scenarios and clouds.
    #[arg(long, value_name = "FILE", conflicts_with = "warm")]
    pcap: Option<PathBuf>,
    /// Let the failures pass that this file's `[[waiver]]` tables name.
    #[arg(long, value_name = "FILE")]
    waivers: Option<PathBuf>,
    /// Keep the captured machine in the folder of the report where something does not hold, for `kverify shell`.
    #[arg(long)]
    keep: bool,
    /// Who reads what is said at the end.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    #[command(flatten)]
    account: Account,
    #[command(flatten)]
    machine: MachineArgs,
}

/// Verifies, writes the report, prints the table, and gives the exit status.
pub(crate) async fn run(args: &Args, shown: Shown) -> anyhow::Result<u8> {
    if args.pcap.is_some() && args.machine.spec().network != Network::Lab {
        bail!("--pcap writes what goes over the lab's network; --network slirp has none that could be seen");
    }
    let pcap = args.pcap.as_deref().map(Pcap::begin).transpose()?;
    let request = Request {
        image: args.image.clone(),
        spec: args.machine.spec(),
        credential: args.account.credential()?,
        expect: args.expect.clone(),
        filter: Filter::new(&args.only, &args.skip)?,
        sealed: args.installer.clone(),
        warm: args.warm,
        keep: args.keep,
        scenarios: scenarios(args),
        advisories: args.advisories.clone(),
        soak: args.soak,
        capture: pcap.as_ref().map(Pcap::capture),
        waivers: args.waivers.as_deref().map(waivers).transpose()?.unwrap_or_default(),
        scratch: args.machine.scratch(),
    };
    let folder = Folder::prepare(&out(args))?;
    let speaker = args.format.begin()?;
    let live = Live::new(shown);
    let progress = |step| live.show(&step);
    let run = tokio::select! {
        run = verify(&request, &progress) => run,
        name = interrupted() => bail!("interrupted by {}", name?),
    };
    drop(live);
    // What a machine sent is there to be looked at whatever became of it.
    let seen = pcap.map_or(Ok(()), Pcap::finish);
    let run = run.inspect_err(|_| seen.as_ref().err().into_iter().for_each(super::complain))?;
    let facts = run.facts.text();
    let written = folder.write(&run.files(&facts));
    // A report that cannot be kept was still paid for with a boot: it is shown, and a refutation stays one.
    let style = shown.style(written.as_ref().ok().cloned());
    let kept = style.folder.as_deref();
    let enter = kept.map_or(Ok(String::new()), |folder| kept_machine(args, &run, folder));
    let text = table(&run.report, &style) + enter.as_deref().unwrap_or_default();
    let said = speaker.say(&text, &[Judged::of(&run.report)], run.report.verdict, kept);
    match written.map_err(Into::into).and(seen).and(said).and(enter.map(drop)) {
        Err(error) if run.report.verdict == Conclusion::Refuted => super::complain(&error),
        left => left?,
    }
    Ok(run.report.verdict.exit_code())
}

/// Keeps the machine where something does not hold, and says how it is entered.
fn kept_machine(args: &Args, run: &Run, folder: &Path) -> anyhow::Result<String> {
    if !args.keep || matches!(run.report.verdict, Conclusion::Verified | Conclusion::VerifiedInPart) {
        return Ok(String::new());
    }
    let Some(snapshot) = &run.snapshot else {
        bail!(
            "--keep: there is no machine to keep, since it was never captured; console and report tell what there is"
        );
    };
    shell::keep(folder, &args.image, snapshot)?;
    Ok(format!("enter    kverify shell {}\n", quoted(&folder.display().to_string())))
}

/// A time of at most a day.
fn soak(text: &str) -> Result<Duration, String> {
    let time = span(text).filter(|time| *time <= Duration::from_hours(24));
    time.ok_or_else(|| format!("`{text}` is no time of at most a day; write it as 90s, 10m or 1h30m"))
}

/// The scenarios that are named, and those of the clouds.
fn scenarios(args: &Args) -> Vec<Scenario> {
    let mut all = args.scenarios.0.clone();
    let clouds = args.cloud.iter().flat_map(|clouds| &clouds.0);
    let more: Vec<_> = clouds.filter(|one| all.iter().all(|other| other.name != one.name)).cloned().collect();
    all.extend(more);
    all
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::soak;

    #[test]
    fn times_are_written_as_people_write_them() {
        assert_eq!(soak("10m").unwrap(), Duration::from_mins(10));
        assert_eq!(soak("1h30m").unwrap(), Duration::from_mins(90));
        assert_eq!(soak("0s").unwrap(), Duration::ZERO);
        for wrong in ["", "ten", "-5m", "25h", "10"] {
            assert!(soak(wrong).unwrap_err().contains("write it as"), "{wrong}");
        }
    }
}
