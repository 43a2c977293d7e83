//! What is left once the machine itself was asked: it is captured, and forks of it are asked.

use std::{path::Path, time::Instant};

use super::{
    Progress, RunError,
    ask::ask,
    forks::{self, Done, NotForked},
    gather::Answers,
    plan::Plan,
};
use crate::{
    machine::{Machine, Snapshot},
    report::{Carrier, FORK_OF, MachineRecord, Timings},
    session::Session,
};

/// A machine that was asked all that is quick and changes nothing.
pub(super) struct Rest<'a> {
    pub(super) machine: Machine,
    pub(super) session: Session,
    /// The captured machine, where this one is a fork of it already.
    pub(super) captured: Option<Snapshot>,
    pub(super) scratch: &'a Path,
    /// Whether the captured machine is wanted for more than this.
    pub(super) wanted: bool,
}

impl Rest<'_> {
    /// Asks the rest, and gives the captured machine and the records of the forks. Where there can be none, the machine
    /// itself is asked.
    pub(super) async fn ask(
        self,
        plan: &Plan,
        answers: &mut Answers,
        record: &mut MachineRecord,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<(Option<Snapshot>, Vec<MachineRecord>), RunError> {
        let tasks = plan.fork_tasks();
        let Self { machine, session, captured, scratch, wanted } = self;
        if tasks.is_empty() && !wanted {
            return Ok((captured, Vec::new()));
        }
        let begun = Instant::now();
        let snapshot = if let Some(snapshot) = captured {
            drop((machine, session));
            snapshot
        } else {
            match forks::capture(machine, &session).await {
                Ok(snapshot) => {
                    let took = begun.elapsed();
                    record.timings.capture = Some(took.as_secs_f64());
                    progress(Progress::Captured { took });
                    snapshot
                }
                Err(NotForked { machine, why }) => {
                    progress(Progress::NotCaptured { why: why.clone() });
                    record.not_captured = Some(why);
                    for task in tasks {
                        ask(&session, &machine, task.probes, "deep", answers, progress).await?;
                    }
                    return Ok((None, Vec::new()));
                }
            }
        };
        let (at_once, limit) = forks::at_once(scratch);
        let at_once = at_once.min(tasks.len()).max(1);
        if !tasks.is_empty() {
            progress(Progress::Forking { forks: tasks.len(), at_once, limit });
        }
        let mut records = Vec::new();
        forks::ask(&snapshot, tasks, at_once, |done| {
            records.push(fork(record, &snapshot, &done));
            take(done, answers);
        })
        .await;
        records.sort_by_key(|record| record.0);
        Ok((Some(snapshot), records.into_iter().map(|record| record.1).collect()))
    }
}

fn name(number: usize) -> String {
    format!("fork-{number}")
}

/// Adds what a fork answered, or why it did not.
fn take(done: Done, answers: &mut Answers) {
    let Done { task, number, answers: answered, .. } = done;
    for fact in task.facts {
        answers.gathered_on(fact, &name(number));
        if let Err(why) = &answered {
            answers.fail(fact, why.clone());
        }
    }
    if let Ok(outputs) = answered {
        answers.answered(task.probes, outputs);
    }
}

fn fork(of: &MachineRecord, snapshot: &Snapshot, done: &Done) -> (usize, MachineRecord) {
    let timings = Timings {
        login: done.first_answer.map(|time| time.as_secs_f64()),
        deep_checks: done.asked.map(|time| time.as_secs_f64()),
        ..Timings::default()
    };
    let boot = format!("{FORK_OF}{}", snapshot.at());
    let record = MachineRecord { id: name(done.number), boot, carrier: Carrier::Port, timings, ..of.clone() };
    (done.number, record)
}
