//! The folder that a run leaves behind: report (as JSON and as HTML), what is known of the image, JUnit,
//! console, an evidence file per check, a screenshot.
//!
//! It is written beside its place and then put there whole: what stands under its final name is complete and of one
//! run. Only a folder that a run has left is ever replaced.

mod evidence;
mod staging;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use kverify_checks::{Output, Source, Status};
use serde_json::Value;

use super::{Report, html, json, junit, plain};
use staging::Staging;

/// The file by which a folder is known to be ours.
pub(crate) const REPORT: &str = "report.json";
/// What is known of the image.
pub(crate) const FACTS: &str = "facts.json";
/// The list of packages.
pub(crate) const SBOM: &str = "sbom.cdx.json";

/// What goes into the folder.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// The record.
    pub report: &'a Report,
    /// Everything the serial console said.
    pub console: &'a [u8],
    /// The full answers behind each check, by check ID, in the order of its probes.
    pub evidence: &'a BTreeMap<String, Vec<(Source, Output)>>,
    /// What is known of the image, as the text of its file.
    pub facts: Option<&'a str>,
    /// The list of packages, where they are known.
    pub sbom: Option<&'a [u8]>,
    /// The screen as PNG, where one was taken.
    pub screenshot: Option<&'a [u8]>,
}

/// A place that can take a report.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

/// Why a folder cannot take a report.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Something else has that name, or it is no name for a folder.
    #[error("{}: not a folder that can be replaced; name another with --out", .0.display())]
    NotAFolder(PathBuf),
    /// It holds what no run has left there.
    #[error("{}: holds files, but no report of kverify; empty it, or name another folder with --out", .0.display())]
    Foreign(PathBuf),
    /// It may not be written, or no longer can.
    #[error("{}: cannot be written; mend this, or name another folder with --out", path.display())]
    Unwritable {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Folder {
    /// Makes sure that a report can be written at `path`, before anything costly is done: looks at what is there, and
    /// tries to write beside it. Folders that are missing above it are made when there is a report to put there, so
    /// that a run without one leaves nothing. A link to a folder is followed.
    ///
    /// # Errors
    /// [`FolderError`] names the path, the reason and what to do.
    pub fn prepare(path: &Path) -> Result<Self, FolderError> {
        let path = if path.is_symlink() { path.canonicalize().map_err(unwritable(path))? } else { path.to_owned() };
        if path.file_name().is_none() || path.exists() && !path.is_dir() {
            return Err(FolderError::NotAFolder(path));
        }
        if path.is_dir() && !may_be_replaced(&path).map_err(unwritable(&path))? {
            return Err(FolderError::Foreign(path));
        }
        let missing = path.ancestors().take_while(|above| *above != Path::new("") && !above.exists());
        let trial = Staging::new(missing.last().unwrap_or(&path)).map_err(unwritable(&path))?;
        trial.write("trial", b"x").map_err(unwritable(&path))?;
        Ok(Self { path })
    }

    /// Where the report goes.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes away what an earlier run left there, so that nothing of it passes for what the next one says.
    ///
    /// # Errors
    /// [`FolderError`] where something else is there, or it cannot be removed.
    pub fn clear(&self) -> Result<(), FolderError> {
        if !self.path.exists() {
            return Ok(());
        }
        if !may_be_replaced(&self.path).map_err(unwritable(&self.path))? {
            return Err(FolderError::Foreign(self.path.clone()));
        }
        fs::remove_dir_all(&self.path).map_err(unwritable(&self.path))
    }

    /// Writes everything and puts it in place of what an earlier run left there; gives the path.
    ///
    /// # Errors
    /// [`FolderError`]; what was there before is then still there, and nothing of the new.
    pub fn write(&self, files: &Files<'_>) -> Result<PathBuf, FolderError> {
        // It may have become another's since it was looked at.
        if self.path.exists() && !may_be_replaced(&self.path).map_err(unwritable(&self.path))? {
            return Err(FolderError::Foreign(self.path.clone()));
        }
        self.fill_and_place(files).map_err(unwritable(&self.path))?;
        Ok(self.path.clone())
    }

    fn fill_and_place(&self, files: &Files<'_>) -> io::Result<()> {
        let staging = Staging::new(&self.path)?;
        staging.write("report.html", html::page(files.report, files.screenshot).as_bytes())?;
        staging.write("junit.xml", junit::xml(files.report).as_bytes())?;
        let console = plain::block(&String::from_utf8_lossy(files.console));
        staging.write("console.log", format!("{console}\n").as_bytes())?;
        for outcome in files.report.outcomes.iter().filter(|outcome| outcome.status != Status::Skip) {
            let answers = files.evidence.get(&outcome.check).map_or(&[][..], Vec::as_slice);
            let name = evidence::file_name(&outcome.check);
            staging.write(&name, evidence::text(outcome, answers).as_bytes())?;
        }
        if let Some(facts) = files.facts {
            staging.write(FACTS, facts.as_bytes())?;
        }
        if let Some(sbom) = files.sbom {
            staging.write(SBOM, sbom)?;
        }
        if let Some(png) = files.screenshot {
            staging.write("screenshot.png", png)?;
        }
        staging.write(REPORT, json::report(files.report).as_bytes())?;
        staging.place(&self.path)
    }
}

fn unwritable(path: &Path) -> impl Fn(io::Error) -> FolderError {
    move |source| FolderError::Unwritable { path: path.to_owned(), source }
}

/// Whether a folder is empty, or holds a report of any version of ours.
fn may_be_replaced(path: &Path) -> io::Result<bool> {
    let mut names = fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
    names.retain(|name| !staging::is_ours(name));
    if names.is_empty() {
        return Ok(true);
    }
    let text = match fs::read_to_string(path.join(REPORT)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        text => text?,
    };
    let report: Value = serde_json::from_str(&text).unwrap_or_default();
    Ok(report["kverify"].is_string() && report["outcomes"].is_array())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

    use kverify_checks::{Exit, Output, Source};

    use super::{Files, Folder, FolderError};
    use crate::report::{
        Report, plain,
        samples::{hostile, refuted, verified},
    };

    fn write(folder: &Folder, report: &Report, screenshot: Option<&[u8]>) {
        let output = Output {
            exit: Exit::Code(0),
            stdout: "  pool: rpool\n\u{1b}[31m state: ONLINE\n".repeat(200),
            stderr: String::new(),
            truncated: false,
            took: Duration::from_millis(210),
        };
        let source = Source::Command(["zpool", "status", "-p"].map(str::to_owned).to_vec());
        let evidence = BTreeMap::from([("zfs.pools-healthy".to_owned(), vec![(source, output)])]);
        let console = b"\x1b[2JBdsDxe: loading\r\n\xffboot\r\n";
        let facts = Some("{}\n");
        folder.write(&Files { report, console, evidence: &evidence, facts, sbom: None, screenshot }).unwrap();
    }

    /// A report and nothing beside it.
    fn bare(report: &Report) -> Files<'_> {
        static NONE: BTreeMap<String, Vec<(Source, Output)>> = BTreeMap::new();
        Files { report, console: b"", evidence: &NONE, facts: None, sbom: None, screenshot: None }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_later_run_leaves_nothing_of_an_earlier_one() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("out/golden");
        let folder = Folder::prepare(&path).unwrap();
        assert!(!place.path().join("out").exists(), "nothing stands there before it is complete");
        write(&folder, &refuted(), Some(b"png"));
        assert!(path.join("security.firewall-drops.txt").exists() && path.join("screenshot.png").exists());
        write(&Folder::prepare(&path).unwrap(), &verified(), None);
        let expected = [
            "boot.ready.txt",
            "boot.system-running.txt",
            "console.log",
            "facts.json",
            "junit.xml",
            "report.html",
            "report.json",
            "security.root-login.txt",
            "zfs.pool-named.txt",
            "zfs.pools-healthy.txt",
        ];
        assert_eq!(names(&path), expected);
        assert_eq!(names(&place.path().join("out")), ["golden"], "nothing is left beside it");
        assert_eq!(fs::read_to_string(path.join("console.log")).unwrap(), "BdsDxe: loading\n\u{fffd}boot\n");
        let evidence = fs::read_to_string(path.join("zfs.pools-healthy.txt")).unwrap();
        assert_eq!(evidence.lines().filter(|line| *line == "| <U+001B>[31m state: ONLINE").count(), 200);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o700, 0o700);
    }

    #[test]
    fn what_an_evidence_file_says() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("golden");
        let folder = Folder::prepare(&path).unwrap();
        for (name, report) in [("refuted", refuted()), ("hostile", hostile())] {
            folder.write(&bare(&report)).unwrap();
            for check in ["boot.system-running", "zfs.pools-healthy"] {
                let text = fs::read_to_string(path.join(format!("{check}.txt"))).unwrap();
                let left = text.chars().find(|at| *at != '\n' && plain::dangerous(*at));
                assert_eq!(left, None, "{check}: {text}");
                // What the check says of itself is its author's to change.
                let lines = text.lines().filter(|line| !line.starts_with("demand") && !line.starts_with("mend"));
                insta::assert_snapshot!(format!("evidence.{name}.{check}"), lines.collect::<Vec<_>>().join("\n"));
            }
        }
    }

    #[test]
    fn what_is_not_ours_is_not_replaced() {
        let place = tempfile::tempdir().unwrap();
        let foreign = place.path().join("home");
        fs::create_dir(&foreign).unwrap();
        fs::write(foreign.join("letter.txt"), "dear").unwrap();
        let error = Folder::prepare(&foreign).unwrap_err();
        assert!(matches!(error, FolderError::Foreign(_)) && error.to_string().contains("--out"), "{error}");
        fs::write(foreign.join("report.json"), r#"{"outcomes": ["of another tool"]}"#).unwrap();
        assert!(matches!(Folder::prepare(&foreign), Err(FolderError::Foreign(_))));

        let file = place.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(Folder::prepare(&file), Err(FolderError::NotAFolder(_))));
        assert!(matches!(Folder::prepare(&file.join("below")), Err(FolderError::Unwritable { .. })));
        assert!(matches!(Folder::prepare(Path::new("/")), Err(FolderError::NotAFolder(_))));

        let late = place.path().join("late");
        let folder = Folder::prepare(&late).unwrap();
        fs::create_dir(&late).unwrap();
        fs::write(late.join("letter.txt"), "dear").unwrap();
        let report = verified();
        assert!(matches!(folder.write(&bare(&report)), Err(FolderError::Foreign(_))), "it came while the machine ran");
        assert_eq!(names(&late), ["letter.txt"]);
    }

    #[test]
    fn where_nothing_can_be_written_is_found_first() {
        // /proc refuses root as well, which the tests may be run by.
        let error = Folder::prepare(Path::new("/proc/kverify-out")).unwrap_err();
        let chain = format!("{:#}", anyhow::Error::from(error));
        assert!(chain.starts_with("/proc/kverify-out: cannot be written; ") && chain.contains("--out"), "{chain}");
        assert_eq!(chain.matches("No such file").count(), 1, "{chain}");
    }
}
