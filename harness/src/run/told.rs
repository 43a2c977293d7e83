//! The outcomes of a run, each told as it comes.

use jiff::Timestamp;
use kverify_checks::{Need, Outcome, Status, expect::Resolved, scenarios::Scenario};

use crate::{
    gate::{Waiver, Waivers},
    report::MachineRecord,
};

use super::{
    Progress,
    gather::Answers,
    plan::{Plan, When},
    scenario::unplayed,
};

/// A machine that waited for longer than it ran says of time what is the host's to answer for.
const STARVED: f64 = 0.5;

/// The outcomes so far, each told as it comes.
pub(super) struct Told<'a> {
    pub(super) outcomes: Vec<Outcome>,
    /// The waivers of the caller's, and the name of the image.
    waivers: (&'a Waivers, String),
    /// Those that let a failure pass.
    pub(super) waived: Vec<Waiver>,
    /// How much of the time the machine's processors waited for the host's.
    starved: Option<f64>,
    progress: &'a (dyn Fn(Progress) + Sync),
}

impl<'a> Told<'a> {
    /// None yet, of this machine.
    pub(super) fn new(
        waivers: (&'a Waivers, String),
        machine: &MachineRecord,
        progress: &'a (dyn Fn(Progress) + Sync),
    ) -> Self {
        Self { outcomes: Vec::new(), waivers, waived: Vec::new(), starved: machine.timings.starved, progress }
    }

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
            let outcome = answers.judge(planned, resolved, unasked);
            self.tell(excused(outcome, planned.check.about().needs, self.starved));
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

/// A failure that the host may be to blame for is an error: it refutes no image, and verifies none.
fn excused(mut outcome: Outcome, needs: &[Need], starved: Option<f64>) -> Outcome {
    if let Some(share) = starved.filter(|share| *share > STARVED)
        && outcome.status == Status::Fail
        && needs.contains(&Need::Processors)
    {
        let got = outcome.got.take().unwrap_or_default();
        outcome.status = Status::Error;
        outcome.why = Some(format!(
            "{got}; but the machine's processors waited for the host's {:.0} % of the time, and such a machine says so of \
             itself: boot it again where there is time for it, with fewer --cpus or on another host",
            share * 100.0
        ));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use kverify_checks::{Need, Outcome, Status, all};

    use super::excused;

    fn failed() -> Outcome {
        Outcome { got: Some("line 481: rcu stalls".to_owned()), ..Outcome::new("console.no-lockups", Status::Fail) }
    }

    #[test]
    fn a_stall_on_a_host_without_time_is_no_failure_and_no_pass() {
        let told = excused(failed(), &[Need::Processors], Some(0.64));
        assert_eq!((told.status, told.got), (Status::Error, None));
        let why = told.why.unwrap();
        assert!(
            why.starts_with("line 481: rcu stalls; but the machine's processors waited for the host's 64 % "),
            "{why}"
        );
        for (needs, starved) in
            [(&[][..], Some(0.64)), (&[Need::Processors][..], Some(0.4)), (&[Need::Processors], None)]
        {
            assert_eq!(excused(failed(), needs, starved), failed());
        }
        let passed = Outcome::new("console.no-lockups", Status::Pass);
        assert_eq!(excused(passed.clone(), &[Need::Processors], Some(0.9)), passed);
    }

    #[test]
    fn it_is_the_checks_of_time_that_need_processors() {
        let need = all().filter(|check| check.about().needs.contains(&Need::Processors));
        let ids: Vec<_> = need.map(|check| check.about().id).collect();
        assert_eq!(ids, ["console.no-hung-tasks", "console.no-lockups"]);
    }
}
