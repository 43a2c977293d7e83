//! The export of Debian's security tracker: package, then CVE, then release.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::{AdvisoriesError, Advisory, Affected, End, advisory};

/// What is read of a CVE of a package.
#[derive(Deserialize)]
struct Entry {
    /// By release; an empty list where there is none.
    releases: Value,
}

/// What is read of a release.
#[derive(Deserialize)]
struct Release {
    status: Status,
    #[serde(default)]
    fixed_version: Option<String>,
    urgency: String,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Status {
    Open,
    Resolved,
    Undetermined,
}

pub(super) fn read(text: &str) -> Result<Vec<Advisory>, AdvisoriesError> {
    let form = |error: &dyn std::fmt::Display| AdvisoriesError::Form(error.to_string());
    let packages: BTreeMap<String, BTreeMap<String, Entry>> =
        serde_json::from_str(text).map_err(|error| form(&error))?;
    let mut read = Vec::new();
    for (package, entries) in packages {
        for (id, entry) in entries {
            let Value::Object(releases) = entry.releases else { continue };
            for (name, release) in releases {
                let release =
                    Release::deserialize(release).map_err(|error| form(&format_args!("{package} {id}: {error}")))?;
                let spans = match (release.status, release.fixed_version) {
                    // `0` is the tracker's word for: never was vulnerable here.
                    (Status::Resolved, Some(version)) if version == "0" => continue,
                    (Status::Resolved, Some(version)) => vec![("0".to_owned(), End::Fixed(version))],
                    (Status::Resolved, None) => {
                        return Err(form(&format_args!("{package} {id}: resolved in {name}, and no version")));
                    }
                    (Status::Open | Status::Undetermined, _) => vec![("0".to_owned(), End::Open)],
                };
                // Stars mark an urgency that was worked out and not given.
                let rating = match release.status {
                    Status::Undetermined => "undetermined",
                    _ => release.urgency.trim_end_matches('*'),
                };
                let affected = Affected { spans, listed: BTreeSet::new() };
                let ratings = BTreeSet::from([rating.to_lowercase()]);
                read.push(advisory(BTreeSet::from([id.clone()]), &name, &package, affected, ratings));
            }
        }
    }
    Ok(read)
}
