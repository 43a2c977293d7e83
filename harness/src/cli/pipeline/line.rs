//! A command line of a pipeline, which knows which of its words are files.

use std::{
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use crate::{pipeline::journal::Journal, shell::quoted};

/// A word of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Word {
    /// What it says.
    Text(OsString),
    /// A file or folder that is read: what it holds counts, and not where it is.
    Read(PathBuf),
    /// A file whose name counts too.
    Named(PathBuf),
    /// Where what comes out is sent, or how: what was made is the same wherever it goes.
    Sent(OsString),
    /// What comes out, or what changes nothing about it.
    Uncounted(OsString),
}

/// A command line, without the `kverify` before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Line(pub(in crate::cli) Vec<Word>);

impl Word {
    pub(in crate::cli) fn text(text: impl Into<OsString>) -> Self {
        Self::Text(text.into())
    }

    pub(in crate::cli) fn said(&self) -> &OsStr {
        match self {
            Self::Text(text) | Self::Sent(text) | Self::Uncounted(text) => text,
            Self::Read(path) | Self::Named(path) => path.as_os_str(),
        }
    }
}

impl Line {
    /// A line of words that count as they stand.
    pub(in crate::cli) fn of(words: &[&str]) -> Self {
        Self(words.iter().map(Word::text).collect())
    }

    pub(in crate::cli) fn text(mut self, word: impl Into<OsString>) -> Self {
        self.0.push(Word::text(word));
        self
    }

    pub(in crate::cli) fn read(mut self, path: impl Into<PathBuf>) -> Self {
        self.0.push(Word::Read(path.into()));
        self
    }

    pub(in crate::cli) fn made(mut self, path: &Path) -> Self {
        self.0.push(Word::Uncounted(path.into()));
        self
    }

    pub(in crate::cli) fn and(mut self, words: Vec<Word>) -> Self {
        self.0.extend(words);
        self
    }

    /// Whether an option is given.
    pub(in crate::cli) fn has(&self, option: &str) -> bool {
        self.0.iter().any(|word| matches!(word, Word::Text(text) if text == option))
    }

    /// The line without what says where something is sent.
    pub(in crate::cli) fn unsent(&self) -> Self {
        Self(self.0.iter().filter(|word| !matches!(word, Word::Sent(_))).cloned().collect())
    }

    /// The files that it reads.
    pub(in crate::cli) fn reads(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().filter_map(|word| match word {
            Word::Read(path) | Word::Named(path) => Some(path.as_path()),
            _ => None,
        })
    }

    /// The words as they are given to the command, `kverify` before them.
    pub(in crate::cli) fn words(&self) -> impl Iterator<Item = OsString> {
        [OsString::from("kverify")].into_iter().chain(self.0.iter().map(|word| word.said().to_owned()))
    }

    /// The line as it is typed into a shell.
    pub(in crate::cli) fn shown(&self) -> String {
        self.words().map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
    }

    /// Adds all that counts to a hash.
    pub(in crate::cli) fn count(&self, hash: &mut Sha256, journal: &mut Journal) -> Result<(), (PathBuf, io::Error)> {
        for word in &self.0 {
            let (kind, counted) = match word {
                Word::Uncounted(_) => continue,
                Word::Text(text) => (b"t", text.as_encoded_bytes().to_vec()),
                Word::Sent(text) => (b"s", text.as_encoded_bytes().to_vec()),
                Word::Read(path) => {
                    let digest = journal.digest_of_all(path).map_err(|why| (path.clone(), why))?;
                    (b"r", digest.to_string().into_bytes())
                }
                Word::Named(path) => {
                    let digest = journal.digest(path).map_err(|why| (path.clone(), why))?;
                    (b"n", format!("{digest} {}", path.display()).into_bytes())
                }
            };
            hash.update(kind);
            hash.update((counted.len() as u64).to_le_bytes());
            hash.update(counted);
        }
        hash.update(b"e");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use sha2::{Digest as _, Sha256};

    use super::{Line, Word, quoted};
    use crate::pipeline::journal::Journal;

    #[test]
    fn what_is_read_counts_by_what_it_holds_and_what_is_made_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("one"), "same").unwrap();
        fs::write(at("two"), "same").unwrap();
        fs::write(at("three"), "other").unwrap();
        let mut journal = Journal::look(folder.path());
        let mut counted = |line: Line| {
            let mut hash = Sha256::new();
            line.count(&mut hash, &mut journal).unwrap();
            hash.finalize()
        };
        let line = || Line::of(&["seal"]).read(at("one")).text("--out").made(&at("out"));
        let same = counted(line());
        assert_eq!(same, counted(Line::of(&["seal"]).read(at("two")).text("--out").made(&at("elsewhere"))));
        assert_ne!(same, counted(Line::of(&["seal"]).read(at("three")).text("--out").made(&at("out"))));
        assert_ne!(same, counted(line().text("--keep-passwords")));
        assert_eq!(
            same,
            counted({
                let mut line = line();
                line.0.extend(["--timeout", "90"].map(|word| Word::Uncounted(word.into())));
                line
            })
        );
        let sent = |to: &str| {
            let mut line = line();
            line.0.push(Word::Sent(to.into()));
            line
        };
        assert_ne!(counted(sent("here:")), counted(sent("there:")));
        assert_eq!(same, counted(sent("here:").unsent()));
        let named = |name: &str| Line(vec![Word::Named(at(name))]);
        assert_ne!(counted(named("one")), counted(named("two")));
        // Where a word ends counts.
        assert_ne!(counted(Line::of(&["a", "bc"])), counted(Line::of(&["ab", "c"])));
        let mut hash = Sha256::new();
        let (path, _) = Line::of(&[]).read(at("gone")).count(&mut hash, &mut journal).unwrap_err();
        assert_eq!(path, at("gone"));
    }

    #[test]
    fn a_shell_reads_the_words_back() {
        for word in ["plain", "two words", "", "it's $HOME `id`", "a\nb"] {
            let line = format!("printf %s {}", quoted(word));
            let read = Command::new("sh").args(["-c", &line]).output().unwrap().stdout;
            assert_eq!(String::from_utf8(read).unwrap(), word);
        }
    }
}
