//! `kverify merge DIR…`: the parts of a matrix that were run elsewhere, as one.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow, bail};
use jiff::Timestamp;
use kverify_checks::{Outcome, Status};

use super::{format::Format, live::Shown, matrix::judged, said::Said};
use crate::{
    matrix::{self, MATRIX, is_row_name},
    pipeline::folder_of,
    report::{Conclusion, MatrixReport, REPORT, Report, RowReport, matrix_table},
};

/// Options of `kverify merge`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folders of the parts, each with its matrix.json.
    #[arg(required = true)]
    part: Vec<PathBuf>,
    /// Where the whole goes: a new folder.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Who reads what is said at the end.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

/// Merges, and shows the whole; refuses what does not make one.
pub(crate) fn said(args: &Args, shown: Shown) -> anyhow::Result<Said> {
    let mut parts = Vec::new();
    for folder in &args.part {
        let path = folder.join(MATRIX);
        let part = matrix::read(&path).map_err(|why| anyhow!(why)).with_context(|| path.display().to_string())?;
        parts.push((folder.as_path(), part));
    }
    let (whole, folders) = merged(&parts)?;
    if args.out.symlink_metadata().is_ok() {
        bail!("{}: there is something already; name a new folder with --out", args.out.display());
    }
    let folder = folder_of(&args.out);
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    // It gets its name once it is whole.
    let unfinished = tempfile::Builder::new().prefix(".kverify-merge-").tempdir_in(folder);
    let unfinished = unfinished.with_context(|| folder.display().to_string())?;
    let (mut outcomes, mut alike) = (Vec::new(), Alike::default());
    for row in &whole.rows {
        let folder = folders[&row.row].join(&row.row);
        let told = outcomes_of(row, &folder, &mut alike)?;
        if row.why.is_none() {
            copied(&folder, &unfinished.path().join(&row.row))?;
        }
        outcomes.push((row.row.as_str(), told, row.started));
    }
    let rows: Vec<(&str, &[Outcome], Timestamp)> =
        outcomes.iter().map(|(row, told, at)| (*row, &told[..], *at)).collect();
    matrix::write(unfinished.path(), &whole, &rows)?;
    fs::rename(unfinished.keep(), &args.out).with_context(|| args.out.display().to_string())?;
    let table = matrix_table(&whole, &shown.style(Some(args.out.join(MATRIX))));
    let all: Vec<_> = outcomes.iter().filter_map(|(row, outcomes, _)| judged(&whole, row, outcomes)).collect();
    args.format.begin()?.say(&table, &all, whole.verdict, Some(&args.out))?;
    Ok(Said { text: String::new(), code: whole.verdict.exit_code() })
}

/// The whole, and the folder of the part that each row is from.
fn merged(parts: &[(&Path, MatrixReport)]) -> anyhow::Result<(MatrixReport, BTreeMap<String, PathBuf>)> {
    let (first_folder, first) = parts.first().context("no part")?;
    let mut whole = MatrixReport { shard: None, due: first.all.clone(), rows: Vec::new(), ..first.clone() };
    let mut from: BTreeMap<String, PathBuf> = BTreeMap::new();
    if let Some(name) = whole.all.iter().find(|name| !is_row_name(name)) {
        bail!("{}: `{}` is no name for a row", first_folder.display(), name.escape_default());
    }
    for (folder, part) in parts {
        let shown = folder.display();
        if part.digest != first.digest || part.all != first.all {
            bail!("{shown}: it is of matrix {}, and {} of {}", part.digest, first_folder.display(), first.digest);
        }
        if part.kverify != first.kverify {
            bail!(
                "{shown}: it was run by kverify {}, and {} by {}",
                part.kverify,
                first_folder.display(),
                first.kverify
            );
        }
        for row in &part.rows {
            if !whole.all.contains(&row.row) {
                bail!("{shown}: `{}` is no row of this matrix", row.row.escape_default());
            }
            let Some(earlier) = whole.rows.iter_mut().find(|other| other.row == row.row) else {
                from.insert(row.row.clone(), (*folder).to_owned());
                whole.rows.push(row.clone());
                continue;
            };
            // Nothing was found out then; what was is not asked twice.
            let (Some(why), Conclusion::NoVerdict) = (&earlier.why, earlier.verdict) else {
                bail!("row {}: {} and {shown} both answer it; leave one out", row.row, from[&row.row].display());
            };
            let tries = [earlier.tries.clone(), vec![why.clone()], row.tries.clone()].concat();
            *earlier = RowReport { tries, ..row.clone() };
            from.insert(row.row.clone(), (*folder).to_owned());
        }
        whole.started = whole.started.min(part.started);
        whole.finished = whole.finished.max(part.finished);
    }
    whole.conclude();
    let missing: Vec<_> = whole.missing().collect();
    if !missing.is_empty() {
        let names = missing.join(",");
        bail!(
            "{} of {} rows are missing{}: {names}; run them with `kverify matrix {} --only {names}` and the options of the parts, and merge again with that folder",
            missing.len(),
            whole.all.len(),
            absent(parts),
            whole.matrix
        );
    }
    Ok((whole, from))
}

/// Which parts are not there, where all that are there say how many there are.
fn absent(parts: &[(&Path, MatrixReport)]) -> String {
    let shards: Vec<_> = parts.iter().filter_map(|(_, part)| part.shard).collect();
    let Some(of) = shards.first().map(|shard| shard.of).filter(|of| *of <= 10_000) else { return String::new() };
    let there = |number: &usize| shards.iter().any(|shard| shard.number == *number);
    let absent: Vec<_> = (1..=of).filter(|number| !there(number)).map(|number| number.to_string()).collect();
    if absent.is_empty() { String::new() } else { format!(", with parts {} of {of}", absent.join(", ")) }
}

/// What the parts were compared with has to be the same: sheets may have been changed between them.
#[derive(Default)]
struct Alike(BTreeMap<String, (String, String, PathBuf)>);

impl Alike {
    fn add(&mut self, expect: &str, report: &Report, folder: &Path) -> anyhow::Result<()> {
        let now = (report.expectation.digest.clone(), report.check_set.clone(), folder.to_owned());
        let first = self.0.entry(expect.to_owned()).or_insert_with(|| now.clone());
        if (&first.0, &first.1) != (&now.0, &now.1) {
            bail!(
                "{} and {}: both were compared with {expect}, and it was not the same then; run one of them again",
                first.2.display(),
                folder.display()
            );
        }
        Ok(())
    }
}

/// The outcomes of a row: those of its report, which has to say what the record says.
fn outcomes_of(row: &RowReport, folder: &Path, alike: &mut Alike) -> anyhow::Result<Vec<Outcome>> {
    if let Some(why) = &row.why {
        // Without a report nothing is verified.
        if !matches!(row.verdict, Conclusion::NoVerdict | Conclusion::Refuted) {
            bail!(
                "{}: {MATRIX} says that row {} is {}, and that it has no report",
                folder.display(),
                row.row,
                row.verdict
            );
        }
        let outcome = |(check, status): (&String, &Status)| Outcome {
            why: Some(why.clone()),
            ..Outcome::new(check.clone(), *status)
        };
        return Ok(row.checks.iter().map(outcome).collect());
    }
    if fs::symlink_metadata(folder).with_context(|| folder.display().to_string())?.is_symlink() {
        bail!("{}: a link, and no folder of a report", folder.display());
    }
    let path = folder.join(REPORT);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let report: Report = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
    let checks: BTreeMap<_, _> =
        report.outcomes.iter().map(|outcome| (outcome.check.clone(), outcome.status)).collect();
    let says = Conclusion::of(&report.outcomes);
    if checks != row.checks
        || Some(&report.subject) != row.image.as_ref()
        || says != row.verdict
        || says != report.verdict
    {
        bail!("{}: it does not say what {MATRIX} beside it says of row {}", path.display(), row.row);
    }
    alike.add(&row.expect, &report, folder)?;
    Ok(report.outcomes)
}

/// Copies the files of a report; it has no folders.
fn copied(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).with_context(|| entry.path().display().to_string())?;
        }
    }
    Ok(())
}
