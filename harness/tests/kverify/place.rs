//! A folder of a test's own: the working directory, temporary folder and scratch of each kverify that is run in it.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::call::Call;

/// The words that make a machine small and the same on every host.
pub(crate) const SMALL: &str = "--accel tcg --memory 256 --cpus 1 --scratch scratch";

/// The folder; it goes with this.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for name in ["scratch", "tmp"] {
            fs::create_dir(place.path(name)).unwrap();
        }
        place
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    /// A blank disk of 64 MiB: an image that can be opened.
    pub(crate) fn blank(&self) -> PathBuf {
        let path = self.file("blank.raw", "");
        fs::File::options().write(true).open(&path).unwrap().set_len(64 << 20).unwrap();
        path
    }

    /// What is in one of its folders, sorted; `""` is the folder itself.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Runs another program in it, given as words parted by blanks, and gives what it says.
    pub(crate) fn run(&self, line: &str) -> String {
        let mut words = line.split(' ');
        let run = Command::new(words.next().unwrap()).args(words).current_dir(self.0.path()).output().unwrap();
        assert!(run.status.success(), "{line}: {}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).unwrap()
    }

    /// A call of kverify with words parted by blanks; [`Call::arg`] adds those that may hold blanks.
    pub(crate) fn kverify(&self, line: &str) -> Call {
        self.called(Command::new(env!("CARGO_BIN_EXE_kverify")), line)
    }

    /// The same on a host on which root has run `script`, in a mount namespace of its own.
    ///
    /// `None` where the test's own host allows no such namespace; that is said aloud.
    pub(crate) fn kverify_after(&self, script: &str, line: &str) -> Option<Call> {
        let command = |script: &str| {
            let mut command = Command::new("unshare");
            command.args(["--mount", "--map-root-user", "sh", "-c", script, "sh"]);
            command.arg(env!("CARGO_BIN_EXE_kverify")).current_dir(self.0.path());
            command
        };
        let tried = command(script).output();
        if tried.as_ref().is_ok_and(|tried| tried.status.success()) {
            return Some(self.called(command(&format!("set -e; {script}; exec \"$@\"")), line));
        }
        #[expect(clippy::print_stderr, reason = "a test that tests nothing must not look like one that does")]
        {
            eprintln!("SKIPPED: no mount namespace on this host: {tried:?}");
        }
        None
    }

    fn called(&self, mut command: Command, line: &str) -> Call {
        command.current_dir(self.0.path()).env("TMPDIR", self.path("tmp"));
        Call::new(command).args(line)
    }

    /// A folder for PATH in which these programs only leave a mark, which [`Place::started`] finds.
    pub(crate) fn stand_ins(&self, programs: impl IntoIterator<Item = impl AsRef<OsStr>>) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let folder = self.path("stand-ins");
        fs::create_dir_all(&folder).unwrap();
        for program in programs {
            let path = folder.join(program.as_ref());
            fs::write(&path, "#!/bin/sh\n: > \"$0.started\"\nexit 1\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        folder
    }

    /// Which stand-ins were started.
    pub(crate) fn started(&self) -> Vec<String> {
        let names = self.names("stand-ins").into_iter();
        names.filter_map(|name| Some(name.strip_suffix(".started")?.to_owned())).collect()
    }
}
