//! The packages that the image is made of, as its package manager's database has them.

mod advisories;
mod architecture;
mod audit;
mod database;
mod holds;
mod installed;
mod leftovers;
mod present;
mod sources;
mod verified;
mod version;
mod versions;
mod vulnerabilities;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AnyCheck, pattern::Pattern};

pub use advisories::{Advisories, AdvisoriesError, Advisory, Affected, End};
pub use audit::Audit;
pub use database::{Debian, Package};
pub use installed::{Installed, InstalledPackage, Manager};
pub use leftovers::Leftovers;
pub use sources::{Source, Sources};
pub use verified::{Altered, Verified};
pub use version::VersionWanted;
pub use vulnerabilities::Vulnerabilities;

/// What is expected of the packages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// The text of an advisory file; `kverify` fills it from the file that it is given.
    #[serde(skip_serializing)]
    pub advisories: Option<Advisories>,
    /// The files of packages that may differ from what the packages brought, as patterns of paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub altered: Option<Vec<Pattern>>,
    /// The architectures that packages may be of, as the package manager calls them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architectures: Option<Vec<String>>,
    /// Whether every source of packages has to be verified by its signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authenticated: Option<bool>,
    /// Whether the package database has to be consistent in itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consistent: Option<bool>,
    /// Patterns of the names of packages that must not be there, by a name of your own for their kind.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub forbidden: BTreeMap<String, Vec<Pattern>>,
    /// The packages that may be on hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holds: Option<Vec<String>>,
    /// The second versions of configuration files that may lie beside the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leftovers: Option<Vec<String>>,
    /// The packages that have to be there, by a name of your own for their kind.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub required: BTreeMap<String, Vec<String>>,
    /// Where packages are taken from: suites with their components, or repositories.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<String>>,
    /// The versions that packages have to have, by name; they have to be installed then.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<String, VersionWanted>,
    /// Which vulnerabilities are borne, if there is an advisory file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vulnerabilities: Option<Vulnerabilities>,
    /// Whether every package has to be installed to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole: Option<bool>,
}

/// The checks of this topic, by ID.
pub static CHECKS: &[&dyn AnyCheck] = &[
    &architecture::ArchitecturesAsDeclared,
    &leftovers::ConfigurationSettled,
    &audit::DatabaseConsistent,
    &verified::FilesAsPackaged,
    &present::ForbiddenAbsent,
    &holds::HoldsAsDeclared,
    &database::InstalledWhole,
    &vulnerabilities::NoKnownVulnerabilities,
    &present::RequiredPresent,
    &sources::SourcesAsDeclared,
    &sources::SourcesAuthenticated,
    &versions::VersionsAsDeclared,
];
