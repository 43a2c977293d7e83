//! What is slow to ask, or changes what it asks, is asked of forks of the machine: each fact of one of its own, but for
//! facts that ask the same.

use std::{
    os::unix::net::UnixStream,
    sync::Arc,
    time::{Duration, Instant},
};

use kverify_checks::Output;
use tokio::{sync::Semaphore, task::JoinSet};

use super::plan::Task;
use crate::{
    image::RESERVE_BYTES,
    machine::{Machine, NotCaptured, PORT_NAME, Snapshot, with_last_words},
    memory::available,
    session::{AGENT_LIMIT, PortShell, Session},
};

/// What one fork takes of the host's memory while it answers, in bytes: twice what unpacking an initramfs took.
const FORK_BYTES: u64 = 512 << 20;

/// A machine that forks were not made of, and goes on.
pub(crate) struct NotForked {
    pub(crate) machine: Box<Machine>,
    pub(crate) why: String,
}

/// Starts the shell that the forks are asked through, and captures the machine.
pub(crate) async fn capture(mut machine: Machine, session: &Session) -> Result<Snapshot, NotForked> {
    match listen(&mut machine, session).await {
        Err(why) => Err(NotForked { machine: Box::new(machine), why }),
        // The host's end stays open until the capture: the shell is to wait on it, not to find it closed.
        Ok(_port) => {
            machine.capture().await.map_err(|NotCaptured { machine, why }| NotForked { machine, why: why.to_string() })
        }
    }
}

async fn listen(machine: &mut Machine, session: &Session) -> Result<Session, String> {
    let port = machine.take_port().ok_or("it has no port for a shell")?;
    let started = session.script(&PortShell::agent(PORT_NAME), AGENT_LIMIT).await;
    match started.map_err(|error| error.to_string())? {
        (0, _) => {}
        (_, said) => return Err(format!("no shell on its port: {}", said.trim())),
    }
    answering(port).await
}

/// A session with the shell on a port, once it has answered.
async fn answering(port: UnixStream) -> Result<Session, String> {
    let session = Session::Port(PortShell::open(port).map_err(|error| error.to_string())?);
    match session.script("true", AGENT_LIMIT).await {
        Ok((0, _)) => Ok(session),
        Ok((status, _)) => Err(format!("the shell on its port ended `true` with {status}")),
        Err(error) => Err(format!("the shell on its port does not answer: {error}")),
    }
}

/// How many forks may be alive at once, and what limits them where it is not the number of processors.
pub(crate) fn at_once(scratch: &std::path::Path) -> (usize, Option<String>) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from).max(2);
    let rooms = [("memory", free_memory().map(|free| free / FORK_BYTES)), ("disk space", free_disk(scratch))];
    let mut most = (cores, None);
    for (what, room) in rooms {
        let Some(room) = room.and_then(|room| usize::try_from(room).ok()) else { continue };
        if room < most.0 {
            most = (room.max(1), Some(format!("the host is short of {what}")));
        }
    }
    most
}

/// What the host still has, in bytes, where it can be told.
pub(crate) fn free_memory() -> Option<u64> {
    available(|path| std::fs::read_to_string(path).ok())
}

fn free_disk(scratch: &std::path::Path) -> Option<u64> {
    let space = rustix::fs::statvfs(scratch).ok()?;
    Some(space.f_bavail.saturating_mul(space.f_frsize) / RESERVE_BYTES)
}

/// What came of one.
pub(crate) struct Done {
    pub(crate) task: Task,
    /// Number of the fork, from 1.
    pub(crate) number: usize,
    /// The answers, in the order of the probes.
    pub(crate) answers: Result<Vec<Output>, String>,
    /// From the start of QEMU to the shell's first answer.
    pub(crate) first_answer: Option<Duration>,
    /// From there to the last.
    pub(crate) asked: Option<Duration>,
}

/// Does every task on a fork of its own, and calls `done` with each as it comes.
///
/// A fork that fails fails its own facts. Dropping the future ends all forks.
pub(crate) async fn ask(snapshot: &Snapshot, tasks: Vec<Task>, at_once: usize, mut done: impl FnMut(Done)) {
    let room = Arc::new(Semaphore::new(at_once));
    let mut forks = JoinSet::new();
    for (index, task) in tasks.into_iter().enumerate() {
        let (snapshot, room) = (snapshot.clone(), Arc::clone(&room));
        forks.spawn(async move {
            let _room = room.acquire().await;
            let mut done = Done { task, number: index + 1, answers: Ok(Vec::new()), first_answer: None, asked: None };
            done.answers = ask_one(&snapshot, &mut done).await;
            done
        });
    }
    while let Some(joined) = forks.join_next().await {
        match joined {
            Ok(one) => done(one),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }
}

/// A fork that answers, with the session to the shell on its port.
///
/// # Errors
/// Why there is none, in words.
pub async fn fork(snapshot: &Snapshot) -> Result<(Machine, Session), String> {
    let mut machine = snapshot.fork().await.map_err(|error| format!("no fork: {error}"))?;
    let port = machine.take_port().ok_or("the fork has no port")?;
    let session = tokio::select! {
        session = answering(port) => session?,
        end = machine.over() => return Err(end.map_or_else(|error| error.to_string(), |end| format!("the fork does not answer: {end}"))),
    };
    Ok((machine, session))
}

async fn ask_one(snapshot: &Snapshot, done: &mut Done) -> Result<Vec<Output>, String> {
    let (machine, session) = fork(snapshot).await?;
    done.first_answer = Some(machine.age());
    let begun = Instant::now();
    let answered = tokio::select! {
        answered = session.ask(&done.task.probes, |_| ()) => answered.map_err(|error| error.to_string()),
        end = machine.over() => Err(match end {
            Ok(end) => format!("the fork ended while it was asked: {end}"),
            Err(error) => error.to_string(),
        }),
    };
    done.asked = answered.is_ok().then(|| begun.elapsed());
    answered.map_err(|why| with_last_words(why, &machine))
}
