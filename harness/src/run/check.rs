//! Asks a machine that runs what some checks need, all of it of itself, and judges.

use kverify_checks::{Outcome, Output, Source, boot::BootEnd, expect::Resolved};

use super::{
    Filter,
    gather::Answers,
    observed,
    plan::{NOT_SEALED, Plan},
};
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

/// The outcomes of the checks that `filter` leaves in and the expectation asks, by ID; `booted` is how the machine's boot
/// went, where that is known.
pub(super) async fn check(
    machine: &Machine,
    session: &Session,
    resolved: &Resolved,
    filter: &Filter,
    booted: Option<(Source, Output)>,
) -> Result<Vec<Outcome>, Unanswered> {
    let plan = Plan::new(&resolved.expectation, filter, &[NOT_SEALED]);
    let mut probes = plan.machine_probes();
    probes.extend(plan.fork_facts().into_iter().flat_map(|(_, probes)| probes));
    let outputs = tokio::select! {
        outputs = session.ask(&probes, |_| ()) => outputs?,
        end = machine.over() => return Err(Unanswered::Ended(end?)),
    };
    let mut answers = Answers::default();
    answers.extend(booted.into_iter().chain([observed::console(machine)]));
    answers.answered(probes, outputs);
    let asked = plan.checks.iter().filter(|planned| planned.skip.is_none());
    Ok(asked.map(|planned| answers.judge(planned, resolved, None)).collect())
}
