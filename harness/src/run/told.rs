//! The outcomes of a run, each told as it comes.

use jiff::Timestamp;
use kverify_checks::{Outcome, expect::Resolved, scenarios::Scenario};

use crate::gate::{Waiver, Waivers};

use super::{Progress, gather::Answers, plan::Plan, scenario::unplayed};

/// The outcomes so far, each told as it comes.
pub(super) struct Told<'a> {
    pub(super) outcomes: Vec<Outcome>,
    /// The waivers of the caller's, and the name of the image.
    pub(super) waivers: (&'a Waivers, String),
    /// Those that let a failure pass.
    pub(super) waived: Vec<Waiver>,
    pub(super) progress: &'a (dyn Fn(Progress) + Sync),
}

impl Told<'_> {
    /// Judges what the machine itself answers, or else the rest.
    pub(super) fn judge(
        &mut self,
        answers: &mut Answers,
        plan: &Plan,
        resolved: &Resolved,
        on_machine: bool,
        unasked: Option<&str>,
    ) {
        for planned in plan.checks.iter().filter(|planned| plan.on_machine(planned) == on_machine) {
            self.tell(answers.judge(planned, resolved, unasked));
        }
    }

    /// Says of everything that it was not asked.
    pub(super) fn unasked(
        &mut self,
        answers: &mut Answers,
        plan: &Plan,
        resolved: &Resolved,
        scenarios: &[Scenario],
        why: &str,
    ) {
        for on_machine in [true, false] {
            self.judge(answers, plan, resolved, on_machine, Some(why));
        }
        for scenario in scenarios {
            self.tell(unplayed(scenario, why));
        }
    }

    pub(super) fn tell(&mut self, mut outcome: Outcome) {
        let (waivers, image) = &self.waivers;
        self.waived.extend(waivers.apply(&mut outcome, image, Timestamp::now()).cloned());
        (self.progress)(Progress::Judged(Box::new(outcome.clone())));
        self.outcomes.push(outcome);
    }
}
