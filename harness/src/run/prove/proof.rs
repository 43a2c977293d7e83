//! What came of a proof, as programs read it.

use std::{collections::BTreeSet, time::Duration};

use kverify_checks::{
    Outcome, Status,
    expect::Resolved,
    fault::{At, Fault},
};
use serde::Serialize;

use crate::image::Digest;

/// What came of all faults.
#[derive(Clone, Debug, Serialize)]
pub struct Proof {
    /// The version of kverify.
    pub kverify: String,
    /// The image's name.
    pub image: String,
    /// Its digest.
    pub digest: String,
    /// The expectation's name.
    pub expectation: String,
    /// Each fault, and each untouched machine, in the order in which they came to their end; sorted at the end.
    pub tried: Vec<Tried>,
    /// Whole runs on untouched machines of other hardware.
    pub twins: Vec<Twin>,
    /// The checks that were asked and that no fault of this proof has to make fail.
    pub without_fault: Vec<String>,
    /// How many checks are asked of the image.
    pub asked: usize,
    /// Seconds that all of it took.
    pub seconds: f64,
}

/// What came of one fault.
#[derive(Clone, Debug, Serialize)]
pub struct Tried {
    /// The fault's name, or `untouched…`.
    pub fault: String,
    /// What was done.
    pub about: String,
    /// The checks that had to fail, and those that had to be unable to tell.
    pub had_to: Vec<String>,
    /// Those that did.
    pub did: Vec<String>,
    /// What each of them said, and each that should not have.
    pub said: Vec<String>,
    /// What came of it.
    pub came: Came,
    /// The faults that it shared a boot with.
    pub with: Vec<String>,
    /// How many checks were asked.
    pub asked: usize,
    /// Seconds that it took; for those that shared a boot, all of it.
    pub seconds: f64,
}

/// What came of a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Came {
    /// Exactly its checks noticed it.
    Caught,
    /// Not exactly its checks did.
    Missed {
        /// Those that had to, and did not.
        not: Vec<String>,
        /// Those that did, and should not have.
        too: Vec<String>,
    },
    /// It was not done, so nothing is known of its checks.
    NotDone {
        /// Why.
        why: String,
    },
    /// Its checks are not asked on this host, or of this image.
    NotHere {
        /// Why.
        why: String,
    },
}

/// A whole run on an untouched machine.
#[derive(Clone, Debug, Serialize)]
pub struct Twin {
    /// What it was made of.
    pub machine: String,
    /// Seconds until it had settled, where it did.
    pub settled: Option<f64>,
    /// How many checks held.
    pub passed: usize,
    /// What did not hold, or could not be told; each a false alarm.
    pub alarms: Vec<String>,
}

impl Proof {
    pub(super) fn begin(image: String, digest: Digest, resolved: &Resolved) -> Self {
        Self {
            kverify: env!("CARGO_PKG_VERSION").to_owned(),
            image,
            digest: digest.to_string(),
            expectation: resolved.name.clone(),
            tried: Vec::new(),
            twins: Vec::new(),
            without_fault: Vec::new(),
            asked: 0,
            seconds: 0.0,
        }
    }

    /// Adds what came of a fault.
    pub(super) fn add(&mut self, tried: Tried, told: &(dyn Fn(&Tried) + Sync)) {
        told(&tried);
        self.tried.push(tried);
    }

    /// Sorts what came, and says which of the checks asked had no fault.
    pub(super) fn finish(&mut self, asked: Vec<&'static str>, took: Duration) {
        self.tried.sort_by(|one, other| one.fault.cmp(&other.fault));
        let had: BTreeSet<_> = self.tried.iter().flat_map(|tried| &tried.had_to).map(String::as_str).collect();
        self.asked = asked.len();
        self.without_fault = asked.into_iter().filter(|id| !had.contains(id)).map(str::to_owned).collect();
        self.seconds = took.as_secs_f64();
    }

    /// The exit status: 1 where a fault was missed or an untouched machine alarmed, 2 where one was not done or none was
    /// tried.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let any = |of: fn(&Came) -> bool| self.tried.iter().any(|tried| of(&tried.came));
        let alarmed = self.twins.iter().any(|twin| !twin.alarms.is_empty());
        let nothing = self.twins.is_empty() && !any(|came| *came == Came::Caught);
        if alarmed || any(|came| matches!(came, Came::Missed { .. })) {
            1
        } else if nothing || any(|came| matches!(came, Came::NotDone { .. })) {
            2
        } else {
            0
        }
    }
}

/// A check and what it said.
pub(super) fn words(outcome: &Outcome) -> String {
    format!("{}: {}", outcome.check, outcome.said())
}

impl Tried {
    pub(super) fn of(fault: &Fault, came: Came) -> Self {
        Self { had_to: fault.noticed().cloned().collect(), ..Self::new(&fault.id, &fault.about, came) }
    }

    fn new(fault: &str, about: &str, came: Came) -> Self {
        Self {
            fault: fault.to_owned(),
            about: about.to_owned(),
            had_to: Vec::new(),
            did: Vec::new(),
            said: Vec::new(),
            came,
            with: Vec::new(),
            asked: 0,
            seconds: 0.0,
        }
    }

    /// Whether exactly its checks noticed.
    #[must_use]
    pub fn caught(&self) -> bool {
        self.came == Came::Caught
    }

    /// What came of each of the faults that were done to one machine, of which these are the outcomes, or why there are
    /// none; without faults, of the untouched machine.
    pub(super) fn all(faults: &[Fault], at: At, outcomes: &Result<Vec<Outcome>, String>, took: Duration) -> Vec<Self> {
        let mut tried: Vec<_> = faults.iter().map(|fault| Self::of(fault, Came::Caught)).collect();
        if tried.is_empty() {
            tried.push(Self::untouched(at));
        }
        for one in &mut tried {
            one.seconds = took.as_secs_f64();
            let others = faults.iter().map(|fault| &fault.id).filter(|id| **id != one.fault);
            one.with = others.cloned().collect();
            match outcomes {
                Ok(outcomes) => one.judge(faults, outcomes),
                Err(why) => one.came = Came::NotDone { why: why.clone() },
            }
        }
        tried
    }

    fn untouched(at: At) -> Self {
        let (fault, about) = match at {
            At::Boot => ("untouched-booted-again", "nothing is done, and the machine boots again"),
            At::Settled | At::File => ("untouched", "nothing is done"),
            At::Sealed => ("untouched-sealed", "nothing is done to the sealed disk"),
        };
        Self::new(fault, about, Came::Caught)
    }

    /// Compares what a machine showed with what the faults done to it should have.
    pub(super) fn judge(&mut self, faults: &[Fault], outcomes: &[Outcome]) {
        let had = |list: fn(&Fault) -> &Vec<String>| faults.iter().flat_map(list).cloned().collect::<BTreeSet<_>>();
        let of = |status: Status| {
            let those = outcomes.iter().filter(|outcome| outcome.status == status);
            those.map(|outcome| outcome.check.clone()).collect::<BTreeSet<_>>()
        };
        let (fails, errors) = (had(|fault| &fault.fails), had(|fault| &fault.errors));
        let (failed, mut erred) = (of(Status::Fail), of(Status::Error));
        if faults.iter().any(|fault| fault.unready) {
            // Nobody can be asked on a machine that is not there.
            erred.clear();
        }
        let not: Vec<_> = fails.difference(&failed).chain(errors.difference(&erred)).cloned().collect();
        let too: Vec<_> = failed.difference(&fails).chain(erred.difference(&errors)).cloned().collect();
        let mine = |id: &String| self.had_to.contains(id);
        self.did = failed.iter().chain(&erred).filter(|id| mine(id)).cloned().collect();
        let alarming = |outcome: &&Outcome| self.did.contains(&outcome.check) || too.contains(&outcome.check);
        self.said = outcomes.iter().filter(alarming).map(words).collect();
        self.asked = outcomes.len();
        self.came = if not.is_empty() && too.is_empty() { Came::Caught } else { Came::Missed { not, too } };
    }
}

#[cfg(test)]
mod tests {
    use kverify_checks::{Outcome, Status, fault::Fault};

    use super::{Came, Proof, Tried};

    fn fault(fails: &str, rest: &str) -> Fault {
        let text = format!(
            "about = 'a'\nfails = {fails}\n{rest}\nproof = 'c'\n[[step]]\nrun = {{ about = 'a', script = 'b' }}\n"
        );
        Fault::read("x", &text).unwrap()
    }

    fn judged(fault: &Fault, outcomes: &[(&str, Status)]) -> Came {
        let outcomes: Vec<_> = outcomes.iter().map(|(id, status)| Outcome::new(*id, *status)).collect();
        let mut tried = Tried::of(fault, Came::Caught);
        tried.judge(std::slice::from_ref(fault), &outcomes);
        tried.came
    }

    fn missed(not: &[&str], too: &[&str]) -> Came {
        let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        Came::Missed { not: owned(not), too: owned(too) }
    }

    #[test]
    fn exactly_its_checks_have_to_fail() {
        let named = fault("['zfs.pool-named']", "");
        let (pass, fail, error) = (Status::Pass, Status::Fail, Status::Error);
        let root = "zfs.root-mounted";
        assert_eq!(judged(&named, &[("zfs.pool-named", fail), (root, pass)]), Came::Caught);
        assert_eq!(judged(&named, &[("zfs.pool-named", pass), (root, pass)]), missed(&["zfs.pool-named"], &[]));
        assert_eq!(judged(&named, &[("zfs.pool-named", error)]), missed(&["zfs.pool-named"], &["zfs.pool-named"]));
        assert_eq!(judged(&named, &[("zfs.pool-named", fail), (root, fail)]), missed(&[], &[root]));
        assert_eq!(judged(&named, &[("zfs.pool-named", fail), (root, error)]), missed(&[], &[root]));
        let untold = fault("['zfs.pool-named']", "errors = ['zfs.root-mounted']");
        assert_eq!(judged(&untold, &[("zfs.pool-named", fail), (root, error)]), Came::Caught);
    }

    #[test]
    fn of_a_machine_that_is_not_there_nothing_can_be_asked() {
        let gone = fault("['boot.ready']", "at = 'boot'\nunready = true");
        let outcomes = [("boot.ready", Status::Fail), ("zfs.pool-named", Status::Error)];
        assert_eq!(judged(&gone, &outcomes), Came::Caught);
    }

    fn proof(came: &[Came]) -> u8 {
        let tried = |came: &Came| Tried::of(&fault("['zfs.pool-named']", ""), came.clone());
        let proof = Proof {
            kverify: String::new(),
            image: String::new(),
            digest: String::new(),
            expectation: String::new(),
            tried: came.iter().map(tried).collect(),
            twins: Vec::new(),
            without_fault: Vec::new(),
            asked: 1,
            seconds: 0.0,
        };
        proof.exit_code()
    }

    #[test]
    fn a_fault_that_was_not_done_proves_nothing() {
        let why = || "x".to_owned();
        assert_eq!(proof(&[Came::Caught, Came::NotHere { why: why() }]), 0);
        assert_eq!(proof(&[Came::Caught, Came::NotDone { why: why() }]), 2);
        assert_eq!(proof(&[missed(&[], &[]), Came::NotDone { why: why() }]), 1);
        assert_eq!(proof(&[Came::NotHere { why: why() }]), 2);
        assert_eq!(proof(&[]), 2);
    }
}
