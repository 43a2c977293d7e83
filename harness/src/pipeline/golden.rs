//! What golden images are called: `golden-<expectation>-v<date>-<commit>`.

use jiff::{Timestamp, tz::TimeZone};

use super::shelf::Git;

/// How they are called where nobody says otherwise.
pub const TEMPLATE: &str = "golden-{expect}-v{date}-{commit}";

/// The longest name, in bytes: what every format and store takes, with an ending behind it.
const LONGEST: usize = 90;

/// Where the parts of a name come from.
pub struct Parts<'a> {
    /// What the image is expected to be.
    pub expect: &'a str,
    /// The moment that the date is of, in UTC.
    pub at: Timestamp,
    /// The commit that it is built from, where there is one.
    pub git: Option<&'a Git>,
}

/// A name after a template, in which `{expect}`, `{date}` and `{commit}` stand for parts of it.
///
/// # Errors
/// What the name lacks, and what would bring it.
pub fn called(template: &str, parts: &Parts) -> Result<String, String> {
    let mut name = template
        .replace("{expect}", parts.expect)
        .replace("{date}", &parts.at.to_zoned(TimeZone::UTC).strftime("%Y%m%d").to_string());
    if name.contains("{commit}") {
        let git = parts.git.ok_or(
            "no name: this folder is in no git tree, whose commit would be part of it; give one that names no commit",
        )?;
        name = name.replace("{commit}", &git.short());
    }
    if name.contains(['{', '}']) {
        return Err(format!("`{template}` is no name: of {{…}} there are {{expect}}, {{date}} and {{commit}}"));
    }
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.+".contains(letter);
    if name.is_empty() || name.len() > LONGEST || name.starts_with('.') || !name.chars().all(plain) {
        let letters = "letters, digits, `-`, `_`, `.` and `+`, the first no point";
        return Err(format!("`{name}` is no name of an image: {letters}, at most {LONGEST} of them"));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::{Parts, TEMPLATE, called};
    use crate::pipeline::shelf::Git;

    #[test]
    fn a_name_says_what_when_and_of_which_commit() {
        let git = |changed| Git { commit: "0123456789abcdef".to_owned(), remote: None, changed };
        let name = |template, git: Option<&Git>| {
            let at = "2026-11-30T23:30:00-01:00".parse().unwrap();
            called(template, &Parts { expect: "debian-13-server", at, git })
        };
        assert_eq!(name(TEMPLATE, Some(&git(false))).unwrap(), "golden-debian-13-server-v20261201-01234567");
        assert_eq!(name(TEMPLATE, Some(&git(true))).unwrap(), "golden-debian-13-server-v20261201-01234567-dirty");
        assert_eq!(name("mine-{date}", None).unwrap(), "mine-20261201");
        assert!(name(TEMPLATE, None).unwrap_err().contains("in no git tree"));
        let long = "a".repeat(91);
        for wrong in ["", "../mine", "/srv/mine", ".mine", "a b", &long] {
            assert!(name(wrong, None).unwrap_err().contains("is no name of an image"), "{wrong}");
        }
        assert!(name("mine-{day}", None).unwrap_err().contains("there are {expect}, {date} and {commit}"));
    }
}
