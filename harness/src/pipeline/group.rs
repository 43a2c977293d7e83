//! A program in a process group of its own, of which nothing is left once nobody waits for it any more.

use std::{
    io,
    os::unix::process::CommandExt as _,
    process::{Command, ExitStatus},
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::sync::oneshot;

/// For how many hundredths of a second killed processes are waited for.
const LAST_BREATH: u32 = 200;

/// The process group of a program; killed when this is dropped.
pub(super) struct Group(Pid);

impl Group {
    /// Starts a program in a process group of its own, and gives what tells its end beside it. A death signal that it asks for
    /// with `setpriv` comes with the end of kverify.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn start(mut command: Command) -> io::Result<(Self, oneshot::Receiver<io::Result<ExitStatus>>)> {
        command.process_group(0);
        let (started, starting) = mpsc::channel();
        let (exited, ended) = oneshot::channel();
        // The death signal follows the thread that started it: this one waits for its end.
        thread::Builder::new().name("child".to_owned()).spawn(move || match command.spawn() {
            Err(error) => {
                let _ = started.send(Err(error));
            }
            Ok(mut child) => {
                let _ = started.send(Ok(Pid::from_child(&child)));
                let _ = exited.send(child.wait());
            }
        })?;
        let pid = starting.recv().map_err(|_| io::Error::other("the thread that starts it ended"))?;
        let missing = |error: io::Error| io::Error::new(error.kind(), format!("setpriv (package util-linux): {error}"));
        Ok((Self(pid.map_err(missing)?), ended))
    }
}

impl Drop for Group {
    /// Ends them, and waits until none of them writes any more; they may have ended by themselves.
    fn drop(&mut self) {
        let _ = kill_process_group(self.0, Signal::KILL);
        for _ in 0..LAST_BREATH {
            if test_kill_process_group(self.0).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}
