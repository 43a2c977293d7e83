//! Plays scenarios: each on a fork of its own, or on machines that boot cold: on another bus, on a cloud, several at once.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Instant};

use futures_util::future::join_all;
use kverify_checks::{
    Exit, Outcome, Status,
    expect::Resolved,
    outcome::Evidence,
    scenarios::{self, Bus, Cloud, Scenario},
    step::Step,
};

use super::{
    Ahead, Progress,
    actor::{Actor, Setting, Trouble},
    boot::boot,
    group::group,
    reach::{ReachError, Reached},
    way_in::WayIn,
};
use crate::{
    image::Image,
    lab::Lab,
    machine::{Machine, Snapshot, Spec, with_last_words},
    report::{Carrier, FORK_OF, MachineRecord, Timings},
    session::Session,
};

/// What scenarios are played with.
pub(super) struct Stage<'a> {
    pub(super) image: &'a Arc<Image>,
    pub(super) spec: &'a Spec,
    pub(super) way_in: &'a WayIn,
    pub(super) scratch: &'a Path,
    pub(super) resolved: &'a Resolved,
    /// The captured machine, where there is one; all boot cold otherwise.
    pub(super) snapshot: Option<Snapshot>,
    pub(super) progress: &'a (dyn Fn(Progress) + Sync),
}

impl Stage<'_> {
    /// The captured machine, where a scenario goes on from it.
    fn fork(&self, scenario: &Scenario) -> Option<&Snapshot> {
        self.snapshot.as_ref().filter(|_| !scenario.is_cold(self.spec.bus))
    }

    /// The forks for these scenarios, the next made while one is played.
    fn ahead(&self, scenarios: &[Scenario]) -> Option<Ahead> {
        let count = scenarios.iter().filter(|scenario| self.fork(scenario).is_some()).count();
        self.snapshot.clone().map(|snapshot| Ahead::new(snapshot, 1, count))
    }

    /// Plays all, one after the other, calls `told` with what came of each, and gives the records of their machines; `of` is
    /// that of the machine that was booted for the checks.
    pub(super) async fn play_all(
        &self,
        scenarios: &[Scenario],
        of: &MachineRecord,
        mut told: impl FnMut(Outcome),
    ) -> Vec<MachineRecord> {
        let mut ahead = self.ahead(scenarios);
        let mut machines = Vec::new();
        for scenario in scenarios {
            let (outcome, machine) = self.play(scenario, ahead.as_mut(), of).await;
            told(outcome);
            machines.push(machine);
        }
        machines
    }

    /// Plays one scenario to its end, and gives the record of its machine too; `of` is that of the machine that was
    /// booted for the checks.
    async fn play(
        &self,
        scenario: &Scenario,
        ahead: Option<&mut Ahead>,
        of: &MachineRecord,
    ) -> (Outcome, MachineRecord) {
        (self.progress)(Progress::Playing { name: scenario.name.clone(), about: scenario.about.clone() });
        let fork = self.fork(scenario);
        let mut outcome = Outcome::new(scenario.id(), Status::Error);
        let mut record = MachineRecord { id: scenario.id(), timings: Timings::default(), ..of.clone() };
        record.carrier = if fork.is_some() { Carrier::Port } else { Carrier::Ssh };
        record.boot = fork.map_or_else(|| "cold".to_owned(), |fork| format!("{FORK_OF}{}", fork.at()));
        outcome.machine = Some(record.id.clone());
        let several = !scenario.machines.is_empty();
        let brought = match scenario.cloud {
            Some(cloud) => WayIn::on(cloud).map(|way_in| (None, vec![way_in])),
            None if several => group(scenario, self.spec).map(|group| (Some(group.lab), group.ways)),
            None => Ok((None, Vec::new())),
        };
        let (lab, brought) = match brought {
            Ok(brought) => brought,
            Err(error) => {
                return (
                    ended(outcome, &scenario.about, "at its beginning", Trouble::Error(error.to_string())),
                    record,
                );
            }
        };
        let ways: Vec<_> = if brought.is_empty() { vec![self.way_in] } else { brought.iter().collect() };
        let begun = Instant::now();
        let machines = match ahead.filter(|_| fork.is_some()) {
            Some(ahead) => ahead.take().await.map(|one| vec![one]).map_err(Trouble::Error),
            None => self.cold(scenario.bus.unwrap_or(self.spec.bus), &ways).await,
        };
        record.timings.login = Some(begun.elapsed().as_secs_f64());
        outcome.evidence.push(Evidence {
            from: match (fork, scenario.cloud, scenario.bus) {
                (Some(_), ..) => "fork".to_owned(),
                (None, Some(cloud), _) => format!("cold boot on {}", name_of(cloud)),
                (None, None, _) if several => format!("cold boot of {} machines", ways.len()),
                (None, None, Some(bus)) => format!("cold boot, its disk on {}", bus.about()),
                (None, None, None) => "cold boot".to_owned(),
            },
            exit: Exit::Code(i32::from(machines.is_err())),
            seconds: begun.elapsed().as_secs_f64(),
            stdout: String::new(),
            stderr: String::new(),
            cut: false,
        });
        let outcome = match machines {
            Ok(machines) => {
                let setting = |way_in| Setting { way_in, resolved: self.resolved, progress: self.progress };
                let actors = ways.iter().zip(machines);
                let actors = actors.map(|(way_in, (machine, session))| Actor::new(setting(way_in), machine, session));
                steps(scenario, outcome, actors.collect(), lab.as_deref()).await
            }
            Err(trouble) => ended(outcome, &scenario.about, "at its beginning", trouble),
        };
        (outcome, record)
    }

    /// A machine for each way in, all booted at once.
    async fn cold(&self, bus: Bus, ways: &[&WayIn]) -> Result<Vec<(Machine, Session)>, Trouble> {
        let spec = Spec { bus, ..self.spec.clone() };
        let several = ways.len() > 1;
        let boots = ways.iter().zip(1..).map(|(way_in, number)| {
            let named = move |trouble| match trouble {
                Trouble::Fail(why) if several => Trouble::Fail(format!("machine {number}: {why}")),
                Trouble::Error(why) if several => Trouble::Error(format!("machine {number}: {why}")),
                trouble => trouble,
            };
            let boot = self.cold_one(&spec, way_in);
            async move { boot.await.map_err(named) }
        });
        let mut machines = Vec::new();
        let mut error = None;
        for booted in join_all(boots).await {
            match booted {
                Ok(machine) => machines.push(machine),
                // What the guest did wrong counts for more than what is not known of another.
                Err(fail @ Trouble::Fail(_)) => return Err(fail),
                Err(trouble) => error = error.or(Some(trouble)),
            }
        }
        error.map_or(Ok(machines), Err)
    }

    async fn cold_one(&self, spec: &Spec, way_in: &WayIn) -> Result<(Machine, Session), Trouble> {
        let booted = boot(self.image, spec, way_in, self.scratch, self.progress).await;
        match booted {
            Ok((machine, Ok(Reached::Settled(arrival)))) => Ok((machine, arrival.session)),
            Ok((machine, Ok(Reached::Ended(end)))) => Err(Trouble::Fail(with_last_words(end, &machine))),
            // What a cloud brings is the image's to take.
            Ok((machine, Err(error @ ReachError::NoWayIn(_)))) if way_in.cloud().is_some() => {
                Err(Trouble::Fail(with_last_words(error, &machine)))
            }
            Ok((machine, Err(error))) => Err(Trouble::Error(with_last_words(error, &machine))),
            Err(error) => Err(Trouble::Error(format!("no machine: {error}"))),
        }
    }
}

/// Plays the steps on machines that have settled.
async fn steps(scenario: &Scenario, mut outcome: Outcome, mut actors: Vec<Actor<'_>>, lab: Option<&Lab>) -> Outcome {
    let mut at = 0;
    for (index, step) in scenario.steps.iter().enumerate() {
        let (mut evidence, mut done) = match (step, lab) {
            (Step::Machine(number), _) => {
                at = usize::from(*number).saturating_sub(1);
                continue;
            }
            (Step::Crossed(services), Some(lab)) => crossed(step, services, lab).await,
            _ => actors[at].act(step).await,
        };
        let several = actors.len() > 1;
        let on = if several && !matches!(step, Step::Crossed(_)) {
            format!(" on machine {}", at + 1)
        } else {
            String::new()
        };
        if !on.is_empty() {
            evidence.from = format!("machine {}: {}", at + 1, evidence.from);
        }
        if several
            && done.is_ok()
            && let Some((number, end)) = (1..).zip(&actors).find_map(|(number, one)| Some((number, one.ended()?)))
        {
            done = Err(Trouble::Fail(format!("machine {number}: {end}")));
        }
        outcome.evidence.push(evidence);
        if let Err(trouble) = done {
            let place = format!("at step {} of {}{on}, {}", index + 1, scenario.steps.len(), step.about());
            return ended(outcome, &scenario.about, &place, trouble);
        }
    }
    outcome.status = Status::Pass;
    outcome.want = Some(scenario.about.clone());
    // That of one that booted again says more than that of one that did not.
    outcome.got = actors.iter().map(Actor::boots).max_by_key(String::len);
    outcome
}

/// Whether what crossed between machines is what has to, and nothing else.
async fn crossed(step: &Step, services: &[String], lab: &Lab) -> (Evidence, Result<(), Trouble>) {
    let begun = Instant::now();
    let crossed = lab.crossed().await;
    let (stdout, done) = match &crossed {
        Err(error) => (String::new(), Err(Trouble::Error(error.to_string()))),
        Ok(crossed) => {
            let said = crossed.iter().cloned().collect::<Vec<_>>().join(", ");
            let as_due = crossed.iter().eq(BTreeSet::from_iter(services));
            let said = if said.is_empty() { "nothing".to_owned() } else { said };
            let done = if as_due { Ok(()) } else { Err(Trouble::Fail(format!("between them went {said}"))) };
            (said, done)
        }
    };
    let exit = Exit::Code(i32::from(done.is_err()));
    let seconds = begun.elapsed().as_secs_f64();
    (Evidence { from: step.about(), exit, seconds, stdout, stderr: String::new(), cut: false }, done)
}

fn name_of(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::NoCloud => "NoCloud",
        Cloud::ConfigDrive => "a config drive",
        Cloud::Ec2 => "Amazon EC2",
        Cloud::Gce => "Google Compute Engine",
        Cloud::Azure => "Microsoft Azure",
        Cloud::OpenStack => "OpenStack",
    }
}

/// The scenario that a name means: a built-in one, or a file (a word with `/` or `.`), looked up from `folder`.
///
/// # Errors
/// What is wrong with the name or the file.
pub fn scenario_named(name: &str, folder: &Path) -> Result<Scenario, String> {
    if name.contains(['/', '.']) {
        let path = folder.join(name);
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(&error))?;
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        return Scenario::read(&stem, &text).map_err(|error| wrong(&error));
    }
    let found = scenarios::all().iter().find(|scenario| scenario.name == name).cloned();
    found.ok_or_else(|| format!("no scenario is called `{name}`; `kverify scenarios` lists them"))
}

/// What the scenarios of clouds begin with.
const CLOUD: &str = "cloud-";

/// The clouds that images are booted on.
pub fn clouds() -> impl Iterator<Item = &'static Scenario> {
    scenarios::all().iter().filter(|scenario| scenario.cloud.is_some())
}

/// The scenario of a cloud.
///
/// # Errors
/// Which clouds there are.
pub fn cloud_named(wanted: &str) -> Result<Scenario, String> {
    let name = |scenario: &'static Scenario| scenario.name.trim_start_matches(CLOUD);
    let unknown = || {
        let names: Vec<_> = clouds().map(name).collect();
        format!("no cloud is called `{wanted}`; there are all, {}", names.join(", "))
    };
    clouds().find(|scenario| name(scenario) == wanted).cloned().ok_or_else(unknown)
}

/// The outcome of a scenario that was not played.
pub(crate) fn unplayed(scenario: &Scenario, why: &str) -> Outcome {
    ended(
        Outcome::new(scenario.id(), Status::Error),
        &scenario.about,
        "at its beginning",
        Trouble::Error(why.to_owned()),
    )
}

fn ended(mut outcome: Outcome, want: &str, place: &str, trouble: Trouble) -> Outcome {
    match trouble {
        Trouble::Fail(got) => {
            outcome.status = Status::Fail;
            outcome.want = Some(want.to_owned());
            outcome.got = Some(format!("{place}: {got}"));
        }
        Trouble::Error(why) => outcome.why = Some(format!("{place}: {why}")),
    }
    outcome
}
