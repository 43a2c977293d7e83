//! The expectation of a run: named by the caller, or chosen by what the guest says it is.

use kverify_checks::{Book, expect::Resolved};
use serde::{Deserialize, Serialize};

use super::RunError;
use crate::{book, report::ChosenBy};

/// The name of an installed system, by its own word.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuestName {
    /// `ID` of os-release.
    pub id: Option<String>,
    /// `VERSION_ID` of os-release.
    pub version_id: Option<String>,
    /// The profile in `/etc/kldload/image-metadata.json`.
    pub profile: Option<String>,
}

/// The part of the metadata file that names the profile; the file holds more, which a check judges.
#[derive(Deserialize)]
struct Metadata {
    profile: Option<String>,
}

impl GuestName {
    /// Reads os-release and the metadata file; what cannot be read is not known.
    #[must_use]
    pub fn read(os_release: &str, metadata: &str) -> Self {
        let field = |name: &str| {
            let line = os_release.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
            line.map(|value| value.trim_matches(['"', '\'']).to_owned()).filter(|value| !value.is_empty())
        };
        let metadata = serde_json::from_str::<Metadata>(metadata).ok();
        Self {
            id: field("ID"),
            version_id: field("VERSION_ID"),
            profile: metadata.and_then(|metadata| metadata.profile),
        }
    }
}

/// The expectation that the caller names, read before anything is started.
pub(super) fn given(book: &mut Book, expect: Option<&str>) -> Result<Option<Resolved>, RunError> {
    expect.map(|expect| named(book, expect)).transpose()
}

/// The expectation of a name, or of a file.
pub(crate) fn named(book: &mut Book, expect: &str) -> Result<Resolved, RunError> {
    let name = if book::is_file(expect) { book::add_file(book, expect.as_ref())? } else { expect.to_owned() };
    Ok(book.resolve(&name)?)
}

pub(super) fn expectation(
    book: &Book,
    given: Option<Resolved>,
    name: &GuestName,
) -> Result<(Resolved, ChosenBy), RunError> {
    if let Some(given) = given {
        return Ok((given, ChosenBy::Caller));
    }
    let id = name.id.as_deref();
    let version = name.version_id.as_deref();
    let chosen = id.and_then(|id| book::choose_by_os_release(book, id, version, name.profile.as_deref()));
    Ok(match chosen {
        Some(name) => (book.resolve(&name)?, ChosenBy::Guest),
        None => (book.resolve("golden")?, ChosenBy::Nobody),
    })
}

#[cfg(test)]
mod tests {
    use super::GuestName;

    #[test]
    fn reads_what_is_there_and_nothing_more() {
        let name = GuestName::read("PRETTY_NAME=\"x\"\nVERSION_ID=\"13\"\nID=debian\n", "{\"profile\":\"server\"}");
        assert_eq!(name.id.as_deref(), Some("debian"));
        assert_eq!(name.version_id.as_deref(), Some("13"));
        assert_eq!(name.profile.as_deref(), Some("server"));
        assert_eq!(GuestName::read("NO_ID=1\n", "not json"), GuestName::default());
    }
}
