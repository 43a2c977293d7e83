//! One machine that goes through steps, on and off: those of a scenario, or of a fault.

use std::{
    collections::HashMap,
    fmt::Write as _,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use kverify_checks::{
    Exit, Status,
    boot::BootEnd,
    expect::Resolved,
    outcome::Evidence,
    step::{Crash, Named, Network, Script, Start, Step},
};

use tokio::time::timeout;

use super::{
    Filter, Progress,
    check::{Known, Unanswered, check},
    plan::{Plan, lacks},
    reach::{ReachError, Reached, reach},
    way_in::WayIn,
};
use crate::{
    machine::{Machine, MachineError, Off, with_last_words},
    session::{Session, SessionError},
};

/// How long a guest may take from the request to the reset of a reboot.
const SHUTDOWN: Duration = Duration::from_mins(3);
/// How long a step that only remembers may take.
const REMEMBER: Duration = Duration::from_mins(1);
/// How long the words that a crash waits for may take.
const WORDS: Duration = Duration::from_mins(5);
/// How often the console is looked at for them.
const LOOK: Duration = Duration::from_millis(20);
/// How much of a step's output is kept, in bytes.
const KEPT: usize = 2048;

/// Why steps end early.
pub(super) enum Trouble {
    /// The guest did not do what it has to.
    Fail(String),
    /// It could not be told.
    Error(String),
}

impl From<SessionError> for Trouble {
    fn from(error: SessionError) -> Self {
        Self::Error(error.to_string())
    }
}

impl From<MachineError> for Trouble {
    fn from(error: MachineError) -> Self {
        Self::Error(error.to_string())
    }
}

enum Power {
    On {
        machine: Box<Machine>,
        session: Session,
    },
    Off(Off),
    /// Between the two, or lost.
    Gone,
}

/// What steps are judged and entered by.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) way_in: &'a WayIn,
    pub(super) resolved: &'a Resolved,
    pub(super) progress: &'a (dyn Fn(Progress) + Sync),
}

/// The machine, and what is remembered of it.
pub(super) struct Actor<'a> {
    setting: Setting<'a>,
    power: Power,
    said: HashMap<String, Vec<String>>,
    boots: Vec<Duration>,
}

impl<'a> Actor<'a> {
    pub(super) fn new(setting: Setting<'a>, machine: Machine, session: Session) -> Self {
        Self {
            setting,
            power: Power::On { machine: Box::new(machine), session },
            said: HashMap::new(),
            boots: Vec::new(),
        }
    }

    /// How it ended, where it has without being told to.
    pub(super) fn ended(&self) -> Option<String> {
        let Power::On { machine, .. } = &self.power else { return None };
        Some(match machine.over().now_or_never()? {
            Ok(end) => end.to_string(),
            Err(error) => error.to_string(),
        })
    }

    /// How it went, in words.
    pub(super) fn boots(&self) -> String {
        let mut text = "it does".to_owned();
        for (index, boot) in self.boots.iter().enumerate() {
            let _ =
                write!(text, "{} {:.1} s", if index == 0 { ", settled again after" } else { "," }, boot.as_secs_f64());
        }
        text
    }

    /// Does one step, and gives what it said.
    pub(super) async fn act(&mut self, step: &Step) -> (Evidence, Result<(), Trouble>) {
        let about = step.about();
        (self.setting.progress)(Progress::Step { about: about.clone() });
        let begun = Instant::now();
        let mut said = String::new();
        let mut code = 0;
        let done = match step {
            Step::Run(script) => self.run(script, &mut said, &mut code).await,
            Step::Same(named) => self.remember(named, true, &mut said).await,
            Step::Differs(named) => self.remember(named, false, &mut said).await,
            Step::Expect(checks) => self.expect(checks, &mut said).await,
            Step::Login(_) => self.log_in().await,
            Step::Reboot(_) => self.reboot().await,
            Step::PowerOff(limit) => self.power_off(Duration::from_secs(limit.within)).await,
            Step::Crash(crash) => self.crash(crash).await,
            Step::Start(start) => self.start(*start).await,
            Step::Grow(grow) => self.grow(grow.mib << 20).await,
            Step::Network(network) => self.network(*network).await,
            Step::Machine(_) | Step::Crossed(_) => {
                Err(Trouble::Error("this step is for several machines, and here is one".to_owned()))
            }
        };
        let cut = said.len() > KEPT;
        let stdout = said.chars().take(KEPT).collect();
        let seconds = begun.elapsed().as_secs_f64();
        (Evidence { from: about, exit: Exit::Code(code), seconds, stdout, stderr: String::new(), cut }, done)
    }

    /// The machine, while it is on.
    pub(super) fn on(&mut self) -> Result<(&mut Machine, &mut Session), Trouble> {
        match &mut self.power {
            Power::On { machine, session } => Ok((machine, session)),
            Power::Off(_) | Power::Gone => Err(Trouble::Error("the machine is off".to_owned())),
        }
    }

    /// Runs a script, unless the guest ends first; gives its status and what it said.
    pub(super) async fn script(&mut self, script: &str, limit: Duration) -> Result<(i32, String), Trouble> {
        let (machine, session) = self.on()?;
        let script = format!("set -e\n{script}\n");
        tokio::select! {
            ran = session.script(&script, limit) => Ok(ran?),
            end = machine.over() => Err(Trouble::Fail(end?.to_string())),
        }
    }

    async fn run(&mut self, script: &Script, said: &mut String, code: &mut i32) -> Result<(), Trouble> {
        (*code, *said) = self.script(&script.script, script.limit()).await?;
        if *code == 0 {
            return Ok(());
        }
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        Err(Trouble::Fail(format!("exit {code}: {last}")))
    }

    async fn remember(&mut self, named: &Named, same: bool, said: &mut String) -> Result<(), Trouble> {
        let (code, now) = self.script(&named.script, REMEMBER).await?;
        said.clone_from(&now);
        if code != 0 {
            return Err(Trouble::Error(format!("the {} cannot be told: exit {code}: {}", named.name, now.trim())));
        }
        let before = self.said.entry(named.name.clone()).or_default();
        let wrong = if same { before.last().is_some_and(|last| *last != now) } else { before.contains(&now) };
        let last = before.last().cloned().unwrap_or_default();
        before.push(now);
        if wrong {
            return Err(Trouble::Fail(format!("`{}`, and before that `{}`", said.trim(), last.trim())));
        }
        Ok(())
    }

    async fn expect(&mut self, checks: &[String], said: &mut String) -> Result<(), Trouble> {
        let resolved = self.setting.resolved;
        let filter = Filter::new(checks, &[]).map_err(|error| Trouble::Error(error.to_string()))?;
        let (machine, session) = self.on()?;
        let plan = Plan::new(&resolved.expectation, &filter, &lacks(machine.spec().network, false));
        let outcomes =
            check(machine, session, resolved, &plan, Known::default()).await.map_err(|error| match error {
                Unanswered::Ended(end) => Trouble::Fail(end.to_string()),
                error => Trouble::Error(error.to_string()),
            })?;
        for outcome in outcomes {
            let got = outcome.said();
            let _ = writeln!(said, "{}: {got}", outcome.check);
            match outcome.status {
                Status::Fail => return Err(Trouble::Fail(format!("{}: {got}", outcome.check))),
                Status::Error => return Err(Trouble::Error(format!("{}: {got}", outcome.check))),
                Status::Pass | Status::Skip => {}
            }
        }
        Ok(())
    }

    async fn log_in(&mut self) -> Result<(), Trouble> {
        let Power::On { machine, .. } = std::mem::replace(&mut self.power, Power::Gone) else {
            return Err(Trouble::Error("the machine is off".to_owned()));
        };
        self.settle(*machine).await
    }

    async fn reboot(&mut self) -> Result<(), Trouble> {
        let begun = Instant::now();
        let Power::On { machine, session } = std::mem::replace(&mut self.power, Power::Gone) else {
            return Err(Trouble::Error("the machine is off".to_owned()));
        };
        let before = machine.resets();
        // The session may end before the answer comes; the reset is what counts.
        let asked = session.script("systemctl reboot --no-block || reboot", REMEMBER);
        let reset = timeout(SHUTDOWN, machine.reset_after(before));
        let (_, reset) = tokio::join!(timeout(Duration::from_secs(10), asked), reset);
        let late = |_| Trouble::Fail(format!("no reset {} s after the request", SHUTDOWN.as_secs()));
        if let Some(end) = reset.map_err(late)?? {
            return Err(Trouble::Fail(end.to_string()));
        }
        self.settle(*machine).await?;
        self.boots.push(begun.elapsed());
        Ok(())
    }

    async fn power_off(&mut self, limit: Duration) -> Result<(), Trouble> {
        let (machine, _) = self.on()?;
        machine.press_power_button().await?;
        match timeout(limit, machine.over()).await {
            Err(_) => return Err(Trouble::Fail(format!("still on {} s after its power button", limit.as_secs()))),
            Ok(Ok(BootEnd::PoweredOff)) => {}
            Ok(end) => return Err(Trouble::Fail(end?.to_string())),
        }
        if let Power::On { machine, .. } = std::mem::replace(&mut self.power, Power::Gone) {
            self.power = Power::Off(machine.switch_off().await);
        }
        Ok(())
    }

    /// Ends, with the machine switched off by its own system.
    pub(super) async fn switched_off(mut self) -> Result<Off, Trouble> {
        self.power_off(SHUTDOWN).await?;
        match self.power {
            Power::Off(off) => Ok(off),
            Power::On { .. } | Power::Gone => Err(Trouble::Error("the machine is lost".to_owned())),
        }
    }

    async fn crash(&mut self, crash: &Crash) -> Result<(), Trouble> {
        let (machine, _) = self.on()?;
        if let Some(words) = &crash.when {
            let said = async {
                let needle = words.as_bytes();
                while !machine.console().bytes().windows(needle.len()).any(|window| window == needle) {
                    tokio::time::sleep(LOOK).await;
                }
            };
            tokio::select! {
                () = said => {}
                end = machine.over() => return Err(Trouble::Fail(end?.to_string())),
                () = tokio::time::sleep(WORDS) => {
                    return Err(Trouble::Error(format!("the console never said `{words}`")));
                }
            }
        }
        if let Power::On { machine, .. } = std::mem::replace(&mut self.power, Power::Gone) {
            self.power = Power::Off(machine.cut_power().await);
        }
        Ok(())
    }

    async fn start(&mut self, start: Start) -> Result<(), Trouble> {
        let begun = Instant::now();
        let Power::Off(mut off) = std::mem::replace(&mut self.power, Power::Gone) else {
            return Err(Trouble::Error("the machine is on".to_owned()));
        };
        if let Some(bus) = start.bus {
            off.attach_disk(bus);
        }
        let machine = off.start().await.map_err(|error| Trouble::Error(error.to_string()))?;
        self.settle(machine).await?;
        self.boots.push(begun.elapsed());
        Ok(())
    }

    async fn grow(&mut self, bytes: u64) -> Result<(), Trouble> {
        let (machine, _) = self.on()?;
        Ok(machine.grow_disk(bytes).await?)
    }

    async fn network(&mut self, network: Network) -> Result<(), Trouble> {
        let (machine, _) = self.on()?;
        Ok(machine.make_network(network).await?)
    }

    /// Waits for a machine that boots, and logs in.
    async fn settle(&mut self, machine: Machine) -> Result<(), Trouble> {
        let way_in = self.setting.way_in;
        match reach(&machine, &way_in.credential, way_in.seeded(), self.setting.progress).await {
            Ok(Reached::Settled(arrival)) => {
                self.power = Power::On { machine: Box::new(machine), session: arrival.session };
                Ok(())
            }
            Ok(Reached::Ended(end)) => Err(Trouble::Fail(with_last_words(end, &machine))),
            Err(error @ ReachError::NoWayIn(_)) => Err(Trouble::Fail(error.to_string())),
            Err(error) => Err(Trouble::Error(error.to_string())),
        }
    }
}
