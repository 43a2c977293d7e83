//! Commands for `sftp -b -`, one a line; the first that fails ends all.

use std::fmt::Write as _;

/// What sftp writes before it repeats a command that it was given.
const PROMPT: &str = "sftp> ";

/// Commands that are done one after the other in one folder.
pub(super) struct Batch(String);

impl Batch {
    /// Commands that are done in this folder.
    pub(super) fn within(folder: &str) -> Self {
        Self(String::new()).command("cd", &[folder])
    }

    /// Asks how much room there is, of a server that can say it.
    pub(super) fn room(self) -> Self {
        self.command("-df", &[])
    }

    /// Lists all that is there.
    pub(super) fn list(self) -> Self {
        self.command("ls -lan", &[])
    }

    /// Sends a file.
    pub(super) fn put(self, name: &str, part: &str) -> Self {
        self.command("put", &[name, part])
    }

    /// Sends what is missing of a file whose beginning is there.
    pub(super) fn go_on(self, name: &str, part: &str) -> Self {
        self.command("reput", &[name, part])
    }

    /// Gets a file.
    pub(super) fn get(self, name: &str, to: &str) -> Self {
        self.command("get", &[name, to])
    }

    /// Gives a file a name that nothing has: the rename of SFTP, and not the one of POSIX, which writes over what is there.
    pub(super) fn rename(self, from: &str, to: &str) -> Self {
        self.command("rename -l", &[from, to])
    }

    /// Removes a file.
    pub(super) fn remove(self, name: &str) -> Self {
        self.command("rm", &[name])
    }

    /// Makes a folder and removes it again.
    pub(super) fn try_folder(self, name: &str) -> Self {
        self.command("mkdir", &[name]).command("rmdir", &[name])
    }

    fn command(mut self, command: &str, words: &[&str]) -> Self {
        self.0.push_str(command);
        for word in words {
            // A string takes whatever is written.
            let _ = write!(self.0, " {}", quoted(word));
        }
        self.0.push('\n');
        self
    }

    /// The lines.
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

/// A word as sftp reads it back. Within quotes it takes `*`, `?` and `[` for themselves.
fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The command that a line of sftp's output repeats.
pub(super) fn command_of(line: &str) -> Option<&str> {
    line.strip_prefix(PROMPT)
}

#[cfg(test)]
mod tests {
    use super::{Batch, command_of};

    #[test]
    fn a_word_is_one_word_whatever_it_holds() {
        let batch = Batch::within(r#"/a "b" \c 'd' *"#).put("e", ".e.part").rename(".e.part", "e");
        let lines: Vec<_> = batch.text().lines().collect();
        assert_eq!(lines, [r#"cd "/a \"b\" \\c 'd' *""#, r#"put "e" ".e.part""#, r#"rename -l ".e.part" "e""#]);
        assert_eq!(command_of("sftp> ls -lan"), Some("ls -lan"));
        assert_eq!(command_of("-rw-r--r--"), None);
    }
}
