//! Whether an image may move on: a pure function of the policy and of signed evidence.
//!
//! Closed is the default: whatever is missing, of another image, in contradiction or out of date is named, with the
//! command that would bring it.

use jiff::Timestamp;
use kverify_checks::{Outcome, SkipCause, Status};

use super::{
    Evidence, Policy, SignedExport, Target,
    policy::{Requirement, any_matches},
};
use crate::{
    image::Digest,
    report::{ChosenBy, Conclusion},
};

/// What has passed only where a sealed image was looked at while it did not run, and two machines were made of it. What
/// else of a seal is asked is for the expectation to say.
const PROOF_OF_SEAL: [&str; 3] = ["seal.everything-read", "seal.free-blocks-empty", "seal.twins-differ"];

/// What is decided about.
pub struct Case<'a> {
    /// The image.
    pub digest: Digest,
    /// What trusted keys have signed about it.
    pub evidence: &'a [Evidence],
    /// What trusted keys have signed about the files that were made of it.
    pub exports: &'a [SignedExport],
    /// Why it was revoked, where it was.
    pub revoked: Option<&'a str>,
    /// The present.
    pub now: Timestamp,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may.
    Promote,
    /// It may not; never empty.
    Refuse(Vec<Missing>),
}

/// One thing that keeps the gate closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What it is.
    pub what: String,
    /// The command that would bring it, where one would.
    pub bring: Option<String>,
}

/// Decides whether an image meets a policy.
#[must_use]
pub fn decide(policy: &Policy, case: &Case<'_>) -> Decision {
    let mut missing = Vec::new();
    if let Some(why) = case.revoked {
        missing.push(Missing { what: format!("it was revoked: {why}"), bring: None });
    }
    for evidence in case.evidence {
        if evidence.image().ok() != Some(case.digest) {
            let of = &evidence.report.subject.digest;
            missing.push(Missing { what: format!("evidence of another image: {of}"), bring: None });
        }
    }
    for requirement in &policy.require {
        missing.extend(unmet(requirement, policy, case));
    }
    for signed in case.exports {
        if signed.exported.digest != case.digest {
            let of = signed.exported.digest;
            missing.push(Missing { what: format!("an export of another image: {of}"), bring: None });
        }
    }
    missing.extend(policy.formats.iter().filter_map(|format| unexported(*format, case)));
    if missing.is_empty() { Decision::Promote } else { Decision::Refuse(missing) }
}

/// What is missing where no file of this format was made of the image.
fn unexported(format: Target, case: &Case<'_>) -> Option<Missing> {
    let of_it = case.exports.iter().filter(|signed| signed.exported.digest == case.digest);
    let mut files = of_it.flat_map(|signed| &signed.exported.files);
    if files.any(|file| file.format == format) {
        return None;
    }
    let bring = format!("kverify export IMAGE --format {format}, then kverify attest and kverify store --export");
    Some(Missing { what: format!("no signed export as {format}"), bring: Some(bring) })
}

/// What keeps one requirement from being met. Of several reports the newest counts, and none may refute.
fn unmet(requirement: &Requirement, policy: &Policy, case: &Case<'_>) -> Vec<Missing> {
    let name = &requirement.expectation;
    let sealed = if requirement.sealed { " --sealed --installer ISO" } else { "" };
    let bring = format!("kverify verify IMAGE --expect {name}{sealed}, then kverify attest and kverify store");
    let closed = |what: String| vec![Missing { what, bring: Some(bring.clone()) }];
    let of_it = |evidence: &&Evidence| {
        let chosen = &evidence.report.expectation;
        let digest = requirement.expectation_digest;
        chosen.name == *name && digest.is_none_or(|digest| chosen.digest == digest.to_string())
    };
    let candidates: Vec<_> = case.evidence.iter().filter(of_it).collect();
    if let Some(refuted) = candidates.iter().find(|evidence| evidence.report.verdict == Conclusion::Refuted) {
        let failed = ids(refuted, |outcome| outcome.status == Status::Fail);
        // Another run does not undo a failure: the image has to become another.
        return vec![Missing { what: format!("{name}: refuted by {failed}"), bring: None }];
    }
    let Some(newest) = candidates.into_iter().max_by_key(|evidence| evidence.report.finished) else {
        let of = requirement.expectation_digest.map(|digest| format!(" ({digest})")).unwrap_or_default();
        return closed(format!("no signed report against {name}{of}"));
    };
    let defects = defects(newest, requirement, policy, case.now);
    if defects.is_empty() { Vec::new() } else { closed(format!("{name}: {}", defects.join("; "))) }
}

/// What is wrong with a report that does not refute.
fn defects(evidence: &Evidence, requirement: &Requirement, policy: &Policy, now: Timestamp) -> Vec<String> {
    let report = &evidence.report;
    let mut defects = Vec::new();
    let mut unless = |holds: bool, what: String| {
        if !holds {
            defects.push(what);
        }
    };
    let asked = matches!(report.verdict, Conclusion::Verified | Conclusion::VerifiedInPart);
    let untold = ids(evidence, |outcome| outcome.status == Status::Error);
    unless(asked, format!("{}{untold}", if untold.is_empty() { "nothing passed" } else { "not told: " }));
    let left_out = |cause: SkipCause, tolerated: &[String]| {
        ids(evidence, |outcome| outcome.cause == Some(cause) && !any_matches(tolerated, outcome))
    };
    for (cause, tolerated) in [
        (SkipCause::Filtered, &[][..]),
        (SkipCause::NotHere, &policy.tolerate.not_here),
        (SkipCause::Waived, &policy.tolerate.waived),
    ] {
        let left_out = left_out(cause, tolerated);
        unless(left_out.is_empty(), format!("left out ({cause}): {left_out}"));
    }
    for waiver in &report.waivers {
        unless(waiver.holds(now), format!("the waiver of {} has ended: {waiver}", waiver.check));
    }
    let waived = |outcome: &Outcome| {
        outcome.cause != Some(SkipCause::Waived) || report.waivers.iter().any(|waiver| waiver.check == outcome.check)
    };
    unless(report.outcomes.iter().all(waived), "waived without a waiver".to_owned());
    let cold = report.machines.first().is_some_and(|machine| machine.boot == "cold");
    unless(
        cold || !requirement.cold,
        "the machine did not boot from the image, it was a fork kept by --warm".to_owned(),
    );
    let by_caller = report.expectation.chosen_by == ChosenBy::Caller;
    unless(by_caller || requirement.guest_may_choose, "the guest chose the expectation, not --expect".to_owned());
    if let Some(days) = requirement.max_age_days {
        let age = now.as_second() - report.finished.as_second();
        unless(
            age <= i64::from(days) * 86_400,
            format!("the report is of {}, older than {days} days", report.finished),
        );
        unless(age >= 0, format!("the report is of {}, which is to come", report.finished));
    }
    let sets = &requirement.check_sets;
    let known = sets.is_empty() || sets.iter().any(|set| set.to_string() == report.check_set);
    unless(known, format!("it asked another set of checks: {}", report.check_set));
    let proof = PROOF_OF_SEAL.into_iter().filter(|_| requirement.sealed).map(str::to_owned);
    for pattern in requirement.passed.iter().cloned().chain(proof) {
        let pattern = std::slice::from_ref(&pattern);
        let passed = |outcome: &Outcome| outcome.status == Status::Pass && any_matches(pattern, outcome);
        unless(report.outcomes.iter().any(passed), format!("nothing of {} passed", pattern[0]));
    }
    defects
}

fn ids(evidence: &Evidence, wanted: impl Fn(&Outcome) -> bool) -> String {
    let wanted = evidence.report.outcomes.iter().filter(|outcome| wanted(outcome));
    wanted.map(|outcome| outcome.check.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use kverify_checks::{Outcome, SkipCause, Status};

    use super::{Case, Decision, decide};
    use crate::{
        gate::{Evidence, Policy, SignedExport, SigningKey, Target, Waiver, sample_export},
        image::Digest,
        report::{ChosenBy, Conclusion, Report, sample_verified},
    };

    const DAY: i64 = 86_400;

    fn policy(more: &str) -> Policy {
        policy_of("", more)
    }

    fn policy_of(first: &str, more: &str) -> Policy {
        let key = SigningKey::generate().unwrap().public().line();
        let text = format!("{more}\n[trust]\nkeys = [\"{key}\"]\n");
        Policy::parse("p.toml", &format!("{first}[[require]]\nexpectation = \"mine\"\n{text}")).unwrap()
    }

    /// A report that every policy takes.
    fn good() -> Report {
        let mut report = sample_verified();
        report.subject.digest = Digest::of(b"image").to_string();
        report.expectation.name = "mine".to_owned();
        report.expectation.chosen_by = ChosenBy::Caller;
        report.machines.iter_mut().for_each(|machine| machine.boot = "cold".to_owned());
        report
    }

    fn evidence(reports: Vec<Report>) -> Vec<Evidence> {
        let sealed = |mut report: Report| {
            report.verdict = Conclusion::of(&report.outcomes);
            Evidence { report, digest: Digest::of(b"report"), signed_by: "SHA256:x".to_owned() }
        };
        reports.into_iter().map(sealed).collect()
    }

    /// What keeps it closed, joined; empty where it opens.
    fn refused(policy: &Policy, reports: Vec<Report>, now: Timestamp) -> String {
        let evidence = evidence(reports);
        let case = Case { digest: Digest::of(b"image"), evidence: &evidence, exports: &[], revoked: None, now };
        match decide(policy, &case) {
            Decision::Promote => String::new(),
            Decision::Refuse(missing) => {
                assert!(!missing.is_empty());
                missing.into_iter().map(|missing| missing.what).collect::<Vec<_>>().join(" | ")
            }
        }
    }

    fn changed(change: impl FnOnce(&mut Report)) -> Vec<Report> {
        let mut report = good();
        change(&mut report);
        vec![report]
    }

    fn now() -> Timestamp {
        good().finished
    }

    fn with(status: Status, cause: Option<SkipCause>) -> Vec<Report> {
        changed(|report| {
            report.outcomes.push(Outcome { cause, ..Outcome::new("network.dns-answers", status) });
        })
    }

    #[test]
    fn a_whole_report_opens_it_and_nothing_does_not() {
        assert_eq!(refused(&policy(""), vec![good()], now()), "");
        assert_eq!(refused(&policy(""), vec![], now()), "no signed report against mine");
        assert_eq!(
            refused(&policy(""), changed(|report| report.expectation.name = "other".to_owned()), now()),
            "no signed report against mine"
        );
        let none = changed(|report| report.outcomes.clear());
        assert_eq!(refused(&policy(""), none, now()), "mine: nothing passed");
    }

    #[test]
    fn another_image_and_a_revoked_one_close_it() {
        let mut of_another = good();
        of_another.subject.digest = Digest::of(b"another").to_string();
        let said = refused(&policy(""), vec![good(), of_another], now());
        assert!(said.starts_with("evidence of another image: sha256:"), "{said}");
        let evidence = evidence(vec![good()]);
        let digest = Digest::of(b"image");
        let case = Case { digest, evidence: &evidence, exports: &[], revoked: Some("CVE"), now: now() };
        assert!(
            matches!(decide(&policy(""), &case), Decision::Refuse(missing) if missing[0].what == "it was revoked: CVE")
        );
    }

    #[test]
    fn every_format_of_the_policy_has_to_be_there_and_be_of_the_image() {
        let of = |image: &[u8], formats: &[Target]| SignedExport {
            exported: sample_export(Digest::of(image), formats),
            signed_by: "SHA256:x".to_owned(),
        };
        let said = |exports: &[SignedExport]| {
            let (evidence, digest) = (evidence(vec![good()]), Digest::of(b"image"));
            let case = Case { digest, evidence: &evidence, exports, revoked: None, now: now() };
            let policy = policy_of("formats = [\"vhd\", \"ova\"]\n", "");
            match decide(&policy, &case) {
                Decision::Promote => Vec::new(),
                Decision::Refuse(missing) => missing.into_iter().map(|missing| missing.what).collect(),
            }
        };
        assert_eq!(said(&[of(b"image", &[Target::Ova, Target::Vhd])]), [""; 0]);
        assert_eq!(said(&[of(b"image", &[Target::Vhd]), of(b"image", &[Target::Ova])]), [""; 0]);
        assert_eq!(said(&[of(b"image", &[Target::Vhd])]), ["no signed export as ova"]);
        assert_eq!(said(&[]), ["no signed export as vhd", "no signed export as ova"]);
        let other = said(&[of(b"other", &[Target::Ova]), of(b"image", &[Target::Vhd])]);
        assert!(other[0].starts_with("an export of another image: sha256:"), "{other:?}");
        assert_eq!(other[1], "no signed export as ova");
    }

    #[test]
    fn a_failure_is_not_undone_by_another_run() {
        let mut later = good();
        later.finished = later.finished.checked_add(jiff::SignedDuration::from_hours(1)).unwrap();
        let reports = [with(Status::Fail, None), vec![later]].concat();
        assert_eq!(refused(&policy(""), reports, now()), "mine: refuted by network.dns-answers");
        let said = refused(&policy(""), with(Status::Error, None), now());
        assert_eq!(said, "mine: not told: network.dns-answers");
    }

    #[test]
    fn what_was_left_out_has_to_be_tolerated_by_name() {
        let tolerant = policy("[tolerate]\nnot-here = [\"network.dns-answers\"]\n");
        let topic = policy("[tolerate]\nnot-here = [\"network.*\"]\n");
        let not_here = || with(Status::Skip, Some(SkipCause::NotHere));
        assert_eq!(refused(&policy(""), not_here(), now()), "mine: left out (not-here): network.dns-answers");
        assert_eq!(refused(&tolerant, not_here(), now()), "");
        assert_eq!(refused(&topic, not_here(), now()), "");
        let filtered = with(Status::Skip, Some(SkipCause::Filtered));
        assert_eq!(refused(&topic, filtered, now()), "mine: left out (filtered): network.dns-answers");
        assert_eq!(refused(&policy(""), with(Status::Skip, Some(SkipCause::NotAsked)), now()), "");
    }

    #[test]
    fn a_seal_is_proven_by_what_only_such_a_run_asks() {
        let sealed = policy("sealed = true");
        let plain = refused(&sealed, vec![good()], now());
        assert_eq!(
            plain,
            "mine: nothing of seal.everything-read passed; nothing of seal.free-blocks-empty passed; nothing of \
             seal.twins-differ passed"
        );
        let proven = |status: Status| {
            changed(|report| {
                let ids = ["seal.everything-read", "seal.free-blocks-empty"];
                report.outcomes.extend(ids.map(|id| Outcome::new(id, Status::Pass)));
                report.outcomes.push(Outcome::new("seal.twins-differ", status));
            })
        };
        assert_eq!(refused(&sealed, proven(Status::Pass), now()), "");
        assert_eq!(
            refused(&sealed, proven(Status::Error), now()),
            "mine: not told: seal.twins-differ; nothing of seal.twins-differ passed"
        );
        assert_eq!(refused(&sealed, proven(Status::Fail), now()), "mine: refuted by seal.twins-differ");
        assert_eq!(refused(&policy(""), vec![good()], now()), "");
    }

    #[test]
    fn a_waiver_counts_where_the_policy_says_so_until_it_ends() {
        let tolerant = policy("[tolerate]\nwaived = [\"network.dns-answers\"]\n");
        let waived = |until: &str| {
            let mut reports = with(Status::Skip, Some(SkipCause::Waived));
            let (check, image) = ("network.dns-answers".to_owned(), "*".to_owned());
            let (reason, owner) = ("r".to_owned(), "jm".to_owned());
            reports[0].waivers = vec![Waiver { check, image, reason, owner, until: until.parse().unwrap() }];
            reports
        };
        assert_eq!(refused(&tolerant, waived("2099-01-01"), now()), "");
        assert_eq!(refused(&policy(""), waived("2099-01-01"), now()), "mine: left out (waived): network.dns-answers");
        let ended = refused(&tolerant, waived("2020-01-01"), now());
        assert_eq!(ended, "mine: the waiver of network.dns-answers has ended: until 2020-01-01 (jm): r");
        let unnamed = with(Status::Skip, Some(SkipCause::Waived));
        assert_eq!(refused(&tolerant, unnamed, now()), "mine: waived without a waiver");
    }

    #[test]
    fn how_the_report_came_about_counts() {
        let warm = changed(|report| report.machines[0].boot = "fork_of 2026-11-21T00:00:00Z".to_owned());
        assert!(refused(&policy(""), warm.clone(), now()).contains("a fork kept by --warm"));
        assert_eq!(refused(&policy("cold = false"), warm, now()), "");
        assert!(refused(&policy(""), changed(|report| report.machines.clear()), now()).contains("did not boot"));
        let guest = changed(|report| report.expectation.chosen_by = ChosenBy::Guest);
        assert!(refused(&policy(""), guest.clone(), now()).contains("the guest chose the expectation"));
        assert_eq!(refused(&policy("guest-may-choose = true"), guest, now()), "");
        let aged = policy("max-age-days = 30");
        let days = |days: i64| Timestamp::from_second(good().finished.as_second() + days * DAY).unwrap();
        assert_eq!(refused(&aged, vec![good()], days(30)), "");
        assert!(refused(&aged, vec![good()], days(31)).contains("older than 30 days"));
        assert!(refused(&aged, vec![good()], days(-1)).contains("which is to come"));
    }

    #[test]
    fn the_digests_of_what_was_asked_count() {
        let other = Digest::of(b"other");
        let sets = policy(&format!("check-sets = [\"{other}\"]"));
        assert!(refused(&sets, vec![good()], now()).contains("it asked another set of checks"));
        assert_eq!(refused(&sets, changed(|report| report.check_set = other.to_string()), now()), "");
        let digest = policy(&format!("expectation-digest = \"{other}\""));
        assert!(refused(&digest, vec![good()], now()).starts_with("no signed report against mine (sha256:"));
        assert_eq!(refused(&digest, changed(|report| report.expectation.digest = other.to_string()), now()), "");
        let passed = policy("passed = [\"zfs.*\", \"scenario.reboot\"]");
        assert_eq!(refused(&passed, vec![good()], now()), "mine: nothing of scenario.reboot passed");
        let played = changed(|report| report.outcomes.push(Outcome::new("scenario.reboot", Status::Pass)));
        assert_eq!(refused(&passed, played, now()), "");
    }
}
