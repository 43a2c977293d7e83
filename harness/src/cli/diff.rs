//! `kverify diff A B`: what changed between two images, as release notes have it.

mod page;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::{
    live::{Live, Shown},
    machine_args::MachineArgs,
    verify::interrupted,
    whole::{write_json, write_whole},
};
use crate::{
    diff::{Diff, html, is_image, read},
    report::{Carrier, Facts},
    run::{Request, telling, verify},
};

/// Options of `kverify diff`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit status: 0 no difference, 1 a difference, 2 it could not be told.")]
pub(crate) struct Args {
    /// The earlier image: the folder of a report about it, its report.json or facts.json; or the image itself, which is then
    /// booted and asked.
    a: PathBuf,
    /// The later image, in the same way.
    b: PathBuf,
    /// List everything, however much it is.
    #[arg(long)]
    all: bool,
    /// Write what changed, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write what changed as one page of HTML, all of it.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    machine: MachineArgs,
}

/// Compares, prints what changed, and gives the exit status.
pub(crate) async fn run(args: &Args, shown: Shown) -> anyhow::Result<u8> {
    // What is not to be booted is read first: nobody waits for a machine to be told of a word that means nothing.
    let there = |path: &Path| if is_image(path) { Ok(None) } else { read(path).map(Some) };
    let (a, b) = (there(&args.a)?, there(&args.b)?);
    let a = known(a, &args.a, args, shown).await?;
    let b = known(b, &args.b, args, shown).await?;
    let diff = Diff::between(&a, &b)?;
    super::print(&page::text(&diff, args.all, &shown.style(None)));
    match write(args, &diff) {
        // A difference stays one, whether it could be kept or not.
        Err(error) if diff.exit == 1 => super::complain(&error),
        written => written?,
    }
    Ok(diff.exit)
}

fn write(args: &Args, diff: &Diff) -> anyhow::Result<()> {
    args.json.as_ref().map_or(Ok(()), |path| write_json(path, diff))?;
    args.html.as_ref().map_or(Ok(()), |path| write_whole(path, html::page(diff).as_bytes()))
}

/// What was read of an image, or what a machine of it says.
async fn known(read: Option<Facts>, image: &Path, args: &Args, shown: Shown) -> anyhow::Result<Facts> {
    if let Some(facts) = read {
        return Ok(facts);
    }
    let request =
        Request { filter: telling()?, ..Request::new(image.to_owned(), args.machine.spec(), args.machine.scratch()) };
    let live = Live::new(shown);
    live.say(&image.display().to_string());
    let progress = |step| live.show(&step);
    let run = tokio::select! {
        run = verify(&request, &progress) => run.with_context(|| image.display().to_string())?,
        name = interrupted() => bail!("interrupted by {}", name?),
    };
    if run.report.machines.first().is_none_or(|machine| machine.carrier == Carrier::None) {
        bail!("{}: its machine never became ready; `kverify verify` says why", image.display());
    }
    Ok(run.facts)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use serde_json::Value;

    use super::{Args, run};
    use crate::{
        cli::{Cli, Color, Command, live::Shown},
        diff::samples::{before_and_after, report},
    };

    const QUIET: Shown = Shown { quiet: true, verbose: false, color: Color::Never };

    fn args(folder: &Path, line: &str) -> Args {
        use clap::Parser;
        let there = |word: &str| if word.starts_with("--") { word.into() } else { folder.join(word) };
        let words = ["kverify", "diff"].into_iter().map(Into::into).chain(line.split(' ').map(there));
        let Command::Diff(args) = Cli::try_parse_from(words).unwrap().command else { unreachable!("it is diff") };
        *args
    }

    #[tokio::test]
    async fn two_folders_of_reports_are_compared() {
        let place = tempfile::tempdir().unwrap();
        let (before, after) = before_and_after();
        report(&place.path().join("a"), &before);
        report(&place.path().join("b"), &after);
        assert_eq!(run(&args(place.path(), "a a"), QUIET).await.unwrap(), 0);
        let line = "a b/report.json --json new/diff.json --html diff.html";
        assert_eq!(run(&args(place.path(), line), QUIET).await.unwrap(), 1);
        let text = fs::read_to_string(place.path().join("new/diff.json")).unwrap();
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&json["exit"], &json["same_image"]), (&1.into(), &false.into()));
        let packages = json["groups"].as_array().unwrap().iter().find(|one| one["group"] == "packages").unwrap();
        assert_eq!(packages["changes"][0]["name"], "telnet");
        assert_eq!(packages["changes"][0]["kind"], "added");
        assert!(fs::read_to_string(place.path().join("diff.html")).unwrap().contains("telnet"));
        // What cannot be kept does not undo a difference.
        assert_eq!(run(&args(place.path(), "a b --json diff.html/x"), QUIET).await.unwrap(), 1);
        assert!(run(&args(place.path(), "a a --json diff.html/x"), QUIET).await.is_err());
        assert!(run(&args(place.path(), "a none"), QUIET).await.is_err());
    }
}
