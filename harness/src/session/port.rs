//! A root shell on a virtio-serial port: no network, no key exchange, and it goes on in every fork of its machine.
//!
//! It is started over SSH before a machine is captured. Nobody but root can open the port in the guest, and the host's
//! end is a pair of sockets that has no name.

use std::{
    io,
    os::unix::net::UnixStream as StdStream,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    sync::Mutex,
    time::timeout,
};

use super::shell::{CLEAN, Job, Ran, SessionError, nonce};

/// How long the shell in the guest may take to be there.
pub(crate) const AGENT_LIMIT: Duration = Duration::from_secs(30);

/// A root shell on a port of a machine.
pub struct PortShell {
    stream: Mutex<UnixStream>,
    /// A script that was given up leaves its answer on the port, where the next would take it for its own.
    given_up: AtomicBool,
}

impl PortShell {
    /// The script that starts the shell in the guest, run once by root over another carrier; `name` is the port's.
    ///
    /// The port can be opened once only, so the shell opens it for both ways; and reads end of file while the host's
    /// end is closed, so it starts anew.
    #[must_use]
    pub(crate) fn agent(name: &str) -> String {
        format!(
            "p=/dev/virtio-ports/{name}\n\
             for n in /sys/class/virtio-ports/*/name; do\n\
             [ -c \"$p\" ] || [ ! -e \"$n\" ] || {{ read -r s <\"$n\" && [ \"$s\" = {name} ] && d=${{n%/name}} && p=/dev/${{d##*/}}; }}\n\
             done\n\
             [ -c \"$p\" ] || {{ echo 'no port called {name}'; exit 1; }}\n\
             run='exec 3<>\"$1\"; while :; do sh <&3 >&3 2>&3; sleep 1; done'\n\
             if [ -d /run/systemd/system ]; then\n\
             systemd-run --quiet --collect --unit=kverify-shell sh -c \"$run\" sh \"$p\"\n\
             else setsid sh -c \"$run\" sh \"$p\" </dev/null >/dev/null 2>&1 &\n\
             fi\n"
        )
    }

    /// A shell on the host's end of the port.
    ///
    /// # Errors
    /// What the system says of the socket.
    pub fn open(stream: StdStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream: Mutex::new(UnixStream::from_std(stream)?), given_up: AtomicBool::new(false) })
    }

    /// Its end of the port, for whoever speaks with the shell there himself.
    #[must_use]
    pub fn into_stream(self) -> UnixStream {
        self.stream.into_inner()
    }

    pub(super) async fn run(&self, job: Job) -> Result<Ran, SessionError> {
        let mut stream = self.stream.lock().await;
        if self.given_up.swap(true, Ordering::Relaxed) {
            return Err(SessionError::Ended("an earlier command on it was given up".to_owned()));
        }
        let limit = job.limit;
        let ran = timeout(limit, exchange(&mut stream, job)).await.map_err(|_| SessionError::Late(limit))??;
        self.given_up.store(false, Ordering::Relaxed);
        Ok(ran)
    }
}

/// Sends a script, which a shell of its own reads from a here-document, and reads until its end mark.
async fn exchange(stream: &mut UnixStream, mut job: Job) -> Result<Ran, SessionError> {
    let ended = |error: io::Error| SessionError::Ended(error.to_string());
    let mark = format!("kverify-{:032x}", nonce().map_err(ended)?);
    let script = job.script.trim_end_matches('\n');
    let sent = format!("{CLEAN} sh -s 2>&1 <<'{mark}'\n{script}\n{mark}\nprintf '\\n%s %d\\n' {mark} $?\n");
    stream.write_all(sent.as_bytes()).await.map_err(ended)?;
    let mut said = Vec::new();
    let mut line_from = 0;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = stream.read(&mut buffer).await.map_err(ended)?;
        if length == 0 {
            return Err(SessionError::Ended("its port was closed".to_owned()));
        }
        said.extend(&buffer[..length]);
        if let Some((end, status)) = end_of(&said, &mark) {
            said.truncate(end);
            return Ok(Ran { stdout: said, status });
        }
        if said.len() > job.bound + mark.len() + 16 {
            return Err(SessionError::TooMuch(job.bound));
        }
        while let Some(length) = said[line_from..].iter().position(|byte| *byte == b'\n') {
            (job.on_line)(&String::from_utf8_lossy(&said[line_from..line_from + length]));
            line_from += length + 1;
        }
    }
}

/// Where the answer ends, and the exit status behind the mark.
fn end_of(said: &[u8], mark: &str) -> Option<(usize, i32)> {
    let begin = format!("\n{mark} ").into_bytes();
    let tail = said.len().saturating_sub(begin.len() + 8);
    let at = tail + said[tail..].windows(begin.len()).position(|window| window == begin)?;
    let status = std::str::from_utf8(said[at + begin.len()..].strip_suffix(b"\n")?).ok()?;
    Some((at, status.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::net::UnixStream,
        process::{Child, Command, Stdio},
        time::Duration,
    };

    use kverify_checks::{Exit, Probe};

    use super::{PortShell, end_of};
    use crate::session::{Session, SessionError};

    /// A shell of this host on the other end of a pair of sockets, as the guest's is on the port.
    fn shell() -> (Session, Child) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let input: std::os::fd::OwnedFd = theirs.try_clone().unwrap().into();
        let output: std::os::fd::OwnedFd = theirs.into();
        let child = Command::new("sh").stdin(Stdio::from(input)).stdout(Stdio::from(output)).spawn().unwrap();
        (Session::Port(PortShell::open(ours).unwrap()), child)
    }

    const SOON: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn scripts_follow_each_other_with_their_own_answers() {
        let (session, _child) = shell();
        let (status, said) = session.script("echo one; echo $HOME; exit 3", SOON).await.unwrap();
        assert_eq!((status, said.as_str()), (3, "one\n\n"), "and the environment is clean");
        let (status, said) = session.script("printf 'no end of line'; cat", SOON).await.unwrap();
        assert_eq!((status, said.as_str()), (0, "no end of line"));
        let (_, said) = session.script(&format!("echo {}", "x".repeat(70_000)), SOON).await.unwrap();
        assert_eq!(said.len(), 70_001);
    }

    #[tokio::test]
    async fn probes_are_answered_as_over_any_carrier() {
        let (session, _child) = shell();
        let probes = [Probe::root(["printf", "%s", "\\0001 \n\r"]), Probe::root(["sh", "-c", "exit 7"])];
        let out = session.ask(&probes, |_| ()).await.unwrap();
        assert_eq!((out[0].stdout.as_str(), out[1].exit), ("\\0001 \n\r", Exit::Code(7)));
    }

    #[tokio::test]
    async fn a_script_that_is_late_ends_the_session() {
        let (session, _child) = shell();
        let late = session.script("sleep 0.3", Duration::from_millis(100)).await;
        assert!(matches!(late, Err(SessionError::Late(_))), "{late:?}");
        let next = session.script("true", SOON).await.unwrap_err();
        assert_eq!(next.to_string(), "the session ended: an earlier command on it was given up");
    }

    #[tokio::test]
    async fn a_flood_is_bounded_and_a_closed_port_is_told() {
        let (session, mut child) = shell();
        let flood = session.script("yes", SOON).await;
        assert!(matches!(flood, Err(SessionError::TooMuch(_))), "{flood:?}");
        child.kill().unwrap();
        let (session, mut child) = shell();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(matches!(session.script("true", SOON).await, Err(SessionError::Ended(_))));
    }

    #[test]
    fn the_end_is_the_mark_and_a_number() {
        assert_eq!(end_of(b"text\nm 0\n", "m"), Some((4, 0)));
        assert_eq!(end_of(b"\nm 141\n", "m"), Some((0, 141)));
        for open in ["text\nm 0", "text\nm \n", "text m 0\n", "m 0\n", ""] {
            assert_eq!(end_of(open.as_bytes(), "m"), None, "{open:?}");
        }
    }
}
