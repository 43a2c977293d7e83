//! Getting the image of a row: a file that is there, or what a command makes.

use std::{
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use kverify_checks::Origin;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    process::Command,
    time::timeout,
};

use super::{ImageSource, Row};
use crate::{glob::glob, report::plain};

/// How long a command may take: it may have to install an image on an emulated machine.
const LIMIT: Duration = Duration::from_hours(2);
/// Most bytes of what a command prints as its result.
const LONGEST: usize = 64 * 1024;

/// Why a row has no image.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// The file is not there.
    #[error("no image at {} ({at}); put it there, or have a command make it: image.command = [\"program\", \"word\"]", path.display())]
    Missing { path: PathBuf, at: Origin },
    /// It is not said which file.
    #[error("{count} files are like {} ({at}), from {first} to {last}; one image has to be meant", path.display())]
    Several { path: PathBuf, at: Origin, count: usize, first: String, last: String },
    /// The command could not be started.
    #[error("`{command}`, which gets the image ({at}), could not be started: {source}")]
    NotStarted { command: String, at: Origin, source: io::Error },
    /// The command was not done in time.
    #[error("`{command}`, which gets the image ({at}), was not done within {} s", LIMIT.as_secs())]
    TooLong { command: String, at: Origin },
    /// The command failed.
    #[error("`{command}`, which gets the image ({at}), ended with {status}; its last line: {last}")]
    Failed { command: String, at: Origin, status: ExitStatus, last: String },
    /// The command left no file.
    #[error(
        "`{command}`, which gets the image ({at}), has to end with a line that is the path of a file, not `{last}`"
    )]
    NoPath { command: String, at: Origin, last: String },
}

/// The path of the row's image; `heard` is called with each line that a command complains or tells of.
pub(super) async fn fetch(row: &Row, heard: impl Fn(&str)) -> Result<PathBuf, FetchError> {
    let at = || row.image_at.clone();
    let (words, folder) = match &row.image {
        ImageSource::File(path) if path.exists() => return Ok(path.clone()),
        ImageSource::File(path) => return Err(FetchError::Missing { path: path.clone(), at: at() }),
        ImageSource::Glob { folder, name } => return alone(folder, name, at()),
        ImageSource::Command { words, folder } => (words, folder),
    };
    let command = words.join(" ");
    let run = timeout(LIMIT, run(words, folder, heard)).await;
    let Ok(run) = run else { return Err(FetchError::TooLong { command, at: at() }) };
    let (status, result, last) = match run {
        Ok(run) => run,
        Err(source) => return Err(FetchError::NotStarted { command, at: at(), source }),
    };
    if !status.success() {
        return Err(FetchError::Failed { command, at: at(), status, last });
    }
    let last = result.lines().last().unwrap_or_default().trim_end();
    let path = folder.join(last);
    if last.is_empty() || !path.is_file() {
        return Err(FetchError::NoPath { command, at: at(), last: plain::line(last, 200) });
    }
    Ok(path)
}

/// The one file of a folder with such a name: which of several is meant, nobody can tell.
fn alone(folder: &Path, name: &str, at: Origin) -> Result<PathBuf, FetchError> {
    let Ok(like) = glob(name) else { return Err(FetchError::Missing { path: folder.join(name), at }) };
    let mut files: Vec<PathBuf> = Vec::new();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.extend(entries.map(|entry| entry.path()).filter(|path| {
        path.is_file() && path.file_name().and_then(|name| name.to_str()).is_some_and(|name| like.is_match(name))
    }));
    files.sort();
    match &files[..] {
        [] => Err(FetchError::Missing { path: folder.join(name), at }),
        [file] => Ok(file.clone()),
        [first, .., last] => Err(FetchError::Several {
            path: folder.join(name),
            at,
            count: files.len(),
            first: first.display().to_string(),
            last: last.display().to_string(),
        }),
    }
}

/// How the command ended, what it printed as its result, and the last line that it complained or told of.
async fn run(words: &[String], folder: &Path, heard: impl Fn(&str)) -> io::Result<(ExitStatus, String, String)> {
    let (program, words) = words.split_first().ok_or_else(|| io::Error::other("no program"))?;
    // Found from the folder it runs in, as a shell there would.
    let program = if program.contains('/') { folder.canonicalize()?.join(program) } else { program.into() };
    let mut command = Command::new(program);
    command.args(words).current_dir(folder).process_group(0);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let group = Group(child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())));
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (result, last, status) = tokio::try_join!(text(stdout), listen(stderr, heard), child.wait())?;
    drop(group);
    Ok((status, result, last))
}

/// The end of what it says; the whole is read, so that it can go on saying it.
async fn text(stream: Option<impl AsyncRead + Unpin>) -> io::Result<String> {
    let mut text = Vec::new();
    let Some(mut stream) = stream else { return Ok(String::new()) };
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(String::from_utf8_lossy(&text).into_owned()),
            read => text.extend_from_slice(&buffer[..read]),
        }
        let over = text.len().saturating_sub(LONGEST);
        text.drain(..over);
    }
}

async fn listen(stream: Option<impl AsyncRead + Unpin>, heard: impl Fn(&str)) -> io::Result<String> {
    let mut last = String::new();
    let Some(stream) = stream else { return Ok(last) };
    let mut lines = BufReader::new(stream).split(b'\n');
    while let Some(line) = lines.next_segment().await? {
        let line = plain::line(&String::from_utf8_lossy(&line), 200);
        if !line.is_empty() {
            heard(&line);
            last = line;
        }
    }
    Ok(last)
}

/// The processes of a command, killed when this is dropped: what it started does not outlive it.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Usually all have ended, and there is nobody left to kill.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
