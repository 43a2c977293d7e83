//! The outcomes of a run, each told as it comes.

use jiff::Timestamp;
use kverify_checks::{Outcome, expect::Resolved, scenarios::Scenario};

use crate::gate::{Waiver, Waivers};

use super::{
    Progress,
    gather::Answers,
    plan::{Plan, When},
    scenario::unplayed,
};

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
    /// Judges what can be judged now.
    pub(super) fn judge(
        &mut self,
        answers: &mut Answers,
        plan: &Plan,
        resolved: &Resolved,
        when: When,
        unasked: Option<&str>,
    ) {
        for planned in plan.checks.iter().filter(|planned| plan.when(planned) == when) {
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
        for when in [When::Machine, When::Forks, When::Sealed] {
            self.judge(answers, plan, resolved, when, Some(why));
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
