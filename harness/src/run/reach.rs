//! From a machine that was just started to one that has settled, or to the reason why it never will.

use std::{
    io::ErrorKind,
    mem::MaybeUninit,
    time::{Duration, Instant},
};

use kverify_checks::boot::BootEnd;
use socket2::Socket;

use super::{GuestName, Progress};
use crate::{
    machine::{Machine, MachineError},
    session::{Credential, LoginError, Session, SessionError, Ssh},
};

/// How long a connection may stay without a banner before the next is tried: slirp answers for guests that are not up.
const BANNER: Duration = Duration::from_secs(2);
/// How long each step of a login may take once a server has spoken.
const LOGIN: Duration = Duration::from_secs(45);
/// How long refusals are borne: a seed's user may come after the server, the image's own is there from the start.
const SEED_GRACE: Duration = Duration::from_mins(2);
const OWN_GRACE: Duration = Duration::from_secs(15);
/// Between refused logins; sshd since 9.8 penalises each failure for five seconds.
const AFTER_REFUSAL: Duration = Duration::from_secs(6);
/// A console silent for longer than this is silent.
const QUIET: Duration = Duration::from_secs(30);

/// Where a boot led to.
pub(crate) enum Reached {
    /// A settled system, with a session to it.
    Settled(Box<Arrival>),
    /// It ended otherwise.
    Ended(BootEnd),
}

/// A settled system.
pub(crate) struct Arrival {
    pub(crate) session: Session,
    pub(crate) name: GuestName,
    /// Since QEMU was started.
    pub(crate) login: Duration,
    /// Since QEMU was started.
    pub(crate) settled: Duration,
}

/// Why it is not known where a boot led to.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// It still made progress when its time was over.
    #[error("still booting after {} s (the console's last line: {line}); give it more with --timeout", .limit.as_secs())]
    StillBooting {
        /// The deadline.
        limit: Duration,
        /// The console's last line.
        line: String,
    },
    /// Nobody can log in.
    #[error("no way in: {0}")]
    NoWayIn(String),
    /// QEMU ended.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The session broke while the system settled.
    #[error("the session broke while the system settled: {0}")]
    Session(SessionError),
}

/// What ends the wait for a login.
enum Login {
    In(Ssh),
    NoWay(LoginError),
}

/// Waits until the system has settled, for at most the machine's deadline.
///
/// # Errors
/// [`ReachError`] where neither a settled system nor the guest's own end was seen.
pub(crate) async fn reach(
    machine: &Machine,
    credential: &Credential,
    seeded: bool,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Reached, ReachError> {
    // Not since QEMU was started: a machine that reboots has as long again.
    let (limit, begun) = (machine.deadline(), Instant::now());
    let tell = async {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            tick.tick().await;
            progress(Progress::Booting { age: begun.elapsed(), line: machine.console().last_line() });
        }
    };
    let arrive = async {
        let session = match log_in(machine, credential, seeded).await {
            Login::In(ssh) => Session::Ssh(ssh),
            Login::NoWay(why) => return Err(no_way_in(&why, seeded)),
        };
        let login = machine.age();
        progress(Progress::LoggedIn { age: begun.elapsed() });
        let name = settle(&session, limit.saturating_sub(begun.elapsed())).await?;
        Ok(Arrival { session, name, login, settled: machine.age() })
    };
    let arrived = tokio::select! {
        arrived = arrive => arrived,
        end = machine.over() => return Ok(Reached::Ended(end?)),
        () = tell => unreachable!("it tells for ever"),
        () = tokio::time::sleep(limit.saturating_sub(begun.elapsed())) => return late(machine, limit).await,
    };
    match arrived {
        Ok(arrival) => {
            machine.settle();
            progress(Progress::Settled { age: begun.elapsed() });
            Ok(Reached::Settled(Box::new(arrival)))
        }
        // A guest that died takes its session with it; its own end says more.
        Err(error) => match tokio::time::timeout(Duration::from_secs(2), machine.over()).await {
            Ok(end) => Ok(Reached::Ended(end?)),
            Err(_) if matches!(error, ReachError::Session(SessionError::Late(_))) => late(machine, limit).await,
            Err(_) => Err(error),
        },
    }
}

/// What a machine that is not ready at its deadline is: hung, without a way in, or still at work.
async fn late(machine: &Machine, limit: Duration) -> Result<Reached, ReachError> {
    let console = machine.console();
    if console.asks_for_login() {
        let why = "the console asks for a login, but no ssh server answers on port 22; is it installed and enabled?";
        return Err(ReachError::NoWayIn(why.to_owned()));
    }
    let quiet = console.last_heard().elapsed();
    if quiet > QUIET && machine.is_idle().await {
        return Ok(Reached::Ended(BootEnd::Silent { quiet_seconds: quiet.as_secs() }));
    }
    Err(ReachError::StillBooting { limit, line: console.last_line() })
}

async fn log_in(machine: &Machine, credential: &Credential, seeded: bool) -> Login {
    let grace = if seeded { SEED_GRACE } else { OWN_GRACE };
    let mut refused: Option<Instant> = None;
    loop {
        let attempt = match machine.dial(22).await {
            Ok(stream) => blocking_login(stream, credential.clone()).await,
            Err(error) => Err(LoginError::NotYet(error.to_string())),
        };
        let pause = match attempt {
            Ok(ssh) => return Login::In(ssh),
            Err(LoginError::NotYet(_)) => Duration::from_millis(200),
            Err(why) => {
                if refused.get_or_insert_with(Instant::now).elapsed() > grace {
                    return Login::NoWay(why);
                }
                AFTER_REFUSAL
            }
        };
        tokio::time::sleep(pause).await;
    }
}

async fn blocking_login(stream: Socket, credential: Credential) -> Result<Ssh, LoginError> {
    let login = move || {
        banner(&stream).map_err(|error| LoginError::NotYet(error.to_string()))?;
        Ssh::login(stream, &credential, LOGIN)
    };
    tokio::task::spawn_blocking(login).await.map_err(|error| LoginError::NotYet(error.to_string()))?
}

/// Waits until the server has spoken, and leaves what it said to be read: a connection that only reads the banner is
/// penalised by newer servers.
fn banner(stream: &Socket) -> std::io::Result<()> {
    stream.set_read_timeout(Some(BANNER))?;
    if stream.peek(&mut [MaybeUninit::uninit()])? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    stream.set_read_timeout(None)
}

fn no_way_in(why: &LoginError, seeded: bool) -> ReachError {
    let next = if seeded {
        "; the image did not take the NoCloud seed (is cloud-init installed, enabled, and NoCloud among its data \
         sources?): give an account of its own with --ssh-user and --ssh-key"
    } else {
        ""
    };
    ReachError::NoWayIn(format!("{why}{next}"))
}

/// Waits until every boot job is done, and asks who the system is.
async fn settle(session: &Session, limit: Duration) -> Result<GuestName, ReachError> {
    const SCRIPT: &str = "if [ -d /run/systemd/system ]; then systemctl is-system-running --wait; fi\n\
                          echo kverify:os-release; cat /etc/os-release\n\
                          echo kverify:metadata; cat /etc/kldload/image-metadata.json 2>/dev/null\n\
                          echo kverify:settled\n";
    let (_, said) = session.script(SCRIPT, limit.max(Duration::from_secs(1))).await.map_err(ReachError::Session)?;
    let broken = || ReachError::Session(SessionError::Ended("its answer ends before its mark".to_owned()));
    let (_, rest) = said.split_once("kverify:os-release\n").ok_or_else(broken)?;
    let (os_release, rest) = rest.split_once("kverify:metadata\n").ok_or_else(broken)?;
    let (metadata, _) = rest.rsplit_once("kverify:settled\n").ok_or_else(broken)?;
    Ok(GuestName::read(os_release, metadata))
}
