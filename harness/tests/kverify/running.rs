//! A kverify that still runs: heard line by line, signalled, and looked for in the list of processes.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStderr, ChildStdout},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::call::Said;

/// How long the processes of one that ended may take to be gone: the host may be busy.
const GONE: Duration = Duration::from_mins(1);

/// A started kverify; killed if the test ends first.
pub(crate) struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: BufReader<ChildStderr>,
    heard: String,
}

impl Running {
    pub(crate) fn new(mut child: Child) -> Self {
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stdout, stderr, heard: String::new() }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits until a line of standard error begins with `words`.
    pub(crate) fn wait_for(&mut self, words: &str) {
        loop {
            let mut line = String::new();
            let length = self.stderr.read_line(&mut line).unwrap();
            self.heard.push_str(&line);
            assert!(length > 0, "it ended before it said `{words}`: {}", self.heard);
            if line.starts_with(words) {
                return;
            }
        }
    }

    /// The next line of standard output, which [`Running::said`] then lacks.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Signals it alone, as `kill` does.
    pub(crate) fn kill(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Signals it and all that it started, as Ctrl-C on a terminal does.
    pub(crate) fn kill_group(&self, signal: Signal) {
        kill_process_group(self.pid(), signal).unwrap();
    }

    /// The command lines of programs that were given a file of its own: QEMU, qemu-img.
    pub(crate) fn helpers(&self) -> Vec<String> {
        let file_of_its_own = format!("/proc/{}/fd/", self.child.id());
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
        let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
        lines.filter(|line| line.contains(&file_of_its_own)).collect()
    }

    /// Waits for its end, and for that of its helpers.
    pub(crate) fn said(mut self) -> Said {
        self.stderr.read_to_string(&mut self.heard).unwrap();
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).unwrap();
        let code = self.child.wait().unwrap().code();
        let since = Instant::now();
        while !self.helpers().is_empty() {
            assert!(since.elapsed() < GONE, "still there: {:?}", self.helpers());
            sleep(Duration::from_millis(50));
        }
        Said { code, stdout, stderr: std::mem::take(&mut self.heard) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
