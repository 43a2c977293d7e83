//! From a command line to a QEMU that runs and is watched: its process, its monitor, its console, its port.

use std::{
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::Arc,
    time::Instant,
};

use kverify_checks::boot::BootEnd;
use qapi::qmp as command;
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

use crate::lab::Plug;

use super::{
    QMP_LIMIT, StartError,
    argv::{CABLE_FD, PORT_FD, Parts, argv},
    console::{Console, Terminal},
    keys::Typist,
    life::Life,
    process::{Pipes, Process, path_of},
    qmp::{Event, Qmp, QmpError},
    spec::{Accel, Spec},
};

/// A QEMU that runs.
pub(super) struct Running {
    pub(super) process: Process,
    pub(super) qmp: Arc<Qmp>,
    pub(super) console: Console,
    pub(super) life: Life,
    /// Our end of the port, where there is one.
    pub(super) port: Option<UnixStream>,
    /// The terminal of the serial console, where it is typed on.
    pub(super) serial: Option<Terminal>,
    /// Version of QEMU.
    pub(super) qemu: String,
    pub(super) started: Instant,
}

/// Starts QEMU from `parts`, whose console and place on the lab's network are filled in here.
pub(super) async fn launch(
    spec: &Spec,
    accel: Accel,
    mut parts: Parts<'_>,
    plug: Option<&Plug>,
    typist: Typist,
) -> Result<Running, StartError> {
    let life = Life::new();
    let (console, writer, follower) = Console::open(life.clone()).map_err(StartError::Console)?;
    parts.console = path_of(&writer);
    let terminal = (typist == Typist::Serial).then(Terminal::open).transpose().map_err(StartError::Console)?;
    parts.typed = terminal.as_ref().map(|(_, reader)| path_of(reader));
    let mut given = Vec::new();
    if let Some(plug) = plug {
        given.push((CABLE_FD, plug.cable().map_err(StartError::Network)?));
        parts.machine = plug.machine;
    }
    let mut port = None;
    if parts.has_port() {
        let (ours, theirs) = UnixStream::pair().map_err(StartError::Console)?;
        given.push((PORT_FD, OwnedFd::from(theirs)));
        port = Some(ours);
    }
    let started = Instant::now();
    let (process, pipes) = Process::start(argv(spec, accel, &parts), given)?;
    let qmp = watch(&process, pipes, &life, follower)?;
    let qemu = greet(&qmp, &process).await?;
    // QEMU has the console open by now; without our end its reader sees QEMU's end.
    drop(writer);
    let serial = terminal.map(|(terminal, _)| terminal);
    Ok(Running { process, qmp, console, life, port, serial, qemu, started })
}

/// Lets the process and its monitor report to `life`.
fn watch(process: &Process, pipes: Pipes, life: &Life, console: JoinHandle<()>) -> Result<Arc<Qmp>, StartError> {
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
        Err(error) => Err(refusal(error, process).await),
    }
}

/// Why a call failed: QEMU's own complaints, where it ended over it.
pub(super) async fn refusal(error: QmpError, process: &Process) -> StartError {
    let mut exit = process.exit();
    if !matches!(error, QmpError::Ended(_)) {
        return error.into();
    }
    match timeout(QMP_LIMIT, exit.wait_for(Option::is_some)).await {
        Ok(Ok(exited)) => match exited.as_ref() {
            Some(exited) => {
                StartError::Refused { status: exited.status.clone(), complaints: exited.complaints.clone() }
            }
            None => error.into(),
        },
        _ => error.into(),
    }
}
