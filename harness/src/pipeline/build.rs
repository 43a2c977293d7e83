//! Installing an image: an installer medium, a seed with the answers, a fresh disk, and no network.
//!
//! The disk has no name until it is proven to hold an installed system, so a failed build leaves nothing at its place.

mod command;
mod typing;

use std::{
    fs,
    future::pending,
    path::{Path, PathBuf},
    time::Duration,
};

use kverify_checks::{boot::BootEnd, image::Layout};
use regex::Regex;

pub(super) use self::command::ROOM;
pub use self::command::{CommandRequest, build_by};
use self::typing::Typing;
use super::named::{folder_of, free, name};
use crate::{
    image::{Image, ImageError, Overlay, Seed, SeedError, UnnamedError},
    machine::{BootDisk, Keys, Machine, MachineError, Media, Spec, StartError, Typist},
    run::Progress,
};

/// How long an installation may take where the caller says nothing.
const DEADLINE: Duration = Duration::from_mins(30);
/// An installer that is silent and idle for this long has stopped: it waits for somebody.
const QUIET: Duration = Duration::from_mins(1);
/// The largest answer file, in bytes.
const LARGEST_ANSWERS: u64 = 64 * 1024;
/// How many lines of the console an error shows.
const TAIL: usize = 12;

/// How an installation says that it is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Done {
    /// It powers off.
    #[default]
    Poweroff,
    /// It reboots.
    Reboot,
}

/// What is built from what.
pub struct BuildRequest {
    /// The answers: `KEY=value` lines.
    pub answers: PathBuf,
    /// The installer medium.
    pub installer: PathBuf,
    /// Where the image goes; nothing may be there.
    pub out: PathBuf,
    /// Size of its disk, in bytes.
    pub disk_bytes: u64,
    /// The label of the volume that holds the answers.
    pub seed_label: String,
    /// What is typed.
    pub keys: Keys,
    /// And where.
    pub typist: Typist,
    /// The machine that installs.
    pub spec: Spec,
    /// How the installation ends.
    pub done: Done,
    /// What the console must have said by then.
    pub done_pattern: Option<Regex>,
    /// Where the console goes, whatever becomes of the build.
    pub serial_log: Option<PathBuf>,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file of the caller's cannot be used.
    #[error("{}: {why}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The disk cannot be made.
    #[error(transparent)]
    Disk(#[from] UnnamedError),
    /// The seed cannot be made.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// No machine can be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// QEMU ended by itself.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The installation did not end as it has to.
    #[error("the installation failed: {why}; the console's last lines:\n{tail}")]
    Failed {
        /// What happened.
        why: String,
        /// The end of the console.
        tail: String,
    },
    /// The command did not do what it has to.
    #[error("the command that builds failed: {why}; its last lines:\n{tail}")]
    Command {
        /// What happened.
        why: String,
        /// The end of what it said.
        tail: String,
    },
    /// The disk does not hold an installed system.
    #[error("the installer said it was done, but {why}; the console's last lines:\n{tail}")]
    Unproven {
        /// What is missing.
        why: String,
        /// The end of the console.
        tail: String,
    },
    /// The disk cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
}

/// Builds an image and gives the time that the installation took.
///
/// # Errors
/// [`BuildError`] says what failed; nothing is then at `request.out`.
pub async fn build(request: &BuildRequest, progress: &(dyn Fn(Progress) + Sync)) -> Result<Duration, BuildError> {
    let answers = answers(&request.answers)?;
    let file = |path: &Path, why: String| BuildError::File { path: path.to_owned(), why };
    fs::File::open(&request.installer).map_err(|error| file(&request.installer, error.to_string()))?;
    free(&request.out).map_err(|(path, why)| file(path, why.to_owned()))?;
    let folder = folder_of(&request.out);
    let disk = Overlay::create(folder, request.disk_bytes)?;
    let disk_path = disk.fd_path();
    let seed = Seed::new(&request.seed_label).file("answers.env", answers).volume()?;
    let media = Media {
        disk: BootDisk::Written(&disk_path),
        volumes: vec![seed],
        cdrom: Some(request.installer.clone()),
        kernel: None,
        network: false,
        plug: None,
        cloud: None,
        capture: None,
        reset_ends: request.done == Done::Reboot,
        typist: request.typist,
        scratch: folder,
    };
    let mut spec = request.spec.clone();
    spec.deadline = spec.deadline.or(Some(DEADLINE));
    let machine = Machine::start(&spec, &media).await?;
    let (accel, why) = machine.accel();
    progress(Progress::Started { accel: accel.to_string(), why: why.to_owned() });
    let ended = installed(&machine, request, progress).await;
    let took = machine.age();
    if let Some(path) = &request.serial_log {
        fs::write(path, machine.console().bytes()).map_err(|error| file(path, error.to_string()))?;
    }
    let tail = tail(&machine);
    ended?;
    machine.quit().await;
    prove(&disk_path).map_err(|why| BuildError::Unproven { why, tail })?;
    name(disk.file(), &request.out).map_err(|error| file(&request.out, error.to_string()))?;
    Ok(took)
}

fn answers(path: &Path) -> Result<Vec<u8>, BuildError> {
    let wrong = |why: String| BuildError::File { path: path.to_owned(), why };
    let length = fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if length > LARGEST_ANSWERS {
        return Err(wrong(format!("{length} bytes are no answers; the limit is {LARGEST_ANSWERS}")));
    }
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    let mut said = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).peekable();
    if said.peek().is_none() {
        return Err(wrong("holds no answers; KEY=value lines are wanted".to_owned()));
    }
    match said.find(|(_, line)| !line.contains('=')) {
        Some((number, line)) => Err(wrong(format!("line {number} is no KEY=value line: `{line}`"))),
        None => Ok(text.into_bytes()),
    }
}

fn tail(machine: &Machine) -> String {
    machine.console().tail(TAIL).iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// Waits until the installer says that it is done.
async fn installed(
    machine: &Machine,
    request: &BuildRequest,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(), BuildError> {
    let failed = |why: String| BuildError::Failed { why, tail: tail(machine) };
    let limit = machine.deadline();
    let typing = Typing::new(&request.keys);
    if !request.keys.is_empty() {
        // Somebody is there: what would be the end of a boot, as a shell of the firmware's, is what they type into.
        machine.settle();
    }
    let typed = async {
        match machine.type_keys(&request.keys, &|text| typing.waits(text)).await {
            Ok(()) => typing.ends(),
            Err(error) => return error,
        }
        pending().await
    };
    let stopped = async {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            tick.tick().await;
            progress(Progress::Booting { age: machine.age(), line: machine.console().last_line() });
            let quiet = machine.console().last_heard().elapsed() > QUIET && typing.last().elapsed() > QUIET;
            if quiet && typing.is_at_rest() && machine.is_idle().await {
                return;
            }
        }
    };
    let end = tokio::select! {
        end = machine.over() => end?,
        error = typed => return Err(error.into()),
        () = stopped => {
            let why = format!("silent and idle for {} s: it waits for somebody", QUIET.as_secs());
            return Err(failed(why + &typing.left()));
        }
        () = tokio::time::sleep(limit) => {
            return Err(failed(format!("not done after {} s", limit.as_secs()) + &typing.left()));
        }
    };
    let expected = match request.done {
        Done::Poweroff => BootEnd::PoweredOff,
        Done::Reboot => BootEnd::ResetLoop { resets: 1 },
    };
    if end != expected {
        return Err(failed(end.to_string() + &typing.left()));
    }
    if !typing.left().is_empty() {
        return Err(failed(format!("the machine ended{}", typing.left())));
    }
    let said = String::from_utf8_lossy(&machine.console().bytes()).into_owned();
    match &request.done_pattern {
        Some(pattern) if !pattern.is_match(&said) => Err(failed(format!("the console never said `{pattern}`"))),
        _ => Ok(()),
    }
}

/// Reads from the disk itself that a system is there.
fn prove(path: &Path) -> Result<(), String> {
    let image = Image::open(path).map_err(|error| error.to_string())?;
    let layout: Layout = image.layout().map_err(|error| format!("its disk cannot be read: {error}"))?;
    if layout.gpt.is_none() {
        return Err("its disk has no partition table".to_owned());
    }
    let loader = |(path, _): &(String, u64)| path.to_ascii_lowercase().ends_with(".efi");
    if !layout.esp.is_some_and(|esp| esp.files.iter().any(loader)) {
        return Err("its disk has no EFI system partition with a loader".to_owned());
    }
    match layout.labels.first() {
        None => Err("its disk has no ZFS label".to_owned()),
        Some(label) if label.state != "EXPORTED" => {
            Err(format!("pool {} was not exported: its label says {}", label.pool, label.state))
        }
        Some(_) => Ok(()),
    }
}
