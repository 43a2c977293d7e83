//! Starting a machine: its files, its accelerator, its process, its monitor.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use kverify_checks::boot::BootEnd;
use qapi::qmp as command;
use tokio::{sync::mpsc, time::timeout};

use super::{
    Machine, QMP_LIMIT,
    argv::{Disk, Parts, Pflash, argv},
    console::Console,
    firmware::{Firmware, FirmwareError},
    life::{End, Life},
    process::{Pipes, Process, ProcessError, path_of},
    qmp::{Event, Qmp, QmpError},
    spec::{Accel, AccelChoice, Spec},
};
use crate::image::{Image, Overlay, Unnamed, UnnamedError};

/// How long a guest under KVM has to show that it runs.
const KVM_PROOF: Duration = Duration::from_secs(3);

/// What a machine is started with besides its hardware.
pub struct Media<'a> {
    /// The disk it boots from.
    pub disk: BootDisk<'a>,
    /// Content of small read-only volumes, attached after the network card.
    pub volumes: Vec<Vec<u8>>,
    /// A bootable read-only CD.
    pub cdrom: Option<PathBuf>,
    /// Whether there is a network card.
    pub network: bool,
    /// Whether a reset by the guest ends the machine.
    pub reset_ends: bool,
    /// The folder for files without names: overlays, firmware variables, volumes.
    pub scratch: &'a Path,
}

/// The disk of a machine.
pub enum BootDisk<'a> {
    /// A fresh overlay of this image.
    OverlayOf(&'a Image),
    /// This qcow2 file itself, which is written.
    Written(&'a Path),
}

/// Why a machine could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// QEMU is not installed.
    #[error("no `qemu-system-x86_64` in PATH; on Debian, package `qemu-system-x86` has it")]
    NoQemu,
    /// No firmware to boot with.
    #[error(transparent)]
    Firmware(#[from] FirmwareError),
    /// A file that it needs could not be made.
    #[error(transparent)]
    File(#[from] UnnamedError),
    /// The pipe of the console could not be made.
    #[error("no pipe for the console: {0}")]
    Console(std::io::Error),
    /// The process could not be started.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// QEMU ended before it could be asked anything.
    #[error("qemu did not start ({status}): {complaints}")]
    Refused {
        /// How it ended, in words.
        status: String,
        /// What it wrote to standard error.
        complaints: String,
    },
    /// The monitor did not answer.
    #[error(transparent)]
    Monitor(#[from] Box<dyn std::error::Error + Send + Sync>),
    /// KVM was asked for, and no guest runs on it.
    #[error("kvm was asked for, and no guest runs on it here: {0}; `--accel auto` takes tcg instead")]
    NoKvm(String),
}

impl From<QmpError> for StartError {
    fn from(error: QmpError) -> Self {
        Self::Monitor(Box::new(error))
    }
}

impl Machine {
    /// Starts a machine, and returns while its firmware begins.
    ///
    /// # Errors
    /// [`StartError`] names what is missing and how to get it.
    pub async fn start(spec: &Spec, media: &Media<'_>) -> Result<Self, StartError> {
        if !on_path("qemu-system-x86_64") {
            return Err(StartError::NoQemu);
        }
        let why = match spec.accel {
            AccelChoice::Tcg => "asked for".to_owned(),
            AccelChoice::Auto | AccelChoice::Kvm => match try_kvm(spec, media).await? {
                Ok(machine) => return Ok(machine),
                Err(why) if spec.accel == AccelChoice::Kvm => return Err(StartError::NoKvm(why)),
                Err(why) => format!("no guest runs on kvm here: {why}"),
            },
        };
        launch(spec, media, Accel::Tcg, why).await
    }
}

/// A machine on KVM, or why no guest runs on it. That the device opens proves nothing.
async fn try_kvm(spec: &Spec, media: &Media<'_>) -> Result<Result<Machine, String>, StartError> {
    if let Err(error) = std::fs::File::options().read(true).write(true).open("/dev/kvm") {
        return Ok(Err(format!("/dev/kvm: {error}")));
    }
    let why = if spec.accel == AccelChoice::Kvm { "asked for" } else { "a guest runs on it" };
    let machine = match launch(spec, media, Accel::Kvm, why.to_owned()).await {
        Ok(machine) => machine,
        Err(StartError::Refused { complaints, .. }) => return Ok(Err(complaints)),
        Err(error) => return Err(error),
    };
    let proof = async {
        let mut tick = tokio::time::interval(Duration::from_millis(50));
        while !machine.console.has_spoken() {
            tick.tick().await;
        }
    };
    // Silence is no proof against it: a firmware may have no serial console. A stopped guest is.
    let why = tokio::select! {
        end = machine.life.over() => match end {
            End::Guest(BootEnd::Stopped { state }) => format!("its first guest ended in run state {state}"),
            End::Guest(end) => end.to_string(),
            End::Qemu(exited) => exited.complaints,
        },
        _ = timeout(KVM_PROOF, proof) => return Ok(Ok(machine)),
    };
    // The next QEMU gets the same disk, and no lock on it while this one still dies.
    machine.quit().await.map_err(|error| StartError::Monitor(Box::new(error)))?;
    Ok(Err(why))
}

async fn launch(spec: &Spec, media: &Media<'_>, accel: Accel, accel_why: String) -> Result<Machine, StartError> {
    let firmware = Firmware::find()?;
    let mut blobs = vec![Unnamed::copy_of(media.scratch, "firmware variables", &firmware.vars)?];
    for content in &media.volumes {
        blobs.push(Unnamed::holding(media.scratch, "seed volume", content)?);
    }
    let volumes = blobs[1..].iter().map(path_of_blob).collect();
    let (overlay, disk) = disk(media)?;
    let life = Life::new();
    let (console, writer, follower) = Console::open(life.clone()).map_err(StartError::Console)?;
    let parts = Parts {
        pflash: Pflash { code: &firmware.code, vars: path_of_blob(&blobs[0]) },
        console: path_of(&writer),
        disk,
        volumes,
        cdrom: media.cdrom.as_ref().map(|path| path.display().to_string()),
        network: media.network,
        reset_ends: media.reset_ends,
    };
    let started = Instant::now();
    let (process, pipes) = Process::start(argv(spec, accel, &parts))?;
    let qmp = watch(&process, pipes, &life, follower)?;
    let qemu = greet(&qmp, &process).await?;
    // QEMU has the console open by now; without our end its reader sees QEMU's end.
    drop(writer);
    let forward = if media.network { forwarded_port(&qmp).await? } else { None };
    Ok(Machine {
        process,
        qmp,
        console,
        life,
        forward,
        started,
        accel,
        accel_why,
        qemu,
        spec: spec.clone(),
        _disk: overlay,
        _blobs: blobs,
    })
}

fn disk(media: &Media<'_>) -> Result<(Option<Overlay>, Disk), StartError> {
    Ok(match media.disk {
        BootDisk::OverlayOf(image) => {
            let overlay = Overlay::create(media.scratch, image.virtual_size())?;
            let golden = (image.fd_path().display().to_string(), image.format().to_string());
            let disk = Disk { overlay: overlay.fd_path().display().to_string(), golden: Some(golden) };
            (Some(overlay), disk)
        }
        BootDisk::Written(path) => (None, Disk { overlay: path.display().to_string(), golden: None }),
    })
}

fn path_of_blob(blob: &Unnamed) -> String {
    blob.fd_path().display().to_string()
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// Lets the process and its monitor report to `life`.
fn watch(
    process: &Process,
    pipes: Pipes,
    life: &Life,
    console: tokio::task::JoinHandle<()>,
) -> Result<Arc<Qmp>, StartError> {
    let monitor = |error: std::io::Error| StartError::Monitor(Box::new(error));
    let reader = tokio::process::ChildStdout::from_std(pipes.stdout).map_err(monitor)?;
    let writer = tokio::process::ChildStdin::from_std(pipes.stdin).map_err(monitor)?;
    let (qmp, events) = Qmp::open(reader, writer);
    let qmp = Arc::new(qmp);
    let events = tokio::spawn(follow(events, Arc::clone(&qmp), life.clone()));
    let (mut exit, life) = (process.exit(), life.clone());
    tokio::spawn(async move {
        let exited = exit.wait_for(Option::is_some).await.ok().and_then(|exited| exited.clone());
        // What the guest said last comes before the word that QEMU is gone.
        let _ = console.await;
        let _ = events.await;
        if let Some(exited) = exited {
            life.exited(exited);
        }
    });
    Ok(qmp)
}

async fn follow(mut events: mpsc::UnboundedReceiver<Event>, qmp: Arc<Qmp>, life: Life) {
    while let Some(event) = events.recv().await {
        match event {
            Event::Reset { guest: true } => life.reset(),
            Event::Shutdown { guest: true, reset: true } => life.died(BootEnd::ResetLoop { resets: 1 }),
            Event::Shutdown { guest: true, reset: false } => life.died(BootEnd::PoweredOff),
            Event::Panicked => life.died(BootEnd::Panicked { line: "QMP event GUEST_PANICKED".to_owned() }),
            Event::Stop => {
                let status = qmp.call(command::query_status {}, QMP_LIMIT).await;
                if let Ok(status) = status
                    && let Some(state) = stopped_for_good(status.status)
                {
                    life.died(BootEnd::Stopped { state: state.to_owned() });
                }
            }
            Event::Reset { .. } | Event::Shutdown { .. } | Event::Other(_) => {}
        }
    }
}

/// The run states that no guest comes back from; the others are ours, or have an event of their own.
fn stopped_for_good(state: command::RunState) -> Option<&'static str> {
    match state {
        command::RunState::internal_error => Some("internal-error"),
        command::RunState::io_error => Some("io-error"),
        command::RunState::watchdog => Some("watchdog"),
        _ => None,
    }
}

/// Negotiates, and gives QEMU's version.
async fn greet(qmp: &Qmp, process: &Process) -> Result<String, StartError> {
    let mut exit = process.exit();
    let asked = async {
        qmp.call(command::qmp_capabilities { enable: None }, QMP_LIMIT).await?;
        qmp.call(command::query_version {}, QMP_LIMIT).await
    };
    match asked.await {
        Ok(version) => {
            let number = version.qemu;
            let package = version.package;
            let package = if package.is_empty() { package } else { format!(" ({package})") };
            Ok(format!("{}.{}.{}{package}", number.major, number.minor, number.micro))
        }
        Err(error @ QmpError::Ended(_)) => match timeout(QMP_LIMIT, exit.wait_for(Option::is_some)).await {
            Ok(Ok(exited)) => Err(exited.as_ref().map_or_else(
                || StartError::from(error),
                |exited| StartError::Refused { status: exited.status.clone(), complaints: exited.complaints.clone() },
            )),
            _ => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// The host's port that leads to port 22 of the guest; the kernel chose it, so no other program can have it.
async fn forwarded_port(qmp: &Qmp) -> Result<Option<u16>, StartError> {
    let ask = command::human_monitor_command { cpu_index: None, command_line: "info usernet".to_owned() };
    let table = qmp.call(ask, QMP_LIMIT).await?;
    let row = table.lines().find(|line| line.contains("[HOST_FORWARD]"));
    Ok(row.and_then(|row| row.split_ascii_whitespace().nth(3)?.parse().ok()))
}
