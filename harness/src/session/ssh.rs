//! One SSH session, opened once and kept: a connection costs ten times what a command on it does.
//!
//! libssh2 blocks and is not shared, so the session lives on a thread of its own, and jobs are sent to it. A job that
//! outlives its deadline leaves the thread behind; it ends with the connection.

use std::{
    io::{ErrorKind, Read, Write},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use socket2::Socket;
use ssh2::{DisconnectCode, Session};
use tokio::sync::oneshot;

use super::{
    credential::Credential,
    shell::{CLEAN, Job, Ran, SessionError},
};

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Nobody answered as an SSH server yet.
    #[error("no ssh server answered: {0}")]
    NotYet(String),
    /// The server answered, and refused the account.
    #[error("the ssh server refused the {kind} of `{user}`: {why}")]
    Refused {
        /// `key` or `password`.
        kind: &'static str,
        /// The account.
        user: String,
        /// What the server or the library said.
        why: String,
    },
    /// The account cannot become root.
    #[error("`{user}` cannot become root: {why}; give it sudo, without password or with the one used to log in")]
    NoRoot {
        /// The account.
        user: String,
        /// What sudo said.
        why: String,
    },
}

type Task = Box<dyn FnOnce(&Session) + Send>;

/// How this account becomes root.
#[derive(Clone)]
enum Root {
    Already,
    Sudo,
    SudoWithPassword(String),
}

/// A session with a way to root.
pub struct Ssh {
    jobs: mpsc::Sender<Task>,
    root: Root,
    host_key: Vec<u8>,
}

impl Ssh {
    /// Logs in on an open connection. Blocks up to `limit` for each step.
    ///
    /// # Errors
    /// [`LoginError`] tells a server that is not there yet from one that refuses.
    pub fn login(stream: Socket, credential: &Credential, limit: Duration) -> Result<Self, LoginError> {
        let not_yet = |error: ssh2::Error| LoginError::NotYet(error.to_string());
        let mut session = Session::new().map_err(not_yet)?;
        session.set_timeout(u32::try_from(limit.as_millis()).unwrap_or(u32::MAX));
        session.set_tcp_stream(stream);
        session.handshake().map_err(not_yet)?;
        let host_key = session.host_key().map(|(key, _)| key.to_vec()).unwrap_or_default();
        authenticate(&session, credential)?;
        let root = way_to_root(&session, credential, limit)?;
        let (jobs, work) = mpsc::channel::<Task>();
        thread::Builder::new()
            .name("ssh".to_owned())
            .spawn(move || {
                for job in work {
                    job(&session);
                }
                // Nobody is left to tell that the server has gone first.
                let _ = session.disconnect(Some(DisconnectCode::ByApplication), "done", None);
            })
            .map_err(|error| LoginError::NotYet(error.to_string()))?;
        Ok(Self { jobs, root, host_key })
    }

    /// The server's host key; pinned for the life of the machine.
    #[must_use]
    pub fn host_key(&self) -> &[u8] {
        &self.host_key
    }

    pub(super) async fn run(&self, mut job: Job) -> Result<Ran, SessionError> {
        let (command, stdin) = self.root.shell(job.script);
        let (limit, bound) = (job.limit, job.bound);
        let (sender, receiver) = oneshot::channel();
        let task: Task = Box::new(move |session| {
            // The caller may have given up by then.
            let _ = sender.send(execute(session, &command, stdin.as_bytes(), limit, bound, &mut job.on_line));
        });
        let ended = || SessionError::Ended("its thread is gone".to_owned());
        self.jobs.send(task).map_err(|_| ended())?;
        let answer = tokio::time::timeout(limit + Duration::from_secs(5), receiver).await;
        answer.map_err(|_| SessionError::Late(limit))?.map_err(|_| ended())?
    }
}

impl Root {
    /// The command that reads a script, and all that it reads.
    fn shell(&self, script: String) -> (String, String) {
        match self {
            Self::Already => (format!("{CLEAN} sh -s 2>&1"), script),
            Self::Sudo => (format!("sudo -n -- {CLEAN} sh -s 2>&1"), script),
            // `-k` makes sudo ask even if it remembers: a line that it did not read would be run by the shell.
            Self::SudoWithPassword(password) => {
                (format!("sudo -k -S -p '' -- {CLEAN} sh -s 2>&1"), format!("{password}\n{script}"))
            }
        }
    }
}

fn authenticate(session: &Session, credential: &Credential) -> Result<(), LoginError> {
    let user = credential.user();
    let result = match credential {
        Credential::Key { pem, .. } => session.userauth_pubkey_memory(user, None, pem, None),
        Credential::Password { password, .. } => session.userauth_password(user, password),
    };
    let refused = |why: String| LoginError::Refused { kind: credential.kind(), user: user.to_owned(), why };
    match result {
        Ok(()) if session.authenticated() => Ok(()),
        Ok(()) => Err(refused("it wants more than one method".to_owned())),
        Err(error) => match error.code() {
            // Authentication failed, key not accepted, key file unreadable.
            ssh2::ErrorCode::Session(-18 | -19 | -16) => Err(refused(error.message().to_owned())),
            _ => Err(LoginError::NotYet(error.to_string())),
        },
    }
}

fn way_to_root(session: &Session, credential: &Credential, limit: Duration) -> Result<Root, LoginError> {
    let ask = |root: &Root| {
        let (command, stdin) = root.shell("id -u\n".to_owned());
        match execute(session, &command, stdin.as_bytes(), limit, 4096, &mut |_| ()) {
            Ok(ran) if ran.status == 0 && ran.stdout == b"0\n" => Ok(()),
            Ok(ran) => Err(String::from_utf8_lossy(&ran.stdout).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    };
    let first = if credential.user() == "root" { Root::Already } else { Root::Sudo };
    let Err(mut why) = ask(&first) else { return Ok(first) };
    if let Some(password) = credential.password().filter(|_| credential.user() != "root") {
        let root = Root::SudoWithPassword(password.to_owned());
        match ask(&root) {
            Ok(()) => return Ok(root),
            Err(again) => why = again,
        }
    }
    let why = kverify_checks::console::plain(why.lines().next().unwrap_or("it said nothing")).into_owned();
    Err(LoginError::NoRoot { user: credential.user().to_owned(), why })
}

fn execute(
    session: &Session,
    command: &str,
    stdin: &[u8],
    limit: Duration,
    bound: usize,
    on_line: &mut dyn FnMut(&str),
) -> Result<Ran, SessionError> {
    let ended = |error: ssh2::Error| SessionError::Ended(error.to_string());
    let deadline = Instant::now() + limit;
    let mut channel = session.channel_session().map_err(ended)?;
    channel.exec(command).map_err(ended)?;
    channel.write_all(stdin).and_then(|()| channel.flush()).map_err(|error| SessionError::Ended(error.to_string()))?;
    channel.send_eof().map_err(ended)?;
    let mut stdout = Vec::new();
    let mut line_from = 0;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let left = deadline.checked_duration_since(Instant::now()).ok_or(SessionError::Late(limit))?;
        session.set_timeout(u32::try_from(left.as_millis()).unwrap_or(u32::MAX).max(1));
        match channel.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => stdout.extend(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::TimedOut => return Err(SessionError::Late(limit)),
            Err(error) => return Err(SessionError::Ended(error.to_string())),
        }
        if stdout.len() > bound {
            return Err(SessionError::TooMuch(bound));
        }
        while let Some(length) = stdout[line_from..].iter().position(|byte| *byte == b'\n') {
            on_line(&String::from_utf8_lossy(&stdout[line_from..line_from + length]));
            line_from += length + 1;
        }
    }
    channel.wait_close().map_err(ended)?;
    let signal = channel.exit_signal().map_err(ended)?.exit_signal;
    // libssh2 says status 0 of a command that a signal ended.
    if let Some(signal) = signal {
        return Err(SessionError::Ended(format!("the command died of SIG{signal}")));
    }
    Ok(Ran { stdout, status: channel.exit_status().map_err(ended)? })
}
