//! One settled machine: asked by testinfra and by kverify in turn, then captured, forked one by one, and many at once.

use std::{
    io,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use kverify::{
    machine::{AccelChoice, FirmwareChoice, Machine, Network, Snapshot, Spec},
    run::{Ahead, Filter, Settled, fork},
    session::{Credential, Session},
};
use kverify_checks::{Status, scenarios::Bus};
use tokio::task::{JoinSet, spawn_blocking};

use crate::{Args, child::run, series::Series, way_in::write_key};

/// How often the settled machine is asked by each.
const TURNS: usize = 3;
/// How many forks are made one by one.
const FORKS: usize = 20;
/// How many are alive at once.
const CROWDS: [usize; 2] = [8, 32];
/// How long a fork may take for one word.
const WORD: Duration = Duration::from_mins(1);

/// What was measured, in seconds.
#[derive(Default)]
pub(crate) struct Guest {
    pub(crate) testinfra_ssh: Series,
    pub(crate) testinfra_paramiko: Series,
    pub(crate) check_phase: Series,
    /// From the call to the stopped machine.
    pub(crate) restored: Series,
    /// From the call to the first answer.
    pub(crate) forked: Series,
    /// From the call for one that was made ahead to its first answer from then on.
    pub(crate) taken: Series,
    /// The same, until it has told the health of its pool: a program starts for that.
    pub(crate) told: Series,
    pub(crate) crowds: Vec<Crowd>,
}

/// Forks that were alive at once.
pub(crate) struct Crowd {
    pub(crate) forks: usize,
    /// Until the last had answered for the first time.
    pub(crate) all_answered: f64,
    /// How long each took to answer once more, with all of them alive.
    pub(crate) again: Series,
    /// Proportional memory of every QEMU, in MiB: what is shared is counted once.
    pub(crate) proportional_mib: Series,
    /// How much less memory the host had to give than before the machine was booted, in GiB.
    pub(crate) host_gib: f64,
}

pub(crate) async fn measure(args: &Args, checks: &[String], work: &Path) -> io::Result<Guest> {
    let mut guest = Guest::default();
    let before = available_gib()?;
    eprintln!("bench: one machine boots");
    // As the scripts boot it.
    let spec = Spec {
        memory_mib: 2048,
        cpus: 2,
        accel: AccelChoice::Tcg,
        bus: Bus::Virtio,
        deadline: None,
        clock: None,
        network: Network::Slirp,
        firmware: FirmwareChoice::Uefi,
        firmware_vars: None,
    };
    let settled = Settled::boot(&args.image, &spec, None, work).await.map_err(io::Error::other)?;
    ask(args, checks, work, &settled, &mut guest).await?;
    let snapshot = settled.capture().await.map_err(io::Error::other)?;
    eprintln!("bench: {FORKS} forks, one by one");
    for _ in 0..FORKS {
        let begun = Instant::now();
        let machine = snapshot.restore().await.map_err(io::Error::other)?;
        guest.restored.push(begun.elapsed().as_secs_f64());
        machine.quit().await;
        let begun = Instant::now();
        let (machine, _session) = fork(&snapshot).await.map_err(io::Error::other)?;
        guest.forked.push(begun.elapsed().as_secs_f64());
        machine.quit().await;
    }
    eprintln!("bench: {FORKS} forks that were made ahead");
    let mut ahead = Ahead::new(snapshot.clone(), 2, FORKS);
    for _ in 0..FORKS {
        let begun = Instant::now();
        while ahead.waiting() < 1 {
            if begun.elapsed() > WORD {
                return Err(io::Error::other(format!("no fork was made ahead within {} s", WORD.as_secs())));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let begun = Instant::now();
        let (machine, session) = ahead.take().await.map_err(io::Error::other)?;
        session.script(":", WORD).await.map_err(io::Error::other)?;
        guest.taken.push(begun.elapsed().as_secs_f64());
        word(&session).await?;
        guest.told.push(begun.elapsed().as_secs_f64());
        machine.quit().await;
    }
    drop(ahead);
    for forks in CROWDS {
        eprintln!("bench: {forks} forks at once");
        guest.crowds.push(crowd(&snapshot, forks, before).await?);
    }
    Ok(guest)
}

/// The twenty conditions, asked by each in turn.
async fn ask(args: &Args, checks: &[String], work: &Path, settled: &Settled, guest: &mut Guest) -> io::Result<()> {
    let (Credential::Key { user, pem }, Some(address)) = settled.ssh() else {
        return Err(io::Error::other("the machine has no seed, or no network"));
    };
    let (key, config) = (work.join("guest-key"), work.join("ssh-config"));
    write_key(&key, pem)?;
    std::fs::write(&config, "Host *\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\n")?;
    let testinfra = |backend: &str| {
        let mut command = Command::new(&args.python);
        command.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "--sudo"]);
        command.arg(format!("--hosts={backend}://{user}@{address}")).arg(format!("--ssh-config={}", config.display()));
        command.arg(format!("--ssh-identity-file={}", key.display())).arg(args.scripts.join("test_conditions.py"));
        command
    };
    let filter = Filter::new(checks, &[]).map_err(io::Error::other)?;
    for turn in 1..=TURNS {
        eprintln!("bench: turn {turn} of {TURNS}: testinfra over ssh, over paramiko, kverify");
        for (backend, series) in [("ssh", &mut guest.testinfra_ssh), ("paramiko", &mut guest.testinfra_paramiko)] {
            let mut command = testinfra(backend);
            series.push(spawn_blocking(move || run(&mut command)).await?.wall);
        }
        let begun = Instant::now();
        let outcomes = settled.check(&filter).await.map_err(io::Error::other)?;
        guest.check_phase.push(begun.elapsed().as_secs_f64());
        assert_eq!(outcomes.len(), checks.len(), "every condition is asked");
        assert!(outcomes.iter().all(|outcome| outcome.status == Status::Pass), "{outcomes:#?}");
    }
    Ok(())
}

async fn crowd(snapshot: &Snapshot, forks: usize, before: f64) -> io::Result<Crowd> {
    let begun = Instant::now();
    let mut starting = JoinSet::new();
    for _ in 0..forks {
        let snapshot = snapshot.clone();
        starting.spawn(async move { fork(&snapshot).await });
    }
    let mut alive: Vec<(Machine, Session)> = Vec::new();
    while let Some(fork) = starting.join_next().await {
        alive.push(fork?.map_err(io::Error::other)?);
    }
    let all_answered = begun.elapsed().as_secs_f64();
    let mut again = Series::default();
    for (_, session) in &alive {
        let begun = Instant::now();
        word(session).await?;
        again.push(begun.elapsed().as_secs_f64());
    }
    let proportional = alive.iter().map(|(machine, _)| proportional_mib(machine.pid()));
    let proportional_mib = Series(proportional.collect::<io::Result<_>>()?);
    let host_gib = before - available_gib()?;
    for (machine, _) in alive {
        machine.quit().await;
    }
    Ok(Crowd { forks, all_answered, again, proportional_mib, host_gib })
}

async fn word(session: &Session) -> io::Result<()> {
    match session.script("zpool list -H -o health", WORD).await.map_err(io::Error::other)? {
        (0, said) if said.trim() == "ONLINE" => Ok(()),
        other => Err(io::Error::other(format!("a fork said {other:?}"))),
    }
}

fn proportional_mib(pid: i32) -> io::Result<f64> {
    kib(&format!("/proc/{pid}/smaps_rollup"), "Pss:").map(|kib| kib / 1024.0)
}

fn available_gib() -> io::Result<f64> {
    kib("/proc/meminfo", "MemAvailable:").map(|kib| kib / f64::from(1 << 20))
}

fn kib(path: &str, name: &str) -> io::Result<f64> {
    let text = std::fs::read_to_string(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    number.ok_or_else(|| io::Error::other(format!("{path} has no {name}")))
}
