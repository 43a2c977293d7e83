//! A matrix file as it is written, and how it becomes rows.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;
use kverify_checks::{
    Expectation, Origin,
    scenarios::{Bus, Scenario},
};
use serde::Deserialize;
use toml::Spanned;

use super::{
    FileSource, Matrix, MatrixError, Row, Wanted,
    hardware::{Axes, Hardware},
};
use crate::{
    book,
    gate::{PublicKey, Waivers},
    image::Digest,
    machine::FirmwareChoice,
    run::{cloud_named, scenario_named},
    span::span,
};

/// Most characters of a row's name.
const LONGEST_NAME: usize = 100;
/// The longest that a machine may take.
const LONGEST_TIME: Duration = Duration::from_hours(24);

/// Whether a row can be called so: it names tests and a folder.
pub(crate) fn is_row_name(name: &str) -> bool {
    let letter = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    // What the values of axes add may be longer.
    !name.is_empty() && name.len() <= LONGEST_NAME + 50 && !name.starts_with('.') && name.chars().all(letter)
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    row: Vec<WrittenRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenRow {
    name: Spanned<String>,
    image: WrittenFile,
    #[serde(default)]
    firmware_vars: Option<WrittenFile>,
    #[serde(default)]
    firmware: Option<FirmwareChoice>,
    expect: Spanned<String>,
    #[serde(default)]
    digest: Option<Spanned<String>>,
    #[serde(default)]
    scenarios: Vec<Spanned<String>>,
    #[serde(default)]
    clouds: Vec<Spanned<String>>,
    #[serde(default)]
    waivers: Option<Spanned<PathBuf>>,
    #[serde(default)]
    bus: Option<Bus>,
    #[serde(default)]
    memory: Option<u64>,
    #[serde(default)]
    cpus: Option<u32>,
    #[serde(default)]
    timeout: Option<Spanned<String>>,
    #[serde(default)]
    axes: Option<Spanned<Axes>>,
    #[serde(default)]
    exclude: Vec<Spanned<Hardware>>,
    #[serde(default)]
    include: Vec<Spanned<Hardware>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenFile {
    Channel(Spanned<WrittenChannel>),
    File(Spanned<PathBuf>),
    Glob(Spanned<String>),
    Command(Spanned<Vec<String>>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenChannel {
    name: String,
    store: String,
    trust: Vec<PathBuf>,
    #[serde(default)]
    at_least: Option<u64>,
}

/// A matrix file that is being read.
pub(super) struct Page<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl Page<'_> {
    /// The rows, or what is wrong with one of them.
    pub(super) fn matrix(&self) -> Result<Matrix, MatrixError> {
        let written: Written = toml::from_str(self.text)
            .map_err(|error| self.invalid(error.span().map_or(0, |span| span.start), error.message()))?;
        let mut lines: BTreeMap<String, usize> = BTreeMap::new();
        let mut rows = Vec::new();
        for row in written.row {
            let at = row.name.span().start;
            for row in self.rows(row)? {
                if let Some(line) = lines.insert(row.name.clone(), self.at(at).line) {
                    let message = format!("a second row called `{}`; the first is in line {line}", row.name);
                    return Err(self.invalid(at, &message));
                }
                rows.push(row);
            }
        }
        if rows.is_empty() {
            return Err(MatrixError::Empty(self.path.to_owned()));
        }
        Ok(Matrix { rows, digest: Digest::of(self.text.as_bytes()) })
    }

    /// The rows that a table stands for: one, or one for each value of its axes.
    fn rows(&self, row: WrittenRow) -> Result<Vec<Row>, MatrixError> {
        let at = row.name.span().start;
        let common = Hardware { firmware: row.firmware, bus: row.bus, memory: row.memory, cpus: row.cpus };
        let axes_at = row.axes.as_ref().map_or(at, |axes| axes.span().start);
        let mut each = row.axes.as_ref().map_or_else(|| vec![Hardware::default()], |axes| axes.get_ref().each());
        for one in &row.exclude {
            let before = each.len();
            each.retain(|each| !each.is(one.get_ref()));
            if *one.get_ref() == Hardware::default() || each.len() == before {
                return Err(self.invalid(one.span().start, "it excludes no row of these axes"));
            }
        }
        if each.is_empty() {
            return Err(self.invalid(axes_at, "every row of these axes is excluded"));
        }
        for one in &row.include {
            if each.contains(one.get_ref()) {
                return Err(self.invalid(one.span().start, "it includes a row that the axes make already"));
            }
            each.push(*one.get_ref());
        }
        let one = self.row(row)?;
        each.into_iter()
            .map(|hardware| {
                let hardware_there = common.with(hardware);
                if let Some(wrong) = hardware_there.wrong() {
                    return Err(self.invalid(axes_at, &wrong));
                }
                let name = format!("{}{}", one.name, hardware.ending());
                Ok(Row { name, hardware: hardware_there, ..one.clone() })
            })
            .collect()
    }

    fn row(&self, row: WrittenRow) -> Result<Row, MatrixError> {
        let name = self.name(&row.name)?;
        let image = self.file("image", row.image)?;
        let firmware_vars = row.firmware_vars.map(|file| self.file("firmware-vars", file));
        let (expect, expectation) = self.expectation(&row.expect)?;
        let digest = row.digest.map(|digest| {
            let wrong = |_| self.invalid(digest.span().start, "no digest; sha256: and 64 hex digits are wanted");
            digest.get_ref().parse::<Digest>().map_err(wrong)
        });
        let timeout = row.timeout.map(|time| self.time(&time));
        let waivers = row.waivers.map(|path| self.waivers(&path));
        Ok(Row {
            name,
            image,
            digest: digest.transpose()?,
            expect,
            expectation,
            scenarios: self.scenarios(&row.scenarios, &row.clouds)?,
            waivers: waivers.transpose()?.unwrap_or_default(),
            hardware: Hardware::default(),
            firmware_vars: firmware_vars.transpose()?,
            timeout: timeout.transpose()?,
        })
    }

    fn name(&self, name: &Spanned<String>) -> Result<String, MatrixError> {
        let (at, name) = (name.span().start, name.get_ref());
        if name.len() > LONGEST_NAME || !is_row_name(name) {
            let message = format!(
                "`{}` is no name for a row: it names tests and a folder, so at most {LONGEST_NAME} letters, digits, \
                 `-`, `_` and `.`, and no `.` first",
                name.escape_default()
            );
            return Err(self.invalid(at, &message));
        }
        Ok(name.clone())
    }

    fn file(&self, key: &'static str, file: WrittenFile) -> Result<Wanted, MatrixError> {
        let (at, source) = match file {
            WrittenFile::Channel(channel) if key == "image" => {
                (channel.span().start, self.channel(channel.span().start, channel.into_inner())?)
            }
            WrittenFile::Channel(channel) => {
                return Err(self.invalid(channel.span().start, "a channel points to images, and to nothing else"));
            }
            WrittenFile::File(file) => (file.span().start, FileSource::File(self.folder().join(file.into_inner()))),
            WrittenFile::Glob(pattern) => {
                let at = pattern.span().start;
                let (folder, name) = pattern.get_ref().rsplit_once('/').unwrap_or((".", pattern.get_ref()));
                if folder.contains(['*', '?']) || !name.contains(['*', '?']) {
                    return Err(
                        self.invalid(at, "a path whose last part holds a `*` or a `?` is wanted, and no other part")
                    );
                }
                (at, FileSource::Glob { folder: self.folder().join(folder), name: name.to_owned() })
            }
            WrittenFile::Command(words) => {
                let at = words.span().start;
                let words = words.into_inner();
                if words.first().is_none_or(String::is_empty) {
                    return Err(self.invalid(at, "an empty command; its first word is the program that gets the file"));
                }
                (at, FileSource::Command { words, folder: self.folder() })
            }
        };
        Ok(Wanted { key, source, at: self.at(at) })
    }

    fn channel(&self, at: usize, channel: WrittenChannel) -> Result<FileSource, MatrixError> {
        let WrittenChannel { name, store, trust, at_least } = channel;
        if trust.is_empty() {
            return Err(self.invalid(at, "nobody's signatures are believed; trust = [\"gate.pub\"] names a public key"));
        }
        let key = |path: &PathBuf| {
            let file = self.folder().join(path);
            let wrong = |why: String| self.invalid(at, &format!("{}: {why}", file.display()));
            let line = std::fs::read_to_string(&file).map_err(|error| wrong(error.to_string()))?;
            PublicKey::parse(&line).map_err(|error| wrong(error.to_string()))
        };
        let trusted = trust.iter().map(key).collect::<Result<_, _>>()?;
        // A bucket is the same from everywhere.
        let store = if store.contains("://") { store } else { self.folder().join(store).display().to_string() };
        Ok(FileSource::Channel { name, store, trusted, least: at_least.unwrap_or(1) })
    }

    fn time(&self, time: &Spanned<String>) -> Result<Duration, MatrixError> {
        let parsed = span(time.get_ref()).filter(|time| !time.is_zero() && *time <= LONGEST_TIME);
        parsed.ok_or_else(|| {
            self.invalid(time.span().start, "a time of at most a day is wanted, as in 90s, 10m or 1h30m")
        })
    }

    /// The waivers of a file; one that has ended is an error here, and not a surprise when the row is over.
    fn waivers(&self, path: &Spanned<PathBuf>) -> Result<Waivers, MatrixError> {
        let wrong = |why: String| self.invalid(path.span().start, &why);
        let file = self.folder().join(path.get_ref());
        let text = std::fs::read_to_string(&file).map_err(|error| wrong(format!("{}: {error}", file.display())))?;
        let waivers = Waivers::parse(&text).map_err(|error| wrong(format!("{}: {error}", file.display())))?;
        match waivers.ended(Timestamp::now()) {
            Some(waiver) => Err(wrong(format!(
                "{}: the waiver of `{}` for {} has ended: {waiver}; remove it, or say until when it is borne",
                file.display(),
                waiver.check,
                waiver.image
            ))),
            None => Ok(waivers),
        }
    }

    fn scenarios(&self, named: &[Spanned<String>], clouds: &[Spanned<String>]) -> Result<Vec<Scenario>, MatrixError> {
        let mut scenarios: Vec<Scenario> = Vec::new();
        let named = named.iter().map(|name| (name, scenario_named(name.get_ref(), &self.folder())));
        for (name, found) in named.chain(clouds.iter().map(|name| (name, cloud_named(name.get_ref())))) {
            let wrong = |message: &str| self.invalid(name.span().start, message);
            let scenario = found.map_err(|message| wrong(&message))?;
            if scenarios.iter().any(|other| other.name == scenario.name) {
                return Err(wrong(&format!("a second scenario called `{}`", scenario.name)));
            }
            scenarios.push(scenario);
        }
        Ok(scenarios)
    }

    fn expectation(&self, expect: &Spanned<String>) -> Result<(String, Expectation), MatrixError> {
        let at = || self.at(expect.span().start);
        let mut book = book::built_in();
        let mut given = expect.get_ref().clone();
        let name = if book::is_file(&given) {
            let path = self.folder().join(&given);
            given = path.display().to_string();
            book::add_file(&mut book, &path).map_err(|source| MatrixError::Sheet { at: at(), source })?
        } else {
            given.clone()
        };
        let resolved = book.resolve(&name).map_err(|source| MatrixError::Expect { at: at(), source })?;
        Ok((given, *resolved.expectation))
    }

    fn folder(&self) -> PathBuf {
        match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder.to_owned(),
            _ => PathBuf::from("."),
        }
    }

    fn at(&self, byte: usize) -> Origin {
        let line = self.text.as_bytes().iter().take(byte).filter(|byte| **byte == b'\n').count() + 1;
        Origin { file: self.path.display().to_string(), line }
    }

    fn invalid(&self, byte: usize, message: &str) -> MatrixError {
        MatrixError::Invalid { at: self.at(byte), message: message.to_owned() }
    }
}
