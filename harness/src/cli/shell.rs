//! `kverify shell REPORT`: into the machine of a run that was kept, where what it asked can be asked again.

use std::{
    fmt::Write as _,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use kverify_checks::{Probe, Source, Status, all};

use super::{said::Said, verify::interrupted};
use crate::{
    image::{Digest, Image},
    machine::Snapshot,
    report::{REPORT, Report, plain},
    run::fork,
    session::{Session, attach, is_at_hand},
    shell::quoted,
};

/// The folder of a kept machine, in that of its report.
pub(crate) const MACHINE: &str = "machine";
/// The file in it that says where the image is.
const IMAGE: &str = "image";
/// How long a question of ours may take.
const ANSWERS: Duration = Duration::from_secs(30);
/// How long a command may take.
const LIMIT: Duration = Duration::from_hours(1);

/// Options of `kverify shell`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of the report of a run with --keep.
    report: PathBuf,
    /// The check whose probes are at hand as `probe` [default: every one that does not hold].
    #[arg(long, value_name = "ID")]
    check: Option<String>,
    /// The image, where it is no longer where it was.
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// The folder for overlays [default: the temporary folder].
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// Run this as root in place of a shell, and end with its exit status.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Keeps the machine of a run beside its report. Blocks.
pub(crate) fn keep(report: &Path, image: &Path, snapshot: &Snapshot) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let place = report.join(MACHINE);
    let unfinished = report.join(format!(".{MACHINE}"));
    let failed = || place.display().to_string();
    fs::DirBuilder::new().mode(0o700).create(&unfinished).with_context(failed)?;
    let image = std::path::absolute(image).with_context(failed)?;
    fs::write(unfinished.join(IMAGE), image.as_os_str().as_encoded_bytes()).with_context(failed)?;
    let stored = snapshot.store(&unfinished).map_err(anyhow::Error::from);
    if let Err(error) = stored.and_then(|()| Ok(fs::rename(&unfinished, &place)?)) {
        // Half a machine is of no use to anybody.
        let _ = fs::remove_dir_all(&unfinished);
        return Err(error.context(failed()));
    }
    Ok(())
}

/// Forks the kept machine, and hands it over.
pub(crate) async fn run(args: &Args) -> anyhow::Result<u8> {
    if args.command.is_empty() && !is_at_hand() {
        bail!("a shell is for a terminal; `kverify shell {} -- COMMAND` runs a command", args.report.display());
    }
    let report = read(&args.report)?;
    let begins = begins(&report, args.check.as_deref())?;
    let snapshot = kept(args, &report)?;
    let (machine, session) = fork(&snapshot).await.map_err(|why| anyhow!(why))?;
    if args.command.is_empty() {
        let (lacks, _) = session.script("command -v script", ANSWERS).await?;
        let Session::Port(port) = session else { bail!("a fork is entered by its port") };
        let name = plain::line(&report.subject.name, 200);
        super::print(&format!("a fork of {name}; it goes when you leave, by `exit` or Ctrl-]\n"));
        let attached = tokio::select! {
            attached = attach(port.into_stream(), &begins, lacks == 0) => attached.map_err(anyhow::Error::from),
            end = machine.over() => Err(anyhow!("the machine ended: {}", end?)),
            name = interrupted() => Err(anyhow!("interrupted by {}", name?)),
        };
        machine.quit().await;
        return attached.map(|()| 0);
    }
    let said = tokio::select! {
        said = command(&session, args, &begins) => said?,
        end = machine.over() => bail!("the machine ended: {}", end?),
        name = interrupted() => bail!("interrupted by {}", name?),
    };
    machine.quit().await;
    super::print(&said.text);
    Ok(said.code)
}

async fn command(session: &Session, args: &Args, begins: &str) -> anyhow::Result<Said> {
    let words: Vec<_> = args.command.iter().map(|word| quoted(word)).collect();
    let (status, text) = session.script(&format!("{begins}\n{}\n", words.join(" ")), LIMIT).await?;
    let text = plain::block(&text);
    Ok(Said { text: if text.is_empty() { text } else { text + "\n" }, code: u8::try_from(status).unwrap_or(2) })
}

/// The report of a folder.
pub(crate) fn read(folder: &Path) -> anyhow::Result<Report> {
    let path = folder.join(REPORT);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| format!("{}: no report of kverify", path.display()))
}

/// The kept machine, over the image that it was captured from.
fn kept(args: &Args, report: &Report) -> anyhow::Result<Snapshot> {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt as _};
    let folder = args.report.join(MACHINE);
    let path = match (&args.image, fs::read(folder.join(IMAGE))) {
        (_, Err(error)) if error.kind() == ErrorKind::NotFound => bail!(
            "{}: no machine was kept; `kverify IMAGE --keep` keeps that of a run in which something does not hold",
            folder.display()
        ),
        (_, Err(error)) => return Err(error).with_context(|| folder.display().to_string()),
        (Some(path), Ok(_)) => path.clone(),
        (None, Ok(path)) => PathBuf::from(OsString::from_vec(path)),
    };
    let image = Image::open(&path)?;
    let digest = Digest::of_path(&path).with_context(|| path.display().to_string())?.to_string();
    if digest != report.subject.digest {
        bail!(
            "{}: it is {digest}, and the machine is of {}; --image names another file",
            path.display(),
            report.subject.digest
        );
    }
    let scratch = args.scratch.clone().unwrap_or_else(std::env::temp_dir);
    Ok(Snapshot::load(&folder, Arc::new(image), scratch)?)
}

/// What a shell begins with: a function that asks again what did not hold.
fn begins(report: &Report, check: Option<&str>) -> anyhow::Result<String> {
    let wrong = |check: &str| {
        let outcome = report.outcomes.iter().find(|outcome| outcome.check == check);
        outcome.is_some_and(|outcome| matches!(outcome.status, Status::Fail | Status::Error))
    };
    let wanted: Vec<_> = match check {
        Some(id) => all().filter(|one| one.about().id == id).collect(),
        None => all().filter(|one| wrong(one.about().id)).collect(),
    };
    if let (Some(id), []) = (check, &wanted[..]) {
        bail!("--check {id}: there is no such check; `kverify checks` lists them");
    }
    let mut asked: Vec<(&str, Probe)> = Vec::new();
    for one in wanted {
        for probe in (one.fact().probes)() {
            if asked.iter().all(|(_, other)| other.source != probe.source) {
                asked.push((one.about().id, probe));
            }
        }
    }
    let mut text = String::from("probe() {\n");
    for (id, probe) in &asked {
        let line = match &probe.source {
            Source::Command(words) => words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "),
            Source::File(path) => format!("cat {}", quoted(path)),
            _ => continue,
        };
        let _ = writeln!(text, "printf '%s\\n' {}\n{line}", quoted(&format!("# {id}")));
    }
    text.push_str(":\n}\n");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::begins;
    use crate::report::sample_refuted;

    #[test]
    fn what_did_not_hold_can_be_asked_again() {
        let text = begins(&sample_refuted(), None).unwrap();
        assert!(text.contains("# zfs.pools-healthy") && text.contains("zpool status"), "{text}");
        let one = begins(&sample_refuted(), Some("boot.command-line-expected")).unwrap();
        assert!(one.contains("/proc/cmdline") && !one.contains("zpool"), "{one}");
        for text in [text, one] {
            assert!(std::process::Command::new("sh").args(["-n", "-c", &text]).status().unwrap().success(), "{text}");
        }
        let unknown = begins(&sample_refuted(), Some("boot.none")).unwrap_err().to_string();
        assert_eq!(unknown, "--check boot.none: there is no such check; `kverify checks` lists them");
    }
}
