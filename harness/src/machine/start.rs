//! Starting a machine: its files, its accelerator, its process, its monitor.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use kverify_checks::boot::BootEnd;
use qapi::qmp as command;
use tokio::{sync::Mutex, time::timeout};

use super::{
    Machine, QMP_LIMIT,
    argv::{Disk, Memory, Parts, Pflash},
    firmware::{Firmware, FirmwareError},
    held::{Cold, Held},
    kernel::Kernel,
    keys::Typist,
    launch::{Running, launch},
    life::End,
    memfd::Memfd,
    process::{ProcessError, path_of},
    qmp::{Qmp, QmpError},
    spec::{Accel, AccelChoice, FirmwareChoice, Network, Spec},
};
use crate::{
    cloud::Instance,
    image::{Digest, Image, Overlay, Unnamed, UnnamedError},
    lab::{Capture, Origin, Plug},
};

/// How long a guest under KVM has to show that it runs.
const KVM_PROOF: Duration = Duration::from_secs(15);

/// What a machine is started with besides its hardware.
pub struct Media<'a> {
    /// The disk it boots from.
    pub disk: BootDisk<'a>,
    /// Content of small read-only volumes, attached after the network card.
    pub volumes: Vec<Vec<u8>>,
    /// A bootable read-only CD.
    pub cdrom: Option<PathBuf>,
    /// A kernel that is started instead of what the disk boots.
    pub kernel: Option<&'a Kernel>,
    /// Whether there is a network card.
    pub network: bool,
    /// Where it is plugged in, on a network of several machines; such a machine cannot be captured.
    pub(crate) plug: Option<Plug>,
    /// What it is to a cloud, where it is on one.
    pub(crate) cloud: Option<Arc<Instance>>,
    /// What sees each frame of its network, where that is the lab's.
    pub capture: Option<&'a Capture>,
    /// Whether a reset by the guest ends the machine.
    pub reset_ends: bool,
    /// Where keys are typed.
    pub typist: Typist,
    /// The folder for files without names: overlays, firmware variables, volumes.
    pub scratch: &'a Path,
}

/// The disk of a machine.
pub enum BootDisk<'a> {
    /// A fresh overlay of this image.
    OverlayOf(Arc<Image>),
    /// The same in the smallest blocks that file systems have: what the guest discards is gone to the last of them.
    FineOverlayOf(Arc<Image>),
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
    /// The pipe of the console, or the socket of the port, could not be made.
    #[error("no pipe for the console: {0}")]
    Console(std::io::Error),
    /// The network around it could not be made.
    #[error("no network for the guest: {0}")]
    Network(std::io::Error),
    /// There is no room for its memory.
    #[error("no memory for the guest: {0}")]
    Memory(std::io::Error),
    /// The state of another machine was not taken.
    #[error("the captured state was not restored: {0}")]
    Restore(String),
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
        start(spec, media, Accel::Tcg, why).await
    }
}

/// A machine on KVM, or why no guest runs on it. That the device opens proves nothing.
async fn try_kvm(spec: &Spec, media: &Media<'_>) -> Result<Result<Machine, String>, StartError> {
    if let Err(error) = std::fs::File::options().read(true).write(true).open("/dev/kvm") {
        return Ok(Err(format!("/dev/kvm: {error}")));
    }
    let why = if spec.accel == AccelChoice::Kvm { "asked for" } else { "a guest runs on it" };
    let machine = match start(spec, media, Accel::Kvm, why.to_owned()).await {
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
    machine.quit().await;
    Ok(Err(why))
}

async fn start(spec: &Spec, media: &Media<'_>, accel: Accel, accel_why: String) -> Result<Machine, StartError> {
    let firmware = Firmware::find(spec.firmware, spec.firmware_vars.is_some())?;
    let given = spec.firmware_vars.as_deref().unwrap_or(&firmware.vars);
    firmware.fits(given)?;
    let vars = Unnamed::copy_of(media.scratch, "firmware variables", given)?;
    let (mut store, unreadable) = (Vec::new(), |source| FirmwareError::Unreadable { path: given.to_owned(), source });
    // What is looked at is what it begins with, and not what has that name by now.
    vars.file().read_to_end(&mut store).map_err(unreadable)?;
    firmware.begins_with(&store, given, spec.firmware)?;
    let keys_count = spec.firmware_vars.is_some() || spec.firmware == FirmwareChoice::UefiSecureBoot;
    let first_vars = keys_count.then(|| Digest::of(&store));
    let seeds = media.volumes.iter().map(|content| Unnamed::holding(media.scratch, "seed volume", content));
    let volumes = seeds.collect::<Result<Vec<_>, _>>()?;
    let mut parts = Parts {
        pflash: Pflash { code: &firmware.code, vars: path_of(vars.file()), guarded: firmware.guarded },
        console: String::new(),
        typed: None,
        disk: Disk { overlay: String::new(), below: Vec::new(), durable: true, drops_zeros: false },
        beside: None,
        volumes: volumes.iter().map(|volume| path_of(volume.file())).collect(),
        cdrom: media.cdrom.as_ref().map(|path| path.display().to_string()),
        network: media.network,
        machine: 0,
        reset_ends: media.reset_ends,
        memory: Memory::Own,
        smbios: media.cloud.as_ref().map(|cloud| cloud.smbios()).unwrap_or_default(),
        kernel: media.kernel.map(Kernel::booted),
    };
    let held = match &media.disk {
        BootDisk::Written(path) => {
            parts.disk.overlay = path.display().to_string();
            Held::Written { _vars: vars, _volumes: volumes }
        }
        BootDisk::OverlayOf(image) | BootDisk::FineOverlayOf(image) => {
            let overlay = match &media.disk {
                BootDisk::FineOverlayOf(_) => Overlay::create_fine(media.scratch, image.virtual_size())?,
                _ => Overlay::create(media.scratch, image.virtual_size())?,
            };
            parts.disk.overlay = path_of(overlay.file());
            (parts.disk.below, parts.disk.durable) = (vec![layer(image)], false);
            let mut memory = None;
            // What a cloud says of a machine is not captured, and no network with another machine on it.
            if media.kernel.is_none() && media.cloud.is_none() && media.plug.is_none() {
                let shared = Memfd::create("guest-memory", spec.memory_mib << 20).map_err(StartError::Memory)?;
                parts.memory = Memory::Shared(shared.path());
                memory = Some(shared);
            }
            let (image, scratch) = (Arc::clone(image), media.scratch.to_owned());
            Held::Cold(Box::new(Cold {
                image,
                overlay,
                vars,
                first_vars,
                volumes,
                memory,
                network: media.network,
                scratch,
            }))
        }
    };
    let plug = match &media.plug {
        _ if !media.network => None,
        Some(plug) => Some(plug.clone()),
        None => alone(spec, Origin::at(spec.switched_on()), media.cloud.clone())?,
    };
    if let (Some(plug), Some(capture)) = (&plug, media.capture) {
        plug.lab.capture(capture.clone()).map_err(StartError::Network)?;
    }
    let running = launch(spec, accel, parts, plug.as_ref(), media.typist).await?;
    Machine::assemble(running, spec, (accel, accel_why), held, plug).await
}

/// The network of one machine, where it is to have one of ours.
pub(super) fn alone(spec: &Spec, origin: Origin, cloud: Option<Arc<Instance>>) -> Result<Option<Plug>, StartError> {
    let alone = (spec.network == Network::Lab).then(|| Plug::alone(origin, cloud));
    alone.transpose().map_err(StartError::Network)
}

impl Machine {
    /// A machine of a QEMU that runs.
    pub(super) async fn assemble(
        running: Running,
        spec: &Spec,
        (accel, accel_why): (Accel, String),
        held: Held,
        plug: Option<Plug>,
    ) -> Result<Self, StartError> {
        let slirp = held.network() && plug.is_none();
        let forward = if slirp { forwarded_port(&running.qmp).await? } else { None };
        Ok(Self {
            process: running.process,
            qmp: running.qmp,
            console: running.console,
            life: running.life,
            port: running.port,
            serial: running.serial,
            forward,
            plug,
            cable: Mutex::default(),
            started: running.started,
            accel,
            accel_why,
            qemu: running.qemu,
            spec: spec.clone(),
            disk_bytes: held.disk_bytes(),
            held,
        })
    }
}

/// An image as the lowest layer of a disk: its path and format.
pub(super) fn layer(image: &Image) -> (String, String) {
    (image.fd_path().display().to_string(), image.format().to_string())
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// The host's port that leads to port 22 of the guest; the kernel chose it, so no other program can have it.
async fn forwarded_port(qmp: &Qmp) -> Result<Option<u16>, StartError> {
    let ask = command::human_monitor_command { cpu_index: None, command_line: "info usernet".to_owned() };
    let table = qmp.call(ask, QMP_LIMIT).await?;
    let row = table.lines().find(|line| line.contains("[HOST_FORWARD]"));
    Ok(row.and_then(|row| row.split_ascii_whitespace().nth(3)?.parse().ok()))
}
