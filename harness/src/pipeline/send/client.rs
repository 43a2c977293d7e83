//! OpenSSH's own `sftp` and `ssh`, so that the user's configuration, agent and known hosts hold here as they do elsewhere.
//!
//! Neither ever asks anything. What they are told goes by standard input, where no shell reads it and no list of processes shows it.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Seek as _, Write as _},
    os::unix::fs::FileExt as _,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use super::{SendError, SendRequest, batch::Batch};
use crate::{pipeline::group::Group, report::plain};

/// What both are told, before anything that the user's configuration says: a question would wait for ever, a peer that is gone is
/// noticed within a minute, and what is meant for a person's terminal has no place here.
const OPTIONS: [&str; 9] = [
    "BatchMode=yes",
    "ConnectTimeout=30",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=4",
    "ClearAllForwardings=yes",
    "RemoteCommand=none",
    "RequestTTY=no",
    // A connection that others share outlives this, and has its own idea of who is gone.
    "ControlMaster=no",
    "ControlPath=none",
];
/// How often it is looked what they said.
const TICK: Duration = Duration::from_millis(200);
/// The most that is read of what they say, in bytes.
const MOST: u64 = 16 << 20;
/// How many of their last lines are told, of at most how many characters.
const LAST: (usize, usize) = (3, 400);
/// What they end with if there is no connection, or none any more.
const NO_CONNECTION: i32 = 255;

/// Asks and tells one host, from a folder of this one.
pub(super) struct Client<'a> {
    pub(super) request: &'a SendRequest,
    pub(super) folder: &'a Path,
}

/// What came of one call.
pub(super) struct Ran {
    code: Option<i32>,
    pub(super) out: String,
    err: String,
}

impl Client<'_> {
    /// The target, as messages name it.
    pub(super) fn target(&self) -> String {
        self.request.target.to_string()
    }

    /// Does the commands of a batch. Each line that sftp writes is heard at once.
    ///
    /// # Errors
    /// [`SendError`] where sftp could not be run, or took too long.
    pub(super) async fn sftp(
        &self,
        batch: &Batch,
        limit: Duration,
        heard: &mut dyn FnMut(&str),
    ) -> Result<Ran, SendError> {
        let mut words = self.options("-P");
        words.extend(["-b", "-", "--"].map(OsString::from));
        words.push(self.request.target.for_sftp().into());
        self.run(("sftp", &words), batch.text(), limit, heard).await
    }

    /// Has a shell there read a script.
    ///
    /// # Errors
    /// [`SendError`] where ssh could not be run, or took too long.
    pub(super) async fn shell(&self, script: &str, limit: Duration) -> Result<Ran, SendError> {
        let mut words = self.options("-p");
        words.extend([OsString::from("--"), self.request.target.for_ssh().into(), "sh".into()]);
        self.run(("ssh", &words), script, limit, &mut |_| ()).await
    }

    fn options(&self, port: &str) -> Vec<OsString> {
        let mut words = Vec::new();
        if let Some(config) = &self.request.config {
            // Whole, so that it cannot begin with `-`, and is found from the other folder.
            let config = std::path::absolute(config).unwrap_or_else(|_| config.clone());
            words.extend(["-F".into(), config.into_os_string()]);
        }
        words.extend(OPTIONS.iter().flat_map(|option| ["-o".into(), OsString::from(option)]));
        words
            .extend(self.request.target.port().into_iter().flat_map(|number| [port.into(), number.to_string().into()]));
        words
    }

    async fn run(
        &self,
        (program, words): (&'static str, &[OsString]),
        input: &str,
        limit: Duration,
        heard: &mut dyn FnMut(&str),
    ) -> Result<Ran, SendError> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", program]).args(words).current_dir(self.folder);
        // What the user's configuration names of the environment is theirs to have. A jump host is reached by an ssh of its own,
        // which is told nothing of BatchMode: whatever it asks, it asks a program that says no.
        command.env("LC_ALL", "C").env("SSH_ASKPASS", "/bin/false").env("SSH_ASKPASS_REQUIRE", "force");
        // Files, and not pipes: whoever is slow to read holds nobody up.
        let (mut stdin, out, err) = (tempfile::tempfile()?, tempfile::tempfile()?, tempfile::tempfile()?);
        stdin.write_all(input.as_bytes())?;
        stdin.rewind()?;
        command.stdin(Stdio::from(stdin)).stdout(out.try_clone()?).stderr(err.try_clone()?);
        let missing = |why: String| SendError::Program { program, why };
        let (group, ended) = Group::start(command).map_err(|error| missing(error.to_string()))?;
        let mut told = 0;
        let mut tell = || {
            let said = text(&out);
            let whole = said.rfind('\n').map_or(0, |end| end + 1);
            said.get(told..whole).unwrap_or_default().lines().for_each(&mut *heard);
            told = told.max(whole);
        };
        let telling = async {
            let mut tick = tokio::time::interval(TICK);
            loop {
                tick.tick().await;
                tell();
            }
        };
        let late = || SendError::Late { target: self.target(), what: program, seconds: limit.as_secs() };
        let status = tokio::select! {
            status = ended => status,
            () = telling => unreachable!("it tells for ever"),
            () = tokio::time::sleep(limit) => return Err(late()),
        };
        drop(group);
        tell();
        let status = status.map_err(|_| missing("nobody waited for it".to_owned()))?.map_err(SendError::Local)?;
        let ran = Ran { code: status.code(), out: text(&out), err: text(&err) };
        if ran.code == Some(127) && ran.err.contains("setpriv:") {
            return Err(missing(ran.said()));
        }
        Ok(ran)
    }
}

impl Ran {
    /// Whether all went well.
    pub(super) fn well(&self) -> bool {
        self.code == Some(0)
    }

    /// Whether there was no connection, or none any more.
    pub(super) fn is_cut(&self) -> bool {
        self.code == Some(NO_CONNECTION)
    }

    /// Whether the host lets nobody run a shell: it says so, as OpenSSH's `internal-sftp` does, or refuses the request.
    pub(super) fn refuses_shells(&self) -> bool {
        let said = format!("{}{}", self.out, self.err).to_ascii_lowercase();
        ["sftp connections only", "request failed on channel", "not allowed to execute", "account is not available"]
            .iter()
            .any(|words| said.contains(words))
    }

    /// The last lines of what it complained of, in one.
    pub(super) fn said(&self) -> String {
        let lines: Vec<_> = self.err.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        // The last word of sftp whatever happened, where ssh has said more.
        let useful = lines.iter().filter(|line| lines.len() == 1 || !line.starts_with("Connection closed"));
        let useful: Vec<_> = useful.copied().collect();
        let last = useful[useful.len().saturating_sub(LAST.0)..].join("\n");
        if last.is_empty() { format!("it ended with {:?} and no word", self.code) } else { plain::line(&last, LAST.1) }
    }

    /// The last command that was begun.
    pub(super) fn reached(&self) -> &str {
        self.out.lines().filter_map(super::batch::command_of).next_back().unwrap_or_default()
    }
}

/// What a program has written, from the beginning, without moving the place where it writes.
fn text(file: &File) -> String {
    let length = file.metadata().map_or(0, |about| about.len()).min(MOST);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    let read = read_whole(file, &mut bytes).unwrap_or(0);
    String::from_utf8_lossy(&bytes[..read]).into_owned()
}

fn read_whole(file: &File, bytes: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < bytes.len() {
        match file.read_at(&mut bytes[done..], done as u64)? {
            0 => break,
            read => done += read,
        }
    }
    Ok(done)
}
