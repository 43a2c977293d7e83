//! Expectations: what an image is expected to be, as TOML with `extends`, merged before it is typed.
//!
//! Every value keeps the place where it was written, so that a failure can say `want off (debian-13.toml:42)`.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::{Spanned, Table, Value, de::DeValue};

use crate::{boot, cloud, console, image, modules, network, packages, seal, security, zfs};

/// What an image is expected to be. A value that is absent is not asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expectation {
    /// The file this one builds on; resolved before typing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
    /// Where the values come from, for a distro that was not booted here: public addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// The boot.
    pub boot: boot::Expected,
    /// cloud-init and the platforms.
    pub cloud: cloud::Expected,
    /// The serial console.
    pub console: console::Expected,
    /// The image file.
    pub image: image::Expected,
    /// Kernel modules.
    pub modules: modules::Expected,
    /// The network.
    pub network: network::Expected,
    /// The packages.
    pub packages: packages::Expected,
    /// What a sealed image must be.
    pub seal: seal::Expected,
    /// Security.
    pub security: security::Expected,
    /// Pools and datasets.
    pub zfs: zfs::Expected,
}

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file's name, as the book knows it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// An expectation with the places of its values.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The name it was asked by.
    pub name: String,
    /// The typed values.
    pub expectation: Box<Expectation>,
    /// The same before they were typed.
    values: Table,
    /// Dotted key to place.
    origins: BTreeMap<String, Origin>,
}

impl Resolved {
    /// Where the value of `key` was written; for a table, where its first value was.
    #[must_use]
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        let inside = format!("{key}.");
        self.origins.get(key).or_else(|| {
            self.origins.range(inside.clone()..).find(|(at, _)| at.starts_with(&inside)).map(|(_, origin)| origin)
        })
    }

    /// The typed values with those of `over` in the place of its own, as a file has them that extends this one.
    ///
    /// # Errors
    /// [`ExpectError::Over`] if a value of `over` is of the wrong kind or name.
    pub fn with(&self, over: &Table) -> Result<Expectation, ExpectError> {
        if over.contains_key("extends") {
            return Err(ExpectError::Over("`extends` belongs into a file".to_owned()));
        }
        let mut values = self.values.clone();
        merge(&mut values, over.clone());
        let typed = Expectation::deserialize(Value::Table(values));
        typed.map_err(|error| ExpectError::Over(error.message().to_owned()))
    }
}

/// Why an expectation could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ExpectError {
    /// No file of that name in the book.
    #[error("no expectation is called `{name}`; there are: {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A file extends itself, directly or not.
    #[error("{0}: `extends` goes in a circle")]
    Circle(String),
    /// Not TOML, or a value of the wrong kind or name.
    #[error("{file}:{line}: {message}")]
    Invalid {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What the reader says.
        message: String,
    },
    /// A value that was put in the place of another is of the wrong kind or name.
    #[error("{0}")]
    Over(String),
}

/// The expectation files there are, by name without `.toml`.
#[derive(Clone, Debug, Default)]
pub struct Book {
    files: BTreeMap<String, String>,
}

impl Book {
    /// A book of `(name, text)`; a later text of the same name takes the earlier one's place.
    pub fn new<N: Into<String>, T: Into<String>>(files: impl IntoIterator<Item = (N, T)>) -> Self {
        Self { files: files.into_iter().map(|(name, text)| (name.into(), text.into())).collect() }
    }

    /// The names in the book, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Whether there is a file of that name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// Adds a file.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) {
        self.files.insert(name.into(), text.into());
    }

    /// Reads `name` with all that it extends.
    ///
    /// # Errors
    /// [`ExpectError`] names the file and the line.
    pub fn resolve(&self, name: &str) -> Result<Resolved, ExpectError> {
        let mut merged = Table::new();
        let mut origins = BTreeMap::new();
        for (layer, read) in self.chain(name)? {
            let file = format!("{layer}.toml");
            merge(&mut merged, read.table);
            origins.extend(read.lines.into_iter().map(|(key, line)| (key, Origin { file: file.clone(), line })));
        }
        merged.remove("extends");
        let expectation = Expectation::deserialize(Value::Table(merged.clone())).map_err(|error| {
            ExpectError::Invalid { file: format!("{name}.toml"), line: 1, message: error.message().to_owned() }
        })?;
        Ok(Resolved { name: name.to_owned(), expectation: Box::new(expectation), values: merged, origins })
    }

    /// The files behind `name`, the most general first.
    fn chain(&self, name: &str) -> Result<Vec<(&str, Read)>, ExpectError> {
        let mut chain: Vec<(&str, Read)> = Vec::new();
        let mut next = Some(name.to_owned());
        while let Some(name) = next {
            let Some((key, text)) = self.files.get_key_value(&name) else {
                return Err(ExpectError::Unknown {
                    name,
                    known: self.files.keys().cloned().collect::<Vec<_>>().join(", "),
                });
            };
            if chain.iter().any(|(seen, _)| seen == key) {
                return Err(ExpectError::Circle(format!("{name}.toml")));
            }
            let read = read(&format!("{name}.toml"), text)?;
            next = read.table.get("extends").and_then(Value::as_str).map(str::to_owned);
            chain.push((key, read));
        }
        chain.reverse();
        Ok(chain)
    }
}

/// One file: its values, and the line of each by dotted key.
struct Read {
    table: Table,
    lines: BTreeMap<String, usize>,
}

fn read(file: &str, text: &str) -> Result<Read, ExpectError> {
    let invalid = |error: &toml::de::Error| ExpectError::Invalid {
        file: file.to_owned(),
        line: line_of(text, error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    };
    // Typed once alone, so that a wrong name or kind is reported with its line.
    toml::from_str::<Expectation>(text).map_err(|error| invalid(&error))?;
    let table = toml::from_str::<Table>(text).map_err(|error| invalid(&error))?;
    let spanned = toml::de::DeTable::parse(text).map_err(|error| invalid(&error))?;
    let mut lines = BTreeMap::new();
    for (key, value) in spanned.get_ref() {
        note_lines(text, key.get_ref(), key.span().start, value, &mut lines);
    }
    Ok(Read { table, lines })
}

fn note_lines(text: &str, key: &str, at: usize, value: &Spanned<DeValue<'_>>, lines: &mut BTreeMap<String, usize>) {
    if let DeValue::Table(table) = value.get_ref() {
        for (name, inner) in table {
            note_lines(text, &format!("{key}.{}", name.get_ref()), name.span().start, inner, lines);
        }
    } else {
        lines.insert(key.to_owned(), line_of(text, at));
    }
}

/// The line of a byte of `text`, from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

/// The value at a dotted key.
#[must_use]
pub fn at<'v>(values: &'v Table, key: &str) -> Option<&'v Value> {
    let (first, rest) = key.split_once('.').map_or((key, None), |(first, rest)| (first, Some(rest)));
    let value = values.get(first)?;
    rest.map_or(Some(value), |rest| at(value.as_table()?, rest))
}

/// Tables merge, everything else replaces.
fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Book, ExpectError};

    #[test]
    fn a_value_knows_the_file_and_line_that_wrote_it() {
        let book = Book::new([
            ("base", "[zfs]\npool = \"tank\"\n"),
            ("mine", "extends = \"base\"\n\n[zfs]\n# mine\npool = \"rpool\"\n"),
        ]);
        let mine = book.resolve("mine").unwrap();
        assert_eq!(mine.expectation.zfs.pool.as_deref(), Some("rpool"));
        assert_eq!(mine.origin("zfs.pool").unwrap().to_string(), "mine.toml:5");
        assert_eq!(mine.origin("zfs").unwrap().to_string(), "mine.toml:5");
        let base = book.resolve("base").unwrap();
        assert_eq!(base.origin("zfs.pool").unwrap().to_string(), "base.toml:2");
    }

    #[test]
    fn a_wrong_key_is_named_with_its_line() {
        let book = Book::new([("bad", "[zfs]\npool = \"rpool\"\npoool = \"x\"\n")]);
        let error = book.resolve("bad").unwrap_err().to_string();
        assert!(error.starts_with("bad.toml:3: unknown field `poool`"), "{error}");
    }

    #[test]
    fn values_are_put_over_others_as_a_file_does_that_extends_them() {
        let base = "[zfs]\npool = \"tank\"\nproperties = { tank = { atime = \"off\", compression = \"lz4\" } }\n";
        let over = "[zfs]\nproperties = { tank = { compression = \"zstd\" } }\n";
        let book = Book::new([("base", base.to_owned()), ("mine", format!("extends = \"base\"\n{over}"))]);
        let base = book.resolve("base").unwrap();
        let table = |text| toml::from_str(text).unwrap();
        assert_eq!(base.with(&table(over)).unwrap(), *book.resolve("mine").unwrap().expectation);
        for (wrong, why) in [("zfs = { poool = 'x' }", "unknown field `poool`"), ("extends = 'mine'", "`extends`")] {
            let error = base.with(&table(wrong)).unwrap_err().to_string();
            assert!(error.starts_with(why), "{error}");
        }
    }

    #[test]
    fn a_circle_and_an_unknown_name_are_errors() {
        let book = Book::new([("a", "extends = \"b\""), ("b", "extends = \"a\"")]);
        assert!(matches!(book.resolve("a"), Err(ExpectError::Circle(_))));
        assert!(matches!(book.resolve("c"), Err(ExpectError::Unknown { .. })));
    }
}
