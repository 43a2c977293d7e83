//! Asks a machine that runs what some checks need, all of it of itself, and judges.

use kverify_checks::{Outcome, Output, Source, boot::BootEnd, expect::Resolved};

use super::{gather::Answers, observed, plan::Plan};
use crate::{
    machine::{Machine, MachineError},
    session::{Session, SessionError},
};

/// Why a machine did not answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// The guest ended over it.
    #[error("the guest ended: {0}")]
    Ended(BootEnd),
    /// The session gave no answer.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// QEMU ended.
    #[error(transparent)]
    Machine(#[from] MachineError),
}

/// What is known of a machine without asking it.
#[derive(Clone, Default)]
pub(super) struct Known {
    /// How it booted, what its image file holds: as far as it is known.
    pub(super) answers: Vec<(Source, Output)>,
    /// What the console of the machine that it was forked from had said.
    pub(super) said_before: Vec<u8>,
}

impl Known {
    fn answers(self, machine: &Machine) -> Answers {
        let console = [self.said_before, machine.console().bytes()].concat();
        let mut answers = Answers::default();
        answers.extend(self.answers.into_iter().chain([observed::console_of(&console)]));
        answers
    }
}

/// The outcomes of the checks that `plan` asks, by ID.
pub(super) async fn check(
    machine: &Machine,
    session: &Session,
    resolved: &Resolved,
    plan: &Plan,
    known: Known,
) -> Result<Vec<Outcome>, Unanswered> {
    let mut probes = plan.machine_probes();
    probes.extend(plan.fork_tasks().into_iter().flat_map(|task| task.probes));
    let outputs = tokio::select! {
        outputs = session.ask(&probes, |_| ()) => outputs?,
        end = machine.over() => return Err(Unanswered::Ended(end?)),
    };
    let mut answers = known.answers(machine);
    answers.answered(probes, outputs);
    answers.extend(observed::network(machine, &mut None).await);
    Ok(judged(answers, resolved, plan, None))
}

/// The outcomes of the checks that `plan` asks, of a machine that cannot be asked anything, for this reason.
pub(super) fn unasked(machine: &Machine, resolved: &Resolved, plan: &Plan, known: Known, why: &str) -> Vec<Outcome> {
    judged(known.answers(machine), resolved, plan, Some(why))
}

/// The outcomes of the checks that `plan` asks, where all the answers are there.
pub(super) fn judged_of(known: Vec<(Source, Output)>, resolved: &Resolved, plan: &Plan) -> Vec<Outcome> {
    let mut answers = Answers::default();
    answers.extend(known);
    judged(answers, resolved, plan, None)
}

fn judged(mut answers: Answers, resolved: &Resolved, plan: &Plan, unasked: Option<&str>) -> Vec<Outcome> {
    let asked = plan.checks.iter().filter(|planned| planned.skip.is_none());
    asked.map(|planned| answers.judge(planned, resolved, unasked)).collect()
}
