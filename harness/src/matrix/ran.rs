//! What came of one row.

use std::{error::Error, iter, path::PathBuf};

use jiff::Timestamp;
use kverify_checks::{Outcome, Status};

use super::Row;
use crate::{
    machine::Network,
    report::{Conclusion, Subject},
    run::{Filter, Plan, lacks, unplayed},
};

/// A row that is over.
pub(crate) struct Ran {
    pub(crate) row: String,
    /// One for each built-in check and each scenario of the row.
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) started: Timestamp,
    /// What they say together.
    pub(crate) verdict: Conclusion,
    /// Why there is no report, if there is none.
    pub(crate) why: Option<String>,
    /// Whether it was the host that failed.
    pub(crate) of_the_host: bool,
    /// The image, where a report speaks of it.
    pub(crate) subject: Option<Subject>,
    /// Where the report is; `None` if there is none.
    pub(crate) folder: Option<PathBuf>,
}

impl Ran {
    /// A row of which nothing was found out: every check that it asks for is an error.
    pub(crate) fn untold(row: &Row, network: Network, started: Timestamp, why: &str) -> Self {
        let plan = Plan::new(&row.expectation, &Filter::default(), &lacks(network, false));
        let outcomes = plan.checks.into_iter().map(|planned| {
            let (status, cause, why) = match planned.skip {
                Some((cause, why)) => (Status::Skip, Some(cause), why),
                None => (Status::Error, None, why.to_owned()),
            };
            Outcome { cause, why: Some(why), ..Outcome::new(planned.check.about().id, status) }
        });
        let unplayed = row.scenarios.iter().map(|scenario| unplayed(scenario, why));
        Self {
            row: row.name.clone(),
            outcomes: outcomes.chain(unplayed).collect(),
            started,
            verdict: Conclusion::NoVerdict,
            why: Some(why.to_owned()),
            of_the_host: false,
            subject: None,
            folder: None,
        }
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
