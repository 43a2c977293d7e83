//! One call of kverify, and what it said.

use std::{
    ffi::OsStr,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
};

use crate::running::Running;

/// A call to be made.
pub(crate) struct Call(Command);

/// What came of one.
#[derive(Debug)]
pub(crate) struct Said {
    /// The exit status; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Call {
    pub(crate) fn new(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command)
    }

    pub(crate) fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.0.arg(word);
        self
    }

    /// Adds words parted by blanks.
    pub(crate) fn args(mut self, line: &str) -> Self {
        self.0.args(line.split(' ').filter(|word| !word.is_empty()));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Lets it find programs in one folder only.
    pub(crate) fn finding_programs_in(self, folder: &Path) -> Self {
        self.env("PATH", folder)
    }

    /// Waits for its end.
    pub(crate) fn said(mut self) -> Said {
        let output = self.0.output().unwrap();
        Said {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Lets it run, in a process group of its own as a terminal would.
    pub(crate) fn start(mut self) -> Running {
        Running::new(self.0.process_group(0).spawn().unwrap())
    }
}

impl Said {
    #[track_caller]
    pub(crate) fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// No verdict, and `line` is the reason that it ends with; nothing on standard output.
    #[track_caller]
    pub(crate) fn no_verdict(&self, line: &str) -> &Self {
        self.exits(2);
        assert_eq!(self.reason(), line, "{self}");
        assert_eq!(self.stdout, "", "{self}");
        self
    }

    /// What follows `kverify: ` in the last line of standard error.
    #[track_caller]
    pub(crate) fn reason(&self) -> &str {
        let last = self.stderr.lines().last().unwrap_or_default();
        last.strip_prefix("kverify: ").unwrap_or_else(|| panic!("no reason: {self}"))
    }

    /// Standard output has this line, but for blanks around it.
    #[track_caller]
    pub(crate) fn shows(&self, line: &str) -> &Self {
        assert!(self.stdout.lines().any(|said| said.trim() == line), "no line `{line}`: {self}");
        self
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {:?}\nstdout: {}\nstderr: {}", self.code, self.stdout, self.stderr)
    }
}
