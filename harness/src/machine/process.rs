//! The QEMU process: it dies with kverify, whatever kverify dies of.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::Read,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::watch;

/// How much of QEMU's own complaints is kept, in bytes.
const COMPLAINTS: u64 = 64 * 1024;

/// Why QEMU could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// A program is not there.
    #[error("{program} could not be started; on Debian, package `{package}` has it")]
    Missing {
        /// The program.
        program: &'static str,
        /// The Debian package that has it.
        package: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The thread that waits for it could not be started.
    #[error("no thread for qemu: {0}")]
    Thread(std::io::Error),
}

/// A running QEMU, killed when this is dropped.
pub(crate) struct Process {
    pid: Pid,
    exit: watch::Receiver<Option<Exited>>,
}

/// How QEMU ended.
#[derive(Clone, Debug)]
pub(crate) struct Exited {
    /// Its status in words.
    pub(crate) status: String,
    /// What it wrote to standard error.
    pub(crate) complaints: String,
}

/// The two ends of QMP.
pub(crate) struct Pipes {
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: ChildStdout,
}

impl Process {
    /// Starts QEMU, and hands it `given` as the descriptors of these numbers.
    ///
    /// # Errors
    /// [`ProcessError`] where `setpriv` or QEMU itself is missing.
    pub(crate) fn start(argv: Vec<String>, given: Vec<(i32, OwnedFd)>) -> Result<(Self, Pipes), ProcessError> {
        let (started, starting) = mpsc::channel();
        let (exited, exit) = watch::channel(None);
        // The death signal follows the thread that spawned, not the process: this one lives as long as QEMU does.
        thread::Builder::new()
            .name("qemu".to_owned())
            .spawn(move || {
                let mut child = match spawn(&argv, given) {
                    Ok(child) => child,
                    Err(source) => {
                        let _ = started.send(Err(source));
                        return;
                    }
                };
                let complaints = collect(&mut child);
                let pipes = child.stdin.take().zip(child.stdout.take());
                let _ = started.send(Ok((Pid::from_child(&child), pipes)));
                let status = child.wait();
                let complaints = complaints.join().unwrap_or_default();
                exited.send_replace(Some(Exited { status: words(status), complaints }));
            })
            .map_err(ProcessError::Thread)?;
        let missing = |source| ProcessError::Missing { program: "setpriv", package: "util-linux", source };
        let gone = || missing(std::io::Error::other("the thread that starts it ended"));
        let (pid, pipes) = starting.recv().map_err(|_| gone())?.map_err(missing)?;
        let (stdin, stdout) = pipes.ok_or_else(gone)?;
        Ok((Self { pid, exit }, Pipes { stdin, stdout }))
    }

    /// The host's process id of QEMU.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// How long each of its threads ran or waited for a CPU so far; nothing where that cannot be told.
    pub(crate) fn busy(&self) -> Option<Busy> {
        Busy::of(self.pid)
    }

    /// Share of the time in which its threads wanted a processor and had none, from 0 to 1; nothing where the kernel does not
    /// count that.
    pub(crate) fn starved(&self) -> Option<f64> {
        let counted = threads(self.pid)?.filter_map(|thread| schedstat(&thread));
        let (ran, waited) =
            counted.fold((0.0, 0.0), |(ran, waited), one| (ran + one[0].as_secs_f64(), waited + one[1].as_secs_f64()));
        (ran + waited > 0.0).then(|| waited / (ran + waited))
    }

    /// Changes once, when QEMU has ended.
    pub(crate) fn exit(&self) -> watch::Receiver<Option<Exited>> {
        self.exit.clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.exit.borrow().is_none() {
            // It may end in this very moment; then there is nothing left to kill.
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }
}

/// How long the threads of a process ran or waited for a CPU, by thread.
#[derive(Debug)]
pub(crate) struct Busy(BTreeMap<OsString, Duration>);

impl Busy {
    fn of(pid: Pid) -> Option<Self> {
        let busy = |thread: PathBuf| Some((thread.file_name()?.to_owned(), busy(&thread)?));
        let threads: BTreeMap<_, _> = threads(pid)?.filter_map(busy).collect();
        (!threads.is_empty()).then_some(Self(threads))
    }

    /// How long all of them together have been busy since `before`; what a thread did that has ended is not told.
    pub(crate) fn since(&self, before: &Self) -> Duration {
        let earlier = |thread| before.0.get(thread).copied().unwrap_or_default();
        self.0.iter().map(|(thread, busy)| busy.saturating_sub(earlier(thread))).sum()
    }
}

/// How long a thread ran, and waited for a CPU where the kernel counts that
/// (<https://docs.kernel.org/scheduler/sched-stats.html>): one that is given none is not idle.
fn busy(task: &Path) -> Option<Duration> {
    let stat = fs::read_to_string(task.join("stat")).ok()?;
    // The name may hold spaces and brackets; the fields after its last bracket are numbered from 3.
    let fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11).take(2);
    let ticks: u64 = fields.map(|field| field.parse().unwrap_or(0)).sum();
    let ran = Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second());
    Some(ran.max(schedstat(task).into_iter().flatten().sum()))
}

/// How long a thread ran, and how long it waited for a CPU; nothing where the kernel does not count that.
fn schedstat(task: &Path) -> Option<[Duration; 2]> {
    let counted = fs::read_to_string(task.join("schedstat")).ok()?;
    let mut fields = counted.split_ascii_whitespace().map(|field| field.parse().map(Duration::from_nanos));
    Some([fields.next()?.ok()?, fields.next()?.ok()?])
}

/// The folders of a process's threads.
fn threads(pid: Pid) -> Option<impl Iterator<Item = PathBuf>> {
    let tasks = fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())).ok()?;
    Some(tasks.flatten().map(|task| task.path()))
}

fn spawn(argv: &[String], given: Vec<(i32, OwnedFd)>) -> std::io::Result<Child> {
    let given = given.into_iter().map(|(child_fd, parent_fd)| FdMapping { parent_fd, child_fd }).collect();
    Command::new("setpriv")
        .fd_mappings(given)
        .map_err(std::io::Error::other)?
        // Ctrl-C on a terminal is for kverify alone, which then knows why QEMU ended.
        .process_group(0)
        .args(["--pdeathsig", "KILL", "--", "qemu-system-x86_64"])
        .args(argv)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

fn collect(child: &mut Child) -> thread::JoinHandle<String> {
    let stderr = child.stderr.take();
    thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(mut stderr) = stderr {
            let kept = stderr.by_ref().take(COMPLAINTS).read_to_end(&mut text);
            // Read on past the bound, so that QEMU never blocks on a full pipe.
            let _ = kept.and_then(|_| std::io::copy(&mut stderr, &mut std::io::sink()));
        }
        String::from_utf8_lossy(&text).trim().to_owned()
    })
}

fn words(status: std::io::Result<ExitStatus>) -> String {
    status.map_or_else(|error| error.to_string(), |status| status.to_string())
}

/// The path by which another process of this user opens `file`'s inode.
pub(crate) fn path_of(file: &impl AsFd) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_fd().as_raw_fd())
}

#[cfg(test)]
mod tests {
    use std::{process::Command, thread, time::Duration};

    use rustix::process::Pid;

    use super::Busy;

    /// How long so many processes that do `script` were busy within half a second.
    fn busy(count: usize, script: &str) -> Vec<Duration> {
        let spawn = |_| Command::new("sh").args(["-c", script]).spawn().unwrap();
        let mut children: Vec<_> = (0..count).map(spawn).collect();
        let look = || children.iter().map(|child| Busy::of(Pid::from_child(child)).unwrap()).collect::<Vec<_>>();
        thread::sleep(Duration::from_millis(200));
        let before = look();
        thread::sleep(Duration::from_millis(500));
        let busy = look().iter().zip(&before).map(|(after, before)| after.since(before)).collect();
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        busy
    }

    #[test]
    fn what_gets_no_processor_is_busy_and_what_sleeps_is_not() {
        let crowd = 8 * thread::available_parallelism().unwrap().get();
        let starved = busy(crowd, "while :; do :; done");
        assert!(starved.iter().all(|busy| *busy > Duration::from_millis(300)), "{starved:?}");
        let asleep = busy(1, "exec sleep 60");
        assert!(asleep[0] < Duration::from_millis(100), "{asleep:?}");
    }
}
