//! A machine: QEMU on an overlay of an image, watched over QMP and its console.
//!
//! Everything that QEMU opens of ours has no name on the disk, and QEMU dies with kverify, so nothing can be left
//! behind. What the guest does is told by [`Machine::over`], and nobody waits for a machine that has ended.

mod argv;
mod console;
mod firmware;
mod held;
mod kernel;
mod keys;
mod launch;
mod life;
mod memfd;
mod power;
mod process;
mod qmp;
mod snapshot;
mod spec;
mod start;
mod stored;

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    os::unix::net::UnixStream,
    sync::Arc,
    time::{Duration, Instant},
};

use kverify_checks::{boot::BootEnd, step};
use qapi::qmp as command;
use socket2::Socket;
use tokio::{sync::Mutex, task::JoinHandle};

pub(crate) use argv::PORT_NAME;
pub use console::Console;
pub use firmware::{Firmware, FirmwareError};
pub use kernel::Kernel;
pub use keys::{Keys, KeysError, Typist};
pub use power::Off;
pub use process::ProcessError;
pub(crate) use process::path_of;
pub use snapshot::{CaptureError, NotCaptured, Snapshot};
pub use spec::{Accel, AccelChoice, FirmwareChoice, Network, Spec};
pub use start::{BootDisk, Media, StartError};
pub use stored::StoredError;

use crate::{
    image::Digest,
    lab::{Lab, Plug},
};
use console::Terminal;
use held::Held;
use life::{End, Life};
use memfd::Memfd;
use process::Process;
use qmp::Qmp;

/// How long QMP may take to answer anything.
const QMP_LIMIT: Duration = Duration::from_secs(20);
/// Over how long it is measured whether a machine is idle, and how much of that it may be busy.
const IDLE_WINDOW: Duration = Duration::from_secs(3);
const IDLE_SHARE: f64 = 0.35;
/// How many of a machine's last console lines an error shows.
const TAIL: usize = 3;

/// A running machine; QEMU is killed when it is dropped.
pub struct Machine {
    process: Process,
    qmp: Arc<Qmp>,
    console: Console,
    life: Life,
    port: Option<UnixStream>,
    /// The terminal of the serial console, where it is typed on.
    serial: Option<Terminal>,
    forward: Option<u16>,
    plug: Option<Plug>,
    /// What puts the cable back in once the network heals.
    cable: Mutex<Option<JoinHandle<()>>>,
    started: Instant,
    accel: Accel,
    accel_why: String,
    qemu: String,
    spec: Spec,
    disk_bytes: u64,
    held: Held,
}

/// Why a machine came to its end.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// QEMU itself ended: no word about the guest.
    #[error("qemu ended ({status}){complaints}")]
    Qemu {
        /// How, in words.
        status: String,
        /// `: ` and what it wrote to standard error, or nothing.
        complaints: String,
    },
    /// A port of the guest could not be reached.
    #[error("port {port} of the guest cannot be reached")]
    Dial {
        /// The guest's port.
        port: u16,
        /// What the system said.
        source: std::io::Error,
    },
    /// Only the lab's network can be at fault.
    #[error("the network around this machine is slirp, which is always as it is; --network lab can be at fault")]
    Network,
    /// The serial console took no key.
    #[error("the serial console takes no keys: {0}")]
    Typed(#[from] std::io::Error),
    /// The monitor did not do what it was told.
    #[error(transparent)]
    Monitor(#[from] Box<dyn std::error::Error + Send + Sync>),
    /// The screen could not be taken.
    #[error("no screenshot: {0}")]
    Screen(String),
}

impl Machine {
    /// What it wrote to its serial console.
    #[must_use]
    pub fn console(&self) -> &Console {
        &self.console
    }

    /// Time since QEMU was started.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// The accelerator it runs on, and why that one.
    #[must_use]
    pub fn accel(&self) -> (Accel, &str) {
        (self.accel, &self.accel_why)
    }

    /// Version of QEMU, as in `10.0.2 (Debian …)`.
    #[must_use]
    pub fn qemu(&self) -> &str {
        &self.qemu
    }

    /// The digest of the variables that its firmware began with, where they say what it starts, or were the caller's.
    #[must_use]
    pub fn firmware_vars(&self) -> Option<Digest> {
        match &self.held {
            Held::Cold(cold) => cold.first_vars,
            Held::Written { .. } | Held::Fork { .. } => None,
        }
    }

    /// What it is made of.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// How long its boot may take.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.spec.deadline.unwrap_or(self.accel.deadline())
    }

    /// A connection to a TCP port of the guest, which has accepted it; on slirp it may be that only slirp has.
    ///
    /// # Errors
    /// [`MachineError::Dial`] where there is no way to that port.
    pub async fn dial(&self, port: u16) -> Result<Socket, MachineError> {
        let dialled = match (&self.plug, self.ssh_address()) {
            (Some(plug), _) => plug.dial(port).await.map(Socket::from),
            (None, Some(address)) if port == 22 => slirp(address).await,
            _ => Err(std::io::Error::other("this machine's network does not lead there")),
        };
        dialled.map_err(|source| MachineError::Dial { port, source })
    }

    /// Makes the network around it like this, in place of what it was made before.
    ///
    /// # Errors
    /// [`MachineError::Network`] where that is not the lab's; [`MachineError::Monitor`] where QEMU did not do it.
    pub async fn make_network(&self, network: step::Network) -> Result<(), MachineError> {
        let lab = self.lab().ok_or(MachineError::Network)?;
        let link = |up| command::set_link { name: "net".to_owned(), up };
        let mut cable = self.cable.lock().await;
        let healed = lab.be(network).map_err(|error| MachineError::Monitor(Box::new(error)))?;
        if let Some(earlier) = cable.take() {
            // It hears that it is over, or has just begun to tell QEMU: that comes before what follows.
            let _ = earlier.await;
        }
        self.monitor(link(network.cable)).await?;
        if !network.cable {
            let qmp = Arc::clone(&self.qmp);
            *cable = Some(tokio::spawn(async move {
                if healed.await.is_ok() {
                    // A machine that has gone needs no cable.
                    let _ = qmp.call(link(true), QMP_LIMIT).await;
                }
            }));
        }
        Ok(())
    }

    /// The network around it, where it is the lab's.
    pub(crate) fn lab(&self) -> Option<&Lab> {
        self.plug.as_ref().map(|plug| &*plug.lab)
    }

    /// The host's address that leads to port 22 of the guest, where the network is slirp.
    #[must_use]
    pub fn ssh_address(&self) -> Option<SocketAddr> {
        self.forward.map(|forward| SocketAddr::from((Ipv4Addr::LOCALHOST, forward)))
    }

    /// QEMU's process.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.process.pid().as_raw_nonzero().get()
    }

    /// The host's end of the port on which a root shell may listen in the guest; it can be taken once.
    pub(crate) fn take_port(&mut self) -> Option<UnixStream> {
        self.port.take()
    }

    /// Waits until the guest ends by itself.
    ///
    /// # Errors
    /// [`MachineError::Qemu`] where it was QEMU that ended, and the guest had no say in it.
    pub async fn over(&self) -> Result<BootEnd, MachineError> {
        match self.life.over().await {
            End::Guest(end) => Ok(end),
            End::Qemu(exited) => Err(qemu_ended(exited)),
        }
    }

    /// From now on, words on the console are for the checks to judge: they no longer end anything.
    pub fn settle(&self) {
        self.life.settle();
    }

    /// Whether the guest's CPUs have been idle over the last seconds, as the host sees QEMU: it neither ran nor waited for
    /// a CPU of the host's.
    pub async fn is_idle(&self) -> bool {
        let Some(before) = self.process.busy() else { return false };
        tokio::time::sleep(IDLE_WINDOW).await;
        let Some(after) = self.process.busy() else { return false };
        after.since(&before).as_secs_f64() / IDLE_WINDOW.as_secs_f64() < IDLE_SHARE
    }

    /// Share of the time so far in which QEMU wanted a processor of the host's and had none, where the host counts that.
    #[must_use]
    pub fn starved(&self) -> Option<f64> {
        self.process.starved()
    }

    /// Its screen as PNG.
    ///
    /// # Errors
    /// [`MachineError::Screen`] where QEMU cannot take it.
    pub async fn screenshot(&self) -> Result<Vec<u8>, MachineError> {
        let screen = |error: &dyn fmt::Display| MachineError::Screen(error.to_string());
        let file = Memfd::create("screen", 0).map_err(|error| screen(&error))?;
        let dump = command::screendump {
            device: None,
            head: None,
            format: Some(command::ImageFormat::png),
            filename: file.path(),
        };
        self.qmp.call(dump, QMP_LIMIT).await.map_err(|error| screen(&error))?;
        std::fs::read(file.path()).map_err(|error| screen(&error))
    }

    /// Ends QEMU and waits for it, so that what it wrote to its disk is all there.
    pub async fn quit(self) {
        self.end().await;
    }

    async fn monitor<C: qapi::Command>(&self, order: C) -> Result<(), MachineError> {
        let done = self.qmp.call(order, QMP_LIMIT).await;
        done.map(drop).map_err(|error| MachineError::Monitor(Box::new(error)))
    }

    /// Kills QEMU, waits until it is gone, and gives what was held open for it.
    async fn kill(self) -> Held {
        let Self { process, held, .. } = self;
        let mut exit = process.exit();
        drop(process);
        let _ = exit.wait_for(Option::is_some).await;
        held
    }

    /// The same as [`Machine::quit`], and gives what was held open for it.
    async fn end(self) -> Held {
        let mut exit = self.process.exit();
        // The reply may be lost with the process; its end is what counts.
        let _ = self.qmp.call(command::quit {}, QMP_LIMIT).await;
        let _ = tokio::time::timeout(QMP_LIMIT, exit.wait_for(Option::is_some)).await;
        self.kill().await
    }
}

/// A connection by way of a port of the host.
async fn slirp(address: SocketAddr) -> std::io::Result<Socket> {
    let stream = tokio::time::timeout(Duration::from_secs(10), tokio::net::TcpStream::connect(address)).await??;
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    Ok(stream.into())
}

/// A reason, and what the machine's console said last.
pub(crate) fn with_last_words(why: impl fmt::Display, machine: &Machine) -> String {
    match machine.console().tail(TAIL).join(" | ") {
        tail if tail.is_empty() => why.to_string(),
        tail => format!("{why}; its console: {tail}"),
    }
}

fn qemu_ended(exited: process::Exited) -> MachineError {
    let complaints = if exited.complaints.is_empty() { String::new() } else { format!(": {}", exited.complaints) };
    MachineError::Qemu { status: exited.status, complaints }
}
