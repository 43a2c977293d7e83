//! Known vulnerabilities, as an advisory file has them: records of OSV (one, an array, or one a line) or the export of
//! Debian's security tracker.
//!
//! The file comes from outside, so its form is read leniently, but what cannot be understood is an error and not left out.

mod cvss;
mod osv;
mod tracker;

use std::{borrow::Cow, collections::BTreeSet, fmt, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::packages::Manager;

/// What an advisory file says. Cloning it is cheap.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Advisories(Arc<Vec<Advisory>>);

/// What one advisory says of one package of one release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advisory {
    /// The name that is shown: a CVE's where it has one.
    pub id: String,
    /// Every name that it has.
    pub names: BTreeSet<String>,
    /// OSV's ecosystem (`Debian:13`), or the tracker's release (`trixie`).
    pub release: String,
    /// The source package.
    pub package: String,
    /// The versions that are vulnerable.
    pub affected: Affected,
    /// Every word there is for how bad it is, in lower case; `unrated` where there is none.
    pub ratings: BTreeSet<String>,
}

/// Which versions are vulnerable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Affected {
    /// From one version on (`0`: from the beginning), until what ends it.
    pub spans: Vec<(String, End)>,
    /// Versions by name.
    pub listed: BTreeSet<String>,
}

/// Where a span of versions ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Before this version.
    Fixed(String),
    /// With this version.
    Last(String),
    /// Nowhere yet.
    Open,
}

/// Why an advisory file could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdvisoriesError {
    /// It is not JSON, or not of one of the forms.
    #[error("not a record of OSV and not the export of Debian's tracker: {0}")]
    Form(String),
    /// There is nothing in it.
    #[error("no advisory in it")]
    Empty,
}

impl Advisories {
    /// Reads the text of an advisory file.
    ///
    /// # Errors
    /// [`AdvisoriesError`] if it is of no known form, or says nothing.
    pub fn read(text: &str) -> Result<Self, AdvisoriesError> {
        let read = if osv::is(text) { osv::read(text)? } else { tracker::read(text)? };
        if read.is_empty() { Err(AdvisoriesError::Empty) } else { Ok(Self(Arc::new(read))) }
    }

    /// The advisories of a release, by one of its names.
    pub(super) fn of<'a>(&'a self, releases: &'a [String]) -> impl Iterator<Item = &'a Advisory> {
        self.0.iter().filter(move |advisory| releases.contains(&advisory.release))
    }
}

impl TryFrom<String> for Advisories {
    type Error = AdvisoriesError;

    fn try_from(text: String) -> Result<Self, AdvisoriesError> {
        Self::read(&text)
    }
}

impl JsonSchema for Advisories {
    fn schema_name() -> Cow<'static, str> {
        "Advisories".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(version) => write!(f, "fixed in {version}"),
            Self::Last(version) => write!(f, "last in {version}"),
            Self::Open => f.write_str("not fixed"),
        }
    }
}

impl Affected {
    /// How the span ends that `version` lies in; nothing if it is not vulnerable.
    pub(super) fn end_for(&self, version: &str, manager: Manager) -> Option<End> {
        let from = |start: &str| start == "0" || manager.compare(version, start).is_some_and(std::cmp::Ordering::is_ge);
        let until = |end: &End| match end {
            End::Fixed(fixed) => manager.compare(version, fixed).is_none_or(std::cmp::Ordering::is_lt),
            End::Last(last) => manager.compare(version, last).is_none_or(std::cmp::Ordering::is_le),
            End::Open => true,
        };
        let span = self.spans.iter().find(|(start, end)| from(start) && until(end)).map(|(_, end)| end.clone());
        span.or_else(|| self.listed.contains(version).then_some(End::Open))
    }
}

/// The name to show, and the words for the rating, made fit.
pub(super) fn advisory(
    names: BTreeSet<String>,
    release: &str,
    package: &str,
    affected: Affected,
    ratings: BTreeSet<String>,
) -> Advisory {
    // DEBIAN-CVE-2024-1 and the like name a CVE too.
    let cve = names.iter().find_map(|name| Some(name[name.find("CVE-")?..].to_owned()));
    let id = cve.or_else(|| names.first().cloned()).unwrap_or_default();
    let ratings = if ratings.is_empty() { BTreeSet::from(["unrated".to_owned()]) } else { ratings };
    Advisory { id, names, release: release.to_owned(), package: package.to_owned(), affected, ratings }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Advisories, AdvisoriesError, Advisory, End};
    use crate::packages::Manager;

    /// <https://github.com/google/osv.dev/blob/363a49e9/vulnfeeds/test_data/debian/debian_security_tracker_mock.json>, an
    /// excerpt of the tracker's export, cut to three entries.
    const TRACKER: &str = include_str!("advisories/tests/tracker.json");
    /// <https://github.com/anchore/vunnel/blob/2b325af7/tests/unit/providers/debian/test-fixtures/input/debian.json>, another
    /// excerpt, cut to three packages.
    const OLDER: &str = include_str!("advisories/tests/tracker-older.json");
    /// `DEBIAN-CVE-2024-58382` as OSV published it in September 2026.
    const DEBIAN: &str = include_str!("advisories/tests/DEBIAN-CVE-2024-58382.json");
    /// <https://github.com/canonical/ubuntu-security-notices/blob/0a39a954/osv/usn/USN-2171-1.json>.
    const UBUNTU: &str = include_str!("advisories/tests/USN-2171-1.json");

    fn of(text: &str, release: &str) -> Vec<Advisory> {
        Advisories::read(text).unwrap().of(&[release.to_owned()]).cloned().collect()
    }

    fn ratings(advisory: &Advisory) -> Vec<&str> {
        advisory.ratings.iter().map(String::as_str).collect()
    }

    #[test]
    fn the_export_of_the_tracker_is_read() {
        let trixie = of(TRACKER, "trixie");
        let told: Vec<_> = trixie
            .iter()
            .map(|advisory| (advisory.package.as_str(), advisory.id.as_str(), ratings(advisory)))
            .collect();
        // What never was vulnerable in Debian (`fixed_version` 0) is none.
        assert_eq!(
            told,
            [("apparmor", "CVE-2016-1585", vec!["unimportant"]), ("busybox", "CVE-2018-1000500", vec!["unimportant"]),]
        );
        let ends = |at: usize, version: &str| trixie[at].affected.end_for(version, Manager::Dpkg);
        assert_eq!(ends(0, "3.0.12-1~deb12u1"), Some(End::Fixed("3.0.12-1".to_owned())));
        assert_eq!(ends(0, "3.0.12-1"), None);
        assert_eq!(ends(0, "4.1.0-1"), None);
        assert_eq!(ends(1, "1:1.37.0-6+b9"), Some(End::Open));
        assert_eq!(of(TRACKER, "bookworm")[0].affected.end_for("3.0.12-1", Manager::Dpkg), Some(End::Open));
    }

    #[test]
    fn the_tracker_writes_no_release_as_a_list_and_a_guessed_urgency_with_stars() {
        let stretch = of(OLDER, "stretch");
        let told: Vec<_> = stretch.iter().map(|advisory| (advisory.id.as_str(), ratings(advisory))).collect();
        assert_eq!(
            told,
            [("CVE-2022-0456", vec!["end-of-life"]), ("CVE-2013-1444", vec!["low"])],
            "chromium-browser has no release at all"
        );
    }

    #[test]
    fn records_of_osv_are_read_one_by_one_in_a_list_and_a_line_each() {
        let [bookworm] = &of(DEBIAN, "Debian:12")[..] else { panic!("not one of bookworm") };
        assert_eq!(bookworm.id, "CVE-2024-58382");
        assert_eq!(bookworm.names, BTreeSet::from(["CVE-2024-58382".to_owned(), "DEBIAN-CVE-2024-58382".to_owned()]));
        assert_eq!(ratings(bookworm), ["not yet assigned"], "a vector of CVSS 4 is not rated here");
        assert_eq!(bookworm.affected.end_for("2.3.9-1+deb12u1", Manager::Dpkg), Some(End::Open));
        let [trixie] = &of(DEBIAN, "Debian:13")[..] else { panic!("not one of trixie") };
        assert_eq!(trixie.affected.end_for("2.6.0-1", Manager::Dpkg), None);
        assert_eq!(trixie.affected.end_for("2.6.0~beta1-1", Manager::Dpkg), Some(End::Fixed("2.6.0-1".to_owned())));
        assert_eq!(ratings(trixie), ["unrated"]);

        let [trusty] = &of(UBUNTU, "Ubuntu:14.04:LTS")[..] else { panic!("not one of trusty") };
        assert_eq!((trusty.id.as_str(), trusty.package.as_str()), ("CVE-2014-2855", "rsync"));
        assert_eq!(trusty.affected.end_for("3.1.0-2", Manager::Dpkg), Some(End::Fixed("3.1.0-2ubuntu0.1".to_owned())));

        let both = |text: String| (of(&text, "Debian:13").len(), of(&text, "Ubuntu:14.04:LTS").len());
        assert_eq!(both(format!("[{DEBIAN},{UBUNTU}]")), (1, 1));
        assert_eq!(both(format!("{}\n{}\n", DEBIAN.replace('\n', ""), UBUNTU.replace('\n', ""))), (1, 1));
        assert_eq!(both(format!("{{\"vulns\":[{DEBIAN},{UBUNTU}]}}")), (1, 1));
    }

    #[test]
    fn several_spans_last_versions_words_and_vectors_are_read() {
        let text = r#"{"id": "X-1", "aliases": ["CVE-2024-1"], "database_specific": {"severity": "MODERATE"},
            "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}, {"type": "Ubuntu", "score": "Medium"}],
            "affected": [{"package": {"name": "p", "ecosystem": "Debian:13"}, "versions": ["7-7"], "ranges": [
                {"type": "GIT", "events": [{"introduced": "0"}]},
                {"type": "ECOSYSTEM", "events": [{"introduced": "1:1-1"}, {"fixed": "1:1-3"}, {"introduced": "1:2-1"}, {"last_affected": "1:2-2"}]}]}]}"#;
        let [one] = &of(text, "Debian:13")[..] else { panic!("not one") };
        assert_eq!(ratings(one), ["critical", "medium", "moderate"]);
        let vulnerable = |version: &str| one.affected.end_for(version, Manager::Dpkg).is_some();
        let told =
            ["9-1", "1:1-1~", "1:1-1", "1:1-2", "1:1-3", "1:2-0", "1:2-1", "1:2-2", "1:2-3", "7-7"].map(vulnerable);
        assert_eq!(told, [false, false, true, true, false, false, true, true, false, true]);
    }

    #[test]
    fn what_is_withdrawn_is_none_and_what_is_not_understood_an_error() {
        let gone = r#"{"id": "X-1", "withdrawn": "2024-01-01T00:00:00Z", "affected": []}"#;
        assert_eq!(Advisories::read(gone), Err(AdvisoriesError::Empty));
        assert_eq!(Advisories::read("{}"), Err(AdvisoriesError::Empty));
        assert_eq!(Advisories::read("[]"), Err(AdvisoriesError::Empty));
        for broken in [
            "",
            "<html>",
            "{\"id\": 3}",
            "[{}]",
            &DEBIAN[..DEBIAN.len() - 40],
            &TRACKER[..TRACKER.len() / 2],
            r#"{"p": {"CVE-1": {"releases": {"trixie": {"status": "maybe", "urgency": "low"}}}}}"#,
            r#"{"p": {"CVE-1": {"releases": {"trixie": {"status": "resolved", "urgency": "low"}}}}}"#,
        ] {
            assert!(matches!(Advisories::read(broken), Err(AdvisoriesError::Form(_))), "{broken}");
        }
    }
}
