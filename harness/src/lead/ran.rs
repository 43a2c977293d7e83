//! What came of one row.

use std::{error::Error, iter, path::PathBuf};

use jiff::Timestamp;
use kverify_checks::{Outcome, Status};

use crate::{
    matrix::Row,
    run::{Filter, Plan, unplayed},
};

/// A row that is over.
pub(super) struct Ran {
    pub(super) row: String,
    /// One for each built-in check and each scenario of the row.
    pub(super) outcomes: Vec<Outcome>,
    pub(super) started: Timestamp,
    /// Where the report is; `None` if there is none.
    pub(super) folder: Option<PathBuf>,
}

impl Ran {
    /// A row of which nothing was found out: every check that it asks for is an error.
    pub(super) fn untold(row: &Row, started: Timestamp, why: &str) -> Self {
        let plan = Plan::new(&row.expectation, &Filter::default(), &[]);
        let outcomes = plan.checks.into_iter().map(|planned| {
            let (status, cause, why) = match planned.skip {
                Some((cause, why)) => (Status::Skip, Some(cause), why),
                None => (Status::Error, None, why.to_owned()),
            };
            Outcome { cause, why: Some(why), ..Outcome::new(planned.check.about().id, status) }
        });
        let unplayed = row.scenarios.iter().map(|scenario| unplayed(scenario, why));
        Self { row: row.name.clone(), outcomes: outcomes.chain(unplayed).collect(), started, folder: None }
    }
}

/// An error with all that caused it, in one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut said = error.to_string();
    for cause in iter::successors(error.source(), |cause| (*cause).source()) {
        said.push_str(": ");
        said.push_str(&cause.to_string());
    }
    said
}
