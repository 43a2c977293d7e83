//! A machine that was stopped for good once it had settled, and any number of machines that go on from there.
//!
//! QEMU calls it VM templating: the memory is a file that nobody writes any more, the state of the devices a few MiB
//! beside it, and each fork maps that memory privately, so that it pays only for the pages it changes.

use std::{fs::File, path::PathBuf, sync::Arc, time::Duration};

use jiff::{Timestamp, Unit};
use qapi::qmp as command;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::{
    Machine, QMP_LIMIT, StartError,
    argv::Memory,
    firmware::Firmware,
    held::{Cold, Held},
    keys::Typist,
    launch::{launch, refusal},
    memfd::Memfd,
    process::path_of,
    qmp::{Qmp, QmpError},
    spec::{Accel, Spec},
    start::{alone, layer},
};
use crate::{
    image::{Image, Overlay, Unnamed},
    lab::Origin,
};

/// How long the state may take to be written or read; it is all of a guest's memory, where that cannot be mapped.
const LIMIT: Duration = Duration::from_mins(2);
/// How often QEMU is asked whether it is done.
const POLL: Duration = Duration::from_millis(5);
/// Above any disk's speed: the stream is throttled to 128 MiB/s otherwise.
const BANDWIDTH: u64 = 1 << 40;

/// Why a machine could not be captured.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// It was not started for it.
    #[error("only a machine that booted cold from an image can be captured")]
    NotCold,
    /// QEMU refused, for example because of a device that cannot be carried over.
    #[error("qemu cannot capture it: {0}")]
    Refused(String),
    /// There is no room for its state.
    #[error("no memory for the captured state: {0}")]
    Memory(std::io::Error),
}

/// A machine that could not be captured, and goes on.
pub struct NotCaptured {
    /// The machine.
    pub machine: Box<Machine>,
    /// Why.
    pub why: CaptureError,
}

/// A captured machine. Clones share it.
#[derive(Clone)]
pub struct Snapshot(pub(super) Arc<Frozen>);

/// What is left of a captured machine; nothing of it is ever written again.
pub(super) struct Frozen {
    pub(super) image: Arc<Image>,
    pub(super) files: Files,
    pub(super) kept: Kept,
    /// The folder for files without names.
    pub(super) scratch: PathBuf,
}

/// The files of a captured machine.
pub(super) struct Files {
    /// The overlay over the image.
    pub(super) overlay: File,
    /// Firmware variables.
    pub(super) vars: File,
    /// Read-only volumes.
    pub(super) volumes: Vec<File>,
    /// The guest's memory.
    pub(super) memory: File,
    /// The state of its devices, and its memory where forks cannot map that.
    pub(super) stream: File,
}

/// What else there is to know of a captured machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    pub(super) spec: Spec,
    pub(super) accel: Accel,
    pub(super) accel_why: String,
    pub(super) network: bool,
    pub(super) disk_bytes: u64,
    pub(super) at: Timestamp,
    /// What it remembers of the network around it.
    origin: Origin,
    way: Way,
    /// Whether forks map the memory.
    mapped: bool,
    /// Whether they can map it from a file that is open for reading only.
    rom: bool,
}

impl Frozen {
    /// What is under the disk of a fork.
    pub(super) fn below(&self) -> Vec<(String, String)> {
        vec![layer(&self.image), (path_of(&self.files.overlay), "qcow2".to_owned())]
    }
}

/// A stream that was written.
struct Stream {
    file: File,
    way: Way,
    mapped: bool,
    rom: bool,
}

/// How a stream is written and read.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Way {
    /// As a file, since QEMU 8.2.
    File,
    /// Through a command's pipe, before.
    Exec,
}

impl Way {
    fn out(self, path: &str) -> String {
        match self {
            Self::File => format!("file:{path}"),
            Self::Exec => format!("exec:cat >{path}"),
        }
    }

    fn back(self, path: &str) -> String {
        match self {
            Self::File => format!("file:{path}"),
            Self::Exec => format!("exec:cat {path}"),
        }
    }
}

impl Machine {
    /// Stops it for good and keeps all that it was, for forks to go on from. What shall run in the forks runs by now.
    ///
    /// # Errors
    /// [`NotCaptured`] gives the machine back, running, where QEMU cannot do it.
    pub async fn capture(self) -> Result<Snapshot, NotCaptured> {
        if !matches!(&self.held, Held::Cold(cold) if cold.memory.is_some()) {
            return Err(NotCaptured { machine: Box::new(self), why: CaptureError::NotCold });
        }
        let stream = match write_state(&self.qmp).await {
            Ok(stream) => stream,
            Err(why) => {
                // Its disk comes back with its CPUs: it goes on as if nothing had been.
                let _ = self.qmp.call(command::cont {}, QMP_LIMIT).await;
                return Err(NotCaptured { machine: Box::new(self), why });
            }
        };
        let now = Timestamp::now();
        // A lab that has ended has nothing to tell.
        let origin = match self.lab() {
            Some(lab) => lab.origin().await.unwrap_or_else(|_| Origin::at(now)),
            None => Origin::at(now),
        };
        let kept = Kept {
            spec: self.spec.clone(),
            accel: self.accel,
            accel_why: self.accel_why.clone(),
            network: self.held.network(),
            disk_bytes: self.disk_bytes,
            at: now.round(Unit::Second).unwrap_or(now),
            origin,
            way: stream.way,
            mapped: stream.mapped,
            rom: stream.rom,
        };
        let Held::Cold(cold) = self.end().await else { unreachable!("looked at above") };
        let Cold { image, overlay, vars, volumes, memory: Some(memory), scratch, .. } = *cold else {
            unreachable!("looked at above")
        };
        let files = Files {
            overlay: overlay.into_file(),
            vars: vars.into_file(),
            volumes: volumes.into_iter().map(Unnamed::into_file).collect(),
            memory: memory.into_file(),
            stream: stream.file,
        };
        Ok(Snapshot(Arc::new(Frozen { image, files, kept, scratch })))
    }

    /// Stops its CPUs until [`Machine::resume`].
    ///
    /// # Errors
    /// [`StartError`] where QEMU does not answer.
    pub async fn pause(&self) -> Result<(), StartError> {
        self.qmp.call(command::stop {}, QMP_LIMIT).await?;
        if let Some(lab) = self.lab() {
            lab.clock().stop();
        }
        Ok(())
    }

    /// Lets a stopped machine go on.
    ///
    /// # Errors
    /// [`StartError`] where QEMU does not answer.
    pub async fn resume(&self) -> Result<(), StartError> {
        if let Some(lab) = self.lab() {
            lab.clock().go();
        }
        self.qmp.call(command::cont {}, QMP_LIMIT).await?;
        Ok(())
    }
}

impl Snapshot {
    /// When it was captured.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.0.kept.at
    }

    /// A machine that goes on from here, with a disk of its own.
    ///
    /// # Errors
    /// [`StartError`] where it cannot be started, or does not take the state.
    pub async fn fork(&self) -> Result<Machine, StartError> {
        let machine = self.restore().await?;
        machine.resume().await?;
        Ok(machine)
    }

    /// The same, stopped at the moment of the capture until [`Machine::resume`].
    ///
    /// # Errors
    /// [`StartError`] where it cannot be started, or does not take the state.
    pub async fn restore(&self) -> Result<Machine, StartError> {
        let frozen = &self.0;
        let Frozen { files, kept, scratch, .. } = frozen.as_ref();
        let firmware = Firmware::find(kept.spec.firmware, kept.spec.firmware_vars.is_some())?;
        let vars = Unnamed::copy_of(scratch, "firmware variables", path_of(&files.vars).as_ref())?;
        let overlay = Overlay::create(scratch, kept.disk_bytes)?;
        let held = Held::Fork { overlay, vars, frozen: Arc::clone(frozen) };
        let memory = if kept.mapped {
            Memory::PrivateOf { path: path_of(&files.memory), rom: kept.rom }
        } else {
            Memory::Streamed
        };
        let Some(parts) = held.parts(&firmware, memory) else { unreachable!("a fork has a disk of its own") };
        let plug = if kept.network { alone(&kept.spec, kept.origin.clone(), None)? } else { None };
        if let Some(plug) = &plug {
            plug.lab.clock().stop();
        }
        let running = launch(&kept.spec, kept.accel, parts, plug.as_ref(), Typist::Keyboard).await?;
        if let Err(error) = read_state(&running.qmp, frozen).await {
            return Err(match error {
                StreamError::Qmp(error) => match refusal(error, &running.process).await {
                    StartError::Refused { complaints, .. } => StartError::Restore(complaints),
                    error => error,
                },
                StreamError::Failed(why) => StartError::Restore(why),
            });
        }
        let accel = (kept.accel, kept.accel_why.clone());
        let machine = Machine::assemble(running, &kept.spec, accel, held, plug).await?;
        machine.settle();
        Ok(machine)
    }
}

/// Why a stream was not written or read to its end.
enum StreamError {
    Qmp(QmpError),
    Failed(String),
}

impl From<QmpError> for StreamError {
    fn from(error: QmpError) -> Self {
        Self::Qmp(error)
    }
}

impl From<StreamError> for CaptureError {
    fn from(error: StreamError) -> Self {
        Self::Refused(match error {
            StreamError::Qmp(error) => error.to_string(),
            StreamError::Failed(why) => why,
        })
    }
}

/// Stops the guest and writes its state.
async fn write_state(qmp: &Qmp) -> Result<Stream, CaptureError> {
    let file = Memfd::create("guest-state", 0).map_err(CaptureError::Memory)?;
    let stop = async {
        qmp.call(command::stop {}, QMP_LIMIT).await?;
        let bandwidth = command::MigrateSetParameters { max_bandwidth: Some(BANDWIDTH), ..Default::default() };
        qmp.call(command::migrate_set_parameters(bandwidth), QMP_LIMIT).await?;
        Ok(knows_rom(qmp).await)
    };
    let rom = stop.await.map_err(StreamError::Qmp)?;
    let mapped = ignore_shared(qmp).await;
    let mut refused = None;
    for way in [Way::File, Way::Exec] {
        let migrate = command::migrate { channels: None, detach: None, resume: None, uri: Some(way.out(&file.path())) };
        match qmp.call(migrate, QMP_LIMIT).await {
            Ok(_) => {
                done(qmp).await?;
                return Ok(Stream { file: file.into_file(), way, mapped, rom });
            }
            // A QEMU that does not know the way says so; one that cannot do it says it of both.
            Err(error @ QmpError::Refused(..)) => refused = Some(error),
            Err(error) => return Err(StreamError::Qmp(error).into()),
        }
    }
    Err(CaptureError::Refused(refused.map_or_else(String::new, |error| error.to_string())))
}

async fn read_state(qmp: &Qmp, frozen: &Frozen) -> Result<(), StreamError> {
    if frozen.kept.mapped && !ignore_shared(qmp).await {
        return Err(StreamError::Failed("this qemu cannot map the memory of another machine".to_owned()));
    }
    let uri = frozen.kept.way.back(&path_of(&frozen.files.stream));
    qmp.call(command::migrate_incoming { channels: None, exit_on_error: None, uri: Some(uri) }, QMP_LIMIT).await?;
    done(qmp).await
}

/// Keeps memory that is a shared file out of the stream, where QEMU has that.
async fn ignore_shared(qmp: &Qmp) -> bool {
    let capability = command::MigrationCapability::x_ignore_shared;
    let capabilities = vec![command::MigrationCapabilityStatus { capability, state: true }];
    qmp.call(command::migrate_set_capabilities { capabilities }, QMP_LIMIT).await.is_ok()
}

/// Whether a file for memory can be opened for reading only and still be mapped for private writing.
async fn knows_rom(qmp: &Qmp) -> bool {
    let ask = command::qom_list_properties { typename: "memory-backend-file".to_owned() };
    let properties = qmp.call(ask, QMP_LIMIT).await;
    properties.is_ok_and(|properties| properties.iter().any(|property| property.name == "rom"))
}

/// Waits until the stream is through.
async fn done(qmp: &Qmp) -> Result<(), StreamError> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let info = qmp.call(command::query_migrate {}, QMP_LIMIT).await?;
        match info.status {
            Some(command::MigrationStatus::completed) => return Ok(()),
            Some(command::MigrationStatus::failed | command::MigrationStatus::cancelled) => {
                return Err(StreamError::Failed(info.error_desc.unwrap_or_else(|| "no reason given".to_owned())));
            }
            _ if Instant::now() > deadline => {
                let late = format!("the stream was not through after {} s", LIMIT.as_secs());
                return Err(StreamError::Failed(late));
            }
            _ => sleep(POLL).await,
        }
    }
}
