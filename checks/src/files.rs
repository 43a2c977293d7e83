//! Several small files read by one `grep -aH ""`, so that a fact of many files costs one process.
//!
//! A file that is not there is told apart from an empty one; anything else that grep complains of makes the whole
//! answer unreadable.

use std::collections::BTreeMap;

use crate::{
    fact::Unreadable,
    probe::{Exit, Output},
};

/// The files that were there, by path, with their lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Files(BTreeMap<String, Vec<String>>);

impl Files {
    /// Reads the answer of `grep -aH "" PATHS`.
    ///
    /// # Errors
    /// [`Unreadable`] if a file was there and could not be read, or a line belongs to none of `paths`.
    pub(crate) fn parse(out: &Output, paths: &[&str]) -> Result<Self, Unreadable> {
        let text = out.whole()?;
        let missing = missing(&out.stderr)?;
        let expected = match out.exit {
            Exit::Code(0) => missing.is_empty() && !text.is_empty(),
            Exit::Code(1) => missing.is_empty() && text.is_empty(),
            Exit::Code(2) => !missing.is_empty(),
            _ => false,
        };
        if !expected {
            return Err(Unreadable::new(format!("grep of {}: {}{}", paths.join(", "), out.exit, said(&out.stderr))));
        }
        let mut files: BTreeMap<_, _> =
            paths.iter().filter(|path| !missing.contains(*path)).map(|path| ((*path).to_owned(), Vec::new())).collect();
        for line in text.lines() {
            let whose = line.split_once(':').and_then(|(path, line)| Some((files.get_mut(path)?, line)));
            let (lines, line) =
                whose.ok_or_else(|| Unreadable::new(format!("a line of none of the files asked for: {line}")))?;
            lines.push(line.to_owned());
        }
        Ok(Self(files))
    }

    /// The lines of a file, none if it is empty; `None` if there is no such file.
    pub(crate) fn lines(&self, path: &str) -> Option<&[String]> {
        self.0.get(path).map(Vec::as_slice)
    }
}

/// The paths that grep says are not there.
fn missing(stderr: &str) -> Result<Vec<&str>, Unreadable> {
    let complaints = stderr.lines().filter(|line| !line.trim().is_empty());
    complaints
        .map(|line| {
            let path = line.strip_prefix("grep: ").and_then(|rest| rest.strip_suffix(": No such file or directory"));
            path.ok_or_else(|| Unreadable::new(line.trim()))
        })
        .collect()
}

fn said(stderr: &str) -> String {
    stderr.lines().next().map_or_else(String::new, |line| format!(": {line}"))
}
