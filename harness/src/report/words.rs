//! What more than one view says in the same words.

use kverify_checks::{SkipCause, Status};

use super::{Access, Carrier, ChosenBy, Conclusion, Ink, MachineRecord, Report};

/// The share of waiting that is worth a word.
const MUCH: f64 = 0.25;

/// The part of an ID before its first point.
pub(super) fn topic(check: &str) -> &str {
    check.split('.').next().unwrap_or_default()
}

/// How many checks of a topic hold.
pub(super) fn holding(hold: usize, of: usize) -> String {
    if hold == of { "all hold".to_owned() } else { format!("{hold} of {of} hold") }
}

/// The colour of a verdict.
pub(super) fn ink(verdict: Conclusion) -> Ink {
    match verdict {
        Conclusion::Verified => Ink::Good,
        Conclusion::VerifiedInPart | Conclusion::NoVerdict => Ink::Unsure,
        Conclusion::Refuted => Ink::Bad,
    }
}

/// How a check ended.
pub(super) fn ended(status: Status) -> &'static str {
    match status {
        Status::Pass => "holds",
        Status::Fail => "fails",
        Status::Skip => "is skipped",
        Status::Error => "cannot be told",
    }
}

/// Who chose the expectation.
pub(super) fn chosen(by: ChosenBy) -> &'static str {
    match by {
        ChosenBy::Caller => "chosen by the caller",
        ChosenBy::Guest => "chosen by the guest's os-release",
        ChosenBy::Nobody => "chosen by nobody: the machine never said what it is",
    }
}

/// What a machine was asked through; nothing where it never became ready.
pub(super) fn way(machine: &MachineRecord) -> Option<&'static str> {
    match (machine.carrier, machine.access) {
        (Carrier::None, _) => None,
        (Carrier::Ssh, Access::Seeded) => Some("ssh, with a user and key made for this run"),
        (Carrier::Ssh, Access::Own) => Some("ssh, with the image's own account"),
        (Carrier::Ssh, Access::Rescue) => Some("a rescue system"),
        (Carrier::Port, _) => Some("a root shell on a port of the machine"),
    }
}

/// That the host gave a machine less than it wanted, where that is much.
pub(super) fn starved(share: Option<f64>) -> Option<String> {
    let share = share.filter(|share| *share >= MUCH)?;
    Some(format!("its processors waited for the host's {:.0} % of the time", share * 100.0))
}

/// What the numbers are: `2 of 36 checks fail, 1 could not be told`.
pub(super) fn tally(report: &Report) -> String {
    let count = |status| report.outcomes.iter().filter(|outcome| outcome.status == status).count();
    let (pass, fail, error) = (count(Status::Pass), count(Status::Fail), count(Status::Error));
    let asked = pass + fail + error;
    let checks = if asked == 1 { "check" } else { "checks" };
    let mut parts = Vec::new();
    if asked == 0 {
        return "no check was asked".to_owned();
    }
    if fail > 0 {
        parts.push(format!("{fail} of {asked} {checks} {}", if fail == 1 { "fails" } else { "fail" }));
    } else {
        parts.push(format!("{pass} of {asked} {checks} {}", if pass == 1 { "holds" } else { "hold" }));
    }
    if error > 0 {
        parts.push(format!("{error} could not be told"));
    }
    let left_out = |cause: SkipCause| matches!(cause, SkipCause::Filtered | SkipCause::NotHere);
    let left_out = report.outcomes.iter().filter(|outcome| outcome.cause.is_some_and(left_out)).count();
    if left_out > 0 {
        parts.push(format!("{left_out} left out"));
    }
    parts.join(", ")
}
