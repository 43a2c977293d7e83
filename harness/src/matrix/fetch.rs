//! Getting a file of a row, its image for one: one that is there, what a command makes, or what a channel points to.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::{
    fs::{FlockOperation, flock},
    process::{Pid, Signal, kill_process_group},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    process::Command,
    sync::OnceCell,
    time::timeout,
};

use super::{FileSource, Wanted, ran::chain};
use crate::{
    gate::PublicKey,
    glob::glob,
    pipeline::{self, store::Store},
    report::plain,
};

/// How long a command may take: it may have to install an image on an emulated machine.
const LIMIT: Duration = Duration::from_hours(2);
/// How folders of copies are called, and the lock in each.
const CHANNEL: &str = "kverify-channel-";
const LOCK: &str = "lock";
/// Most bytes of what a command prints as its result.
const LONGEST: usize = 64 * 1024;

/// Why a row has no such file.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// The file is not there.
    #[error("no {key} at {}; put it there, or have a command make it: {key}.command = [\"program\", \"word\"]", path.display())]
    Missing { key: &'static str, path: PathBuf },
    /// It is not said which file.
    #[error("{count} files are like {}, from {first} to {last}; one has to be meant", path.display())]
    Several { path: PathBuf, count: usize, first: String, last: String },
    /// The command could not be started.
    #[error("`{command}` could not be started: {source}")]
    NotStarted { command: String, source: io::Error },
    /// The command was not done in time.
    #[error("`{command}` was not done within {} s", LIMIT.as_secs())]
    TooLong { command: String },
    /// The command failed.
    #[error("`{command}` ended with {status}; its last line: {last}")]
    Failed { command: String, status: ExitStatus, last: String },
    /// The command left no file.
    #[error("`{command}` has to end with a line that is the path of a file, not `{last}`")]
    NoPath { command: String, last: String },
    /// The channel gave no image.
    #[error("channel {name} of {store}: {why}")]
    Channel { name: String, store: String, why: String },
}

/// What rows have wanted so far and had to be made or copied for them: each is got once, however many rows want it.
#[derive(Default)]
pub struct Fetched(Mutex<Vec<(FileSource, Arc<OnceCell<Got>>)>>);

/// What became of a file that was wanted.
type Got = Result<Arc<There>, Arc<FetchError>>;

/// A file that is there.
struct There {
    path: PathBuf,
    /// The folder that is there as long as it is wanted, where it is a copy; and the lock that says so.
    _held: Option<(TempDir, File)>,
}

impl Fetched {
    /// The path of a file that a row wants; `heard` is called with each line that a command complains or tells of.
    pub(super) async fn get(
        &self,
        wanted: &Wanted,
        scratch: &Path,
        heard: impl Fn(&str),
    ) -> Result<PathBuf, Arc<FetchError>> {
        let make = async {
            let there = |path| Arc::new(There { path, _held: None });
            match &wanted.source {
                FileSource::File(path) if path.exists() => Ok(there(path.clone())),
                FileSource::File(path) => Err(FetchError::Missing { key: wanted.key, path: path.clone() }),
                FileSource::Glob { folder, name } => alone(wanted.key, folder, name).map(there),
                FileSource::Command { words, folder } => made(words, folder, heard).await.map(there),
                FileSource::Channel { name, store, trusted, least } => {
                    copied((name, *least), store, trusted, scratch).await.map(Arc::new)
                }
            }
        };
        let got = match &wanted.source {
            // What is looked up is looked up again: an earlier row may have made it.
            FileSource::File(_) | FileSource::Glob { .. } => make.await.map_err(Arc::new),
            _ => self.cell(&wanted.source).get_or_init(|| async { make.await.map_err(Arc::new) }).await.clone(),
        };
        got.map(|there| there.path.clone())
    }

    fn cell(&self, source: &FileSource) -> Arc<OnceCell<Got>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, cell)) = all.iter().find(|(other, _)| other == source) {
            return Arc::clone(cell);
        }
        let cell = Arc::new(OnceCell::new());
        all.push((source.clone(), Arc::clone(&cell)));
        cell
    }
}

/// What a channel points to, copied to where it goes with whoever wanted it.
async fn copied(
    (name, least): (&str, u64),
    store: &str,
    trusted: &[PublicKey],
    scratch: &Path,
) -> Result<There, FetchError> {
    let failed = |why: String| FetchError::Channel { name: name.to_owned(), store: store.to_owned(), why };
    let (folder, lock) = held(scratch).map_err(|error| failed(format!("{}: {error}", scratch.display())))?;
    let opened = Store::open(store).map_err(|error| failed(chain(&error)))?;
    let wanted = pipeline::Wanted { channel: name, least, format: None };
    let fetched = folder.path().join(".fetched");
    let fetch = pipeline::fetch(&opened, &wanted, trusted, &fetched).await;
    let (record, _) = fetch.map_err(|error| failed(chain(&error)))?;
    // Reports and waivers know it by its name.
    let path = folder.path().join(Path::new(&record.name).file_name().unwrap_or("image".as_ref()));
    std::fs::rename(&fetched, &path).map_err(|error| failed(error.to_string()))?;
    Ok(There { path, _held: Some((folder, lock)) })
}

/// A folder that goes with this process: at the latest when another one looks for what nobody holds any more.
fn held(scratch: &Path) -> io::Result<(TempDir, File)> {
    for entry in std::fs::read_dir(scratch)?.flatten() {
        let path = entry.path();
        let ours = entry.file_name().to_string_lossy().starts_with(CHANNEL);
        if let (true, Ok(lock)) = (ours, File::open(path.join(LOCK)))
            && flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()
        {
            std::fs::remove_dir_all(path)?;
        }
    }
    let folder = tempfile::Builder::new().prefix(CHANNEL).tempdir_in(scratch)?;
    let (unlocked, locked) = (folder.path().join(".lock"), folder.path().join(LOCK));
    let lock = File::create_new(&unlocked)?;
    flock(&lock, FlockOperation::LockExclusive)?;
    // It has the name by which others find it once it is held.
    std::fs::rename(unlocked, locked)?;
    Ok((folder, lock))
}

/// What a command makes.
async fn made(words: &[String], folder: &Path, heard: impl Fn(&str)) -> Result<PathBuf, FetchError> {
    let command = words.join(" ");
    let run = timeout(LIMIT, run(words, folder, heard)).await;
    let Ok(run) = run else { return Err(FetchError::TooLong { command }) };
    let (status, result, last) = match run {
        Ok(run) => run,
        Err(source) => return Err(FetchError::NotStarted { command, source }),
    };
    if !status.success() {
        return Err(FetchError::Failed { command, status, last });
    }
    let last = result.lines().last().unwrap_or_default().trim_end();
    let path = folder.join(last);
    if last.is_empty() || !path.is_file() {
        return Err(FetchError::NoPath { command, last: plain::line(last, 200) });
    }
    Ok(path)
}

/// The one file of a folder with such a name: which of several is meant, nobody can tell.
fn alone(key: &'static str, folder: &Path, name: &str) -> Result<PathBuf, FetchError> {
    let missing = || FetchError::Missing { key, path: folder.join(name) };
    let Ok(like) = glob(name) else { return Err(missing()) };
    let mut files: Vec<PathBuf> = Vec::new();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.extend(entries.map(|entry| entry.path()).filter(|path| {
        path.is_file() && path.file_name().and_then(|name| name.to_str()).is_some_and(|name| like.is_match(name))
    }));
    files.sort();
    match &files[..] {
        [] => Err(missing()),
        [file] => Ok(file.clone()),
        [first, .., last] => Err(FetchError::Several {
            path: folder.join(name),
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

#[cfg(test)]
mod tests {
    use super::{CHANNEL, held};

    #[test]
    fn what_a_killed_process_has_left_goes_with_the_next_one() {
        let scratch = tempfile::tempdir().unwrap();
        let names = || std::fs::read_dir(scratch.path()).unwrap().count();
        let one = held(scratch.path()).unwrap();
        let other = held(scratch.path()).unwrap();
        assert_eq!(names(), 2, "what is held stays");
        // As SIGKILL leaves it: the lock is gone with the process, and the folder is there.
        let (folder, lock) = other;
        let left = folder.keep();
        std::fs::write(left.join("image"), "copied").unwrap();
        drop(lock);
        std::fs::create_dir(scratch.path().join(format!("{CHANNEL}somebody's"))).unwrap();
        let third = held(scratch.path()).unwrap();
        assert!(!left.exists() && one.0.path().exists() && third.0.path().exists());
        assert_eq!(names(), 3, "what has no lock may be about to");
    }
}
