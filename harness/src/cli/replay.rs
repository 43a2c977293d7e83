//! `kverify replay DIR`: what today's checks say of recordings.

mod page;

use std::path::PathBuf;

use super::{live::Shown, whole::write_json};
use crate::{
    book,
    replay::Replay,
    run::{Filter, named},
};

/// What is expected where nobody says it: what is recorded in `fixtures/recordings` is said of it.
const DEFAULT: &str = "debian-13-server";

/// Options of `kverify replay`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Recordings, and folders with recordings (*.toml) at any depth.
    #[arg(required = true, value_name = "DIR|FILE")]
    paths: Vec<PathBuf>,
    /// What is expected: the name of a built-in expectation or a file. What a recording expects itself goes before it.
    #[arg(long, value_name = "NAME|FILE", default_value = DEFAULT)]
    expect: String,
    /// Judge only by these checks: IDs or globs such as `zfs.*`.
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    only: Vec<String>,
    /// Write what came of it, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Judges the recordings, prints the table, and gives the exit status.
pub(crate) fn run(args: &Args, shown: Shown) -> anyhow::Result<u8> {
    let filter = Filter::new(&args.only, &[])?;
    let sheet = named(&mut book::built_in(), &args.expect)?;
    let replay = Replay::of(&args.paths, &sheet, &filter);
    super::print(&page::table(&replay, &shown.style(None)));
    match args.json.as_ref().map_or(Ok(()), |path| write_json(path, &replay)) {
        // What is wrong stays so, whether that could be kept or not.
        Err(error) if replay.exit == 1 => super::complain(&error),
        written => written?,
    }
    Ok(replay.exit)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use serde_json::Value;

    use super::{Args, DEFAULT, run};
    use crate::{
        cli::{Color, live::Shown},
        replay::samples::{says, well, write},
    };

    const QUIET: Shown = Shown { quiet: true, verbose: false, color: Color::Never };

    fn args(folder: &Path, json: &str) -> Args {
        Args {
            paths: vec![folder.to_owned()],
            expect: DEFAULT.to_owned(),
            only: Vec::new(),
            json: Some(folder.join(json)),
        }
    }

    #[test]
    fn a_program_reads_what_came_of_it() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[("a.toml", &well(&says("zfs.pool-named", "fail"))), ("b.toml", "")]);
        assert_eq!(run(&args(folder.path(), "new/out.json"), QUIET).unwrap(), 1);
        let json: Value =
            serde_json::from_str(&fs::read_to_string(folder.path().join("new/out.json")).unwrap()).unwrap();
        assert_eq!((&json["exit"], &json["expectation"]), (&Value::from(1), &Value::from("debian-13-server")));
        let checks = json["recordings"][0]["checks"].as_array().unwrap();
        let named = checks.iter().find(|one| one["outcome"]["check"] == "zfs.pool-named").unwrap();
        assert_eq!(named["outcome"]["status"], "pass");
        assert_eq!(named["compared"]["not-as-said"]["is"], "fail");
        assert!(json["unread"][0]["path"].as_str().unwrap().ends_with("b.toml"));
    }

    #[test]
    fn what_cannot_be_kept_does_not_undo_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[("a.toml", &well("")), ("file", "")]);
        assert!(run(&args(folder.path(), "file/out.json"), QUIET).is_err());
        write(folder.path(), &[("a.toml", &well(&says("zfs.pool-named", "fail")))]);
        assert_eq!(run(&args(folder.path(), "file/out.json"), QUIET).unwrap(), 1);
    }

    #[test]
    fn the_caller_names_what_is_expected() {
        let folder = tempfile::tempdir().unwrap();
        let mine = folder.path().join("mine.toml");
        write(
            folder.path(),
            &[("all/a.toml", &well("")), ("mine.toml", "extends = 'debian-13-server'\nzfs.pool = 'tank'\n")],
        );
        let mut args = Args { json: None, ..args(&folder.path().join("all"), "") };
        assert_eq!(run(&args, QUIET).unwrap(), 0);
        args.expect = mine.display().to_string();
        assert_eq!(run(&args, QUIET).unwrap(), 1);
        args.expect = "debian-99".to_owned();
        let error = run(&args, QUIET).unwrap_err().to_string();
        assert!(error.starts_with("no expectation is called `debian-99`"), "{error}");
        let wrong = Args { only: vec!["zsf.*".to_owned()], expect: DEFAULT.to_owned(), ..args };
        let error = run(&wrong, QUIET).unwrap_err().to_string();
        assert!(error.starts_with("`zsf.*` names no check"), "{error}");
    }
}
