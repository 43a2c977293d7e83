//! Building by a command of the user's own: `packer build …`, `./deploy.sh build`.
//!
//! The command is told where the image has to be (`KVERIFY_OUT`, in a folder that is there and goes with the command) and how
//! many seconds it has (`KVERIFY_DEADLINE`). It ends with 0 and leaves an image there that stands alone, or there is none.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{BuildError, DEADLINE, TAIL};
use crate::{
    image::Image,
    pipeline::{
        group::Group,
        named::{folder_of, free, name},
    },
    run::Progress,
};

/// How the folders begin that commands build in.
pub(in crate::pipeline) const ROOM: &str = ".kverify-build-";
/// How much of what it said is read for its last lines, in bytes.
const LAST: u64 = 16 * 1024;
/// Ends the command's process group as soon as kverify is gone, whatever that died of.
const WARDEN: &str = "trap 'kill -KILL 0' TERM; sh -c \"$1\" & wait $!";

/// What is built by which command.
pub struct CommandRequest {
    /// The command, for a shell.
    pub command: String,
    /// Where the image goes; nothing may be there.
    pub out: PathBuf,
    /// How long it may take [default: half an hour].
    pub deadline: Option<Duration>,
    /// Where all goes that it says, whatever becomes of it.
    pub log: Option<PathBuf>,
}

/// Builds an image by a command and gives the time that it took.
///
/// # Errors
/// [`BuildError`] says what failed; nothing is then at `request.out`, and nothing of the command's process group is left.
/// What it handed to a service of the host, as virt-install does, is not of that group.
pub async fn build_by(request: &CommandRequest, progress: &(dyn Fn(Progress) + Sync)) -> Result<Duration, BuildError> {
    let file = |path: &Path, why: String| BuildError::File { path: path.to_owned(), why };
    free(&request.out).map_err(|(path, why)| file(path, why.to_owned()))?;
    let near = folder_of(&request.out);
    let folder = tempfile::Builder::new().prefix(ROOM).tempdir_in(near);
    let folder = folder.map_err(|error| file(near, error.to_string()))?;
    let made = folder.path().canonicalize().map_err(|error| file(folder.path(), error.to_string()))?;
    let made = made.join(request.out.file_name().unwrap_or_default());
    let log = match &request.log {
        Some(path) => File::options().create(true).truncate(true).read(true).write(true).open(path),
        None => tempfile::tempfile_in(folder.path()),
    };
    let log = log.map_err(|error| file(request.log.as_deref().unwrap_or(folder.path()), error.to_string()))?;
    let deadline = request.deadline.unwrap_or(DEADLINE);
    let begun = Instant::now();
    let failed = |why: String| BuildError::Command { why, tail: tail(&log) };
    let (group, ended) = start(&request.command, &made, deadline, &log).map_err(|error| failed(error.to_string()))?;
    let told = async {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            tick.tick().await;
            progress(Progress::Building { age: begun.elapsed(), line: last(&log).pop().unwrap_or_default() });
        }
    };
    let status = tokio::select! {
        status = ended => status,
        () = told => unreachable!("it tells for ever"),
        () = tokio::time::sleep(deadline) => return Err(failed(format!("not done after {} s", deadline.as_secs()))),
    };
    drop(group);
    let status = status.map_err(|_| failed("nobody waited for it".to_owned()))?;
    let status = status.map_err(|error| failed(error.to_string()))?;
    if !status.success() {
        return Err(failed(format!("it ended with {status}")));
    }
    // A link would lead nowhere once the folder has gone.
    if !made.symlink_metadata().is_ok_and(|file| file.is_file()) {
        return Err(failed(format!("it ended well, and left no file at KVERIFY_OUT={}", made.display())));
    }
    // Nothing that stands on other files, and nothing that could not be read.
    let image = Image::open(&made)?;
    name(image.file(), &request.out).map_err(|error| file(&request.out, error.to_string()))?;
    Ok(begun.elapsed())
}

/// Starts the command in a process group of its own.
fn start(
    command: &str,
    made: &Path,
    deadline: Duration,
    log: &File,
) -> io::Result<(Group, oneshot::Receiver<io::Result<ExitStatus>>)> {
    let mut warden = Command::new("setpriv");
    warden.args(["--pdeathsig", "TERM", "--", "sh", "-c", WARDEN, "sh", command]);
    warden.env("KVERIFY_OUT", made).env("KVERIFY_DEADLINE", deadline.as_secs().to_string());
    warden.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log.try_clone()?);
    Group::start(warden)
}

/// The last lines of what it said.
fn last(log: &File) -> Vec<String> {
    let length = log.metadata().map_or(0, |about| about.len());
    let mut bytes = vec![0; usize::try_from(length.min(LAST)).unwrap_or(0)];
    // The command writes where this file's position is: it is read without moving that.
    let read = log.read_at(&mut bytes, length.saturating_sub(LAST)).unwrap_or(0);
    let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
    text.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn tail(log: &File) -> String {
    let lines = last(log);
    lines[lines.len().saturating_sub(TAIL)..].iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, time::Duration};

    use super::{CommandRequest, build_by};

    async fn built(folder: &Path, command: &str, seconds: u64) -> Result<(), String> {
        let request = CommandRequest {
            command: command.to_owned(),
            out: folder.join("golden.raw"),
            deadline: Some(Duration::from_secs(seconds)),
            log: Some(folder.join("log")),
        };
        build_by(&request, &|_| ()).await.map(drop).map_err(|error| error.to_string())
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn what_the_command_leaves_where_it_was_told_gets_the_name() {
        let folder = tempfile::tempdir().unwrap();
        let command =
            "echo building for $KVERIFY_DEADLINE s; truncate -s 1M \"$KVERIFY_OUT\"; : > \"${KVERIFY_OUT%/*}/left\"";
        built(folder.path(), command, 60).await.unwrap();
        assert_eq!(names(folder.path()), ["golden.raw", "log"]);
        assert_eq!(fs::metadata(folder.path().join("golden.raw")).unwrap().len(), 1 << 20);
        assert_eq!(fs::read_to_string(folder.path().join("log")).unwrap(), "building for 60 s\n");
        let again = built(folder.path(), command, 60).await.unwrap_err();
        assert!(again.contains("there is something already"), "{again}");
    }

    #[tokio::test]
    async fn a_command_that_fails_leaves_its_words_alone() {
        let folder = tempfile::tempdir().unwrap();
        for (command, why) in [
            ("echo no room; exit 3", "it ended with exit status: 3; its last lines:\n  no room"),
            ("true", "it ended well, and left no file at KVERIFY_OUT="),
            (
                "truncate -s 1M other; ln -s \"$PWD/other\" \"$KVERIFY_OUT\"; rm other",
                "and left no file at KVERIFY_OUT=",
            ),
            (
                "qemu-img create -q -f qcow2 base 1M; qemu-img create -q -f qcow2 -b \"$PWD/base\" -F qcow2 \"$KVERIFY_OUT\"",
                "base",
            ),
        ] {
            let command = format!("cd '{}'; {command}", folder.path().display());
            let failed = built(folder.path(), &command, 60).await.unwrap_err();
            assert!(failed.contains(why), "{failed}");
        }
        assert_eq!(names(folder.path()), ["base", "log"]);
    }

    #[tokio::test]
    async fn a_command_that_takes_too_long_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let command =
            format!("sleep 4242 & echo $! >'{0}/pid'; truncate -s 1M \"$KVERIFY_OUT\"; wait", folder.path().display());
        let failed = built(folder.path(), &command, 1).await.unwrap_err();
        assert!(failed.contains("not done after 1 s"), "{failed}");
        assert_eq!(names(folder.path()), ["log", "pid"]);
        let pid = fs::read_to_string(folder.path().join("pid")).unwrap();
        let process = Path::new("/proc").join(pid.trim());
        let gone = async {
            while process.join("exe").exists() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), gone).await.unwrap();
    }
}
