//! Replays: what today's checks say of a recording, beside what the recording says that they must.

use serde::Serialize;
use toml::Table;

use crate::{
    all,
    check::AnyCheck,
    expect::{ExpectError, Resolved, at},
    fact::{Gathered, Unreadable},
    outcome::{Outcome, SkipCause, Status},
    recording::{Recording, Says},
};

/// Where a value was written that a recording brings itself.
const ITS_OWN: &str = "says.expect";

/// What one check says of a recording.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replayed {
    /// What came of the check.
    pub outcome: Outcome,
    /// How that stands to what the recording says.
    pub compared: Compared,
}

/// How an outcome stands to what its recording says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compared {
    /// The recording says nothing of any check: the outcome stands for itself.
    Nothing,
    /// The recording says something of other checks only: the outcome decides nothing.
    OfOthers,
    /// It is what the recording says.
    AsSaid,
    /// It is something else.
    NotAsSaid {
        /// What the recording says that it is.
        is: Status,
        /// A part of what it says was found.
        got: Option<String>,
    },
}

/// Why a recording cannot be judged today.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// No check judges a fact of that name.
    #[error("no fact is called `{0}`")]
    UnknownFact(String),
    /// Other questions were answered than are asked today.
    #[error("its probes are not today's: {0}")]
    Probes(Unreadable),
    /// It says something of a check that there is not.
    #[error("it says something of `{0}`, and no check is called that")]
    UnknownCheck(String),
    /// It says something of a check of another fact.
    #[error("it says something of {check}, which does not judge {fact}")]
    OtherFact {
        /// The check.
        check: String,
        /// The recording's fact.
        fact: String,
    },
    /// An expectation that it brings cannot be read.
    #[error("the expectation that it has for {check}: {why}")]
    Expect {
        /// The check.
        check: String,
        /// What is wrong with it.
        why: ExpectError,
    },
}

impl Replayed {
    /// As what the outcome counts: one that is as the recording says as a pass, one that is not as a fail, and one that
    /// decides nothing as skipped.
    #[must_use]
    pub fn counts_as(&self) -> Status {
        match self.compared {
            Compared::Nothing => self.outcome.status,
            Compared::OfOthers => Status::Skip,
            Compared::AsSaid => Status::Pass,
            Compared::NotAsSaid { .. } => Status::Fail,
        }
    }
}

/// What each check of its fact says of a recording, by ID: once for each time that the recording says something of it,
/// else once. `sheet` is what is expected where the recording does not bring a value itself.
///
/// # Errors
/// [`ReplayError`] if it is not a recording of today's questions, or says what cannot be compared.
pub fn replay(recording: &Recording, sheet: &Resolved) -> Result<Vec<Replayed>, ReplayError> {
    let checks: Vec<_> = all().filter(|check| check.fact().id == recording.fact).collect();
    let kind = checks.first().ok_or_else(|| ReplayError::UnknownFact(recording.fact.clone()))?.fact();
    let has = |says: &Says| checks.iter().any(|check| check.about().id == says.check);
    if let Some(Says { check, .. }) = recording.says.iter().find(|says| !has(says)) {
        let (check, fact) = (check.clone(), recording.fact.clone());
        let known = all().any(|known| known.about().id == check);
        return Err(if known { ReplayError::OtherFact { check, fact } } else { ReplayError::UnknownCheck(check) });
    }
    let outputs = recording.outputs(&(kind.probes)()).map_err(ReplayError::Probes)?;
    let read = (kind.parse)(&outputs);
    let mut replayed = Vec::new();
    for check in checks {
        let before = replayed.len();
        for says in recording.says.iter().filter(|says| says.check == check.about().id) {
            let outcome = outcome(check, &read, sheet, says.expect.as_ref())?;
            replayed.push(Replayed { compared: compared(says, &outcome), outcome });
        }
        if replayed.len() == before {
            let compared = if recording.says.is_empty() { Compared::Nothing } else { Compared::OfOthers };
            replayed.push(Replayed { outcome: outcome(check, &read, sheet, None)?, compared });
        }
    }
    Ok(replayed)
}

fn compared(says: &Says, outcome: &Outcome) -> Compared {
    let part = says.got.as_deref().unwrap_or_default();
    if outcome.status == says.is && outcome.said().contains(part) {
        Compared::AsSaid
    } else {
        Compared::NotAsSaid { is: says.is, got: says.got.clone() }
    }
}

fn outcome(
    check: &dyn AnyCheck,
    read: &Result<Gathered, Unreadable>,
    sheet: &Resolved,
    over: Option<&Table>,
) -> Result<Outcome, ReplayError> {
    let about = check.about();
    let wrong = |why| ReplayError::Expect { check: about.id.to_owned(), why };
    let its_own = over.map(|over| sheet.with(over)).transpose().map_err(wrong)?;
    let expectation = its_own.as_ref().unwrap_or(&sheet.expectation);
    let mut outcome = Outcome::new(about.id, Status::Skip);
    outcome.want_at = match over {
        Some(over) if at(over, about.key).is_some() => Some(ITS_OWN.to_owned()),
        _ => sheet.origin(about.key).map(ToString::to_string),
    };
    let verdict = match read {
        _ if !check.asked(expectation) => None,
        Err(why) => Some(Err(why.to_string())),
        Ok(fact) => check.judge(fact.as_ref(), expectation).map(Ok),
    };
    Ok(match verdict {
        None => Outcome { cause: Some(SkipCause::NotAsked), ..outcome },
        Some(verdict) => outcome.judged(verdict),
    })
}

#[cfg(test)]
mod tests {
    use super::{Compared, ReplayError, Replayed, replay};
    use crate::{Book, Status, expect::Resolved, recording::Recording};

    /// What `zpool status -pv` says of a pool that is well.
    const WELL: &str = r#"
        fact = "zfs.pool-status"
        from = "by hand"
        about = "one pool"
        [[answers]]
        probe = { command = ["zpool", "status", "-pv"] }
        exit = { code = 0 }
        stdout = "  pool: rpool\n state: ONLINE\nconfig:\n\n\tNAME  STATE  READ  WRITE  CKSUM\n\trpool  ONLINE  0  0  0\n\t  vda2  ONLINE  0  0  0\n\nerrors: No known data errors\n"
    "#;

    fn sheet() -> Resolved {
        Book::new([("mine", "[zfs]\npool = 'tank'\n")]).resolve("mine").unwrap()
    }

    fn replayed(says: &str) -> Result<Vec<Replayed>, ReplayError> {
        replay(&Recording::read(&format!("{WELL}{says}")).unwrap(), &sheet())
    }

    fn says(rest: &str) -> String {
        format!("[[says]]\ncheck = 'zfs.pool-named'\n{rest}\n")
    }

    /// What the check of the pool's name says.
    fn named(said: &str) -> Vec<(Status, Compared, Status)> {
        let all = replayed(said).unwrap().into_iter();
        let named = all.filter(|one| one.outcome.check == "zfs.pool-named");
        named.map(|one| (one.outcome.status, one.compared.clone(), one.counts_as())).collect()
    }

    #[test]
    fn every_check_of_the_fact_judges_what_nothing_is_said_of() {
        let all = replayed("").unwrap();
        let one = all.iter().find(|one| one.outcome.check == "zfs.pool-named").unwrap();
        assert_eq!((one.outcome.status, one.counts_as()), (Status::Fail, Status::Fail));
        assert_eq!((one.outcome.want.as_deref(), one.outcome.got.as_deref()), (Some("tank"), Some("rpool")));
        assert_eq!(one.outcome.want_at.as_deref(), Some("mine.toml:2"));
        let other = all.iter().find(|one| one.outcome.check == "zfs.pools-healthy").unwrap();
        assert_eq!((other.outcome.status, other.compared.clone()), (Status::Skip, Compared::Nothing));
    }

    #[test]
    fn what_is_as_said_counts_as_a_pass_and_what_is_not_as_a_fail() {
        assert_eq!(named(&says("is = 'fail'")), [(Status::Fail, Compared::AsSaid, Status::Pass)]);
        assert_eq!(named(&says("is = 'fail'\ngot = 'pool'")), [(Status::Fail, Compared::AsSaid, Status::Pass)]);
        for (said, is, got) in
            [("is = 'pass'", Status::Pass, None), ("is = 'fail'\ngot = 'x'", Status::Fail, Some("x"))]
        {
            let compared = Compared::NotAsSaid { is, got: got.map(str::to_owned) };
            assert_eq!(named(&says(said)), [(Status::Fail, compared, Status::Fail)]);
        }
        let of_another = "[[says]]\ncheck = 'zfs.pools-healthy'\nis = 'pass'\n";
        assert_eq!(named(of_another), [(Status::Fail, Compared::OfOthers, Status::Skip)]);
    }

    #[test]
    fn what_a_recording_expects_itself_goes_before_the_sheet() {
        let both = says("is = 'fail'") + &says("is = 'pass'\nexpect = { zfs = { pool = 'rpool' } }");
        let as_said = |status| (status, Compared::AsSaid, Status::Pass);
        assert_eq!(named(&both), [as_said(Status::Fail), as_said(Status::Pass)]);
        let all = replayed(&both).unwrap();
        let places: Vec<_> = all.iter().filter_map(|one| one.outcome.want_at.as_deref()).collect();
        assert_eq!(places, ["mine.toml:2", "says.expect"]);
    }

    #[test]
    fn answers_that_cannot_be_read_are_an_error_where_they_are_asked_for() {
        let recording = Recording::read(&WELL.replace("code = 0", "code = 1")).unwrap();
        let all = replay(&recording, &sheet()).unwrap();
        let is = |id| all.iter().find(|one| one.outcome.check == id).map(|one| one.outcome.status);
        assert_eq!(is("zfs.pool-named"), Some(Status::Error));
        assert_eq!(is("zfs.pools-healthy"), Some(Status::Skip));
    }

    #[test]
    fn what_cannot_be_compared_is_an_error() {
        let error = |text: &str| replay(&Recording::read(text).unwrap(), &sheet()).unwrap_err().to_string();
        assert_eq!(error(&WELL.replace("pool-status", "pool-state")), "no fact is called `zfs.pool-state`");
        assert_eq!(
            error(&WELL.replace("\"-pv\"", "\"-p\"")),
            "its probes are not today's: recorded is the answer to Command([\"zpool\", \"status\", \"-p\"]), asked today \
             is Command([\"zpool\", \"status\", \"-pv\"])"
        );
        let of = |check: &str| error(&format!("{WELL}[[says]]\ncheck = '{check}'\nis = 'pass'\n"));
        assert_eq!(of("zfs.pool-nmaed"), "it says something of `zfs.pool-nmaed`, and no check is called that");
        assert_eq!(of("boot.ready"), "it says something of boot.ready, which does not judge zfs.pool-status");
        let expects = error(&format!("{WELL}{}", says("is = 'pass'\nexpect = { zfs = { poool = 'x' } }")));
        assert!(
            expects.starts_with("the expectation that it has for zfs.pool-named: unknown field `poool`"),
            "{expects}"
        );
    }
}
