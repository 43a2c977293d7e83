//! The order of versions, as dpkg and as rpm have it, and a version as an expectation writes it.
//!
//! Written out here since both orders are short and settled; the tests hold dpkg's own answers.

use std::{borrow::Cow, cmp::Ordering, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// dpkg's order: epoch, then upstream version, then revision, `~` before everything, even the end.
#[must_use]
pub fn debian(one: &str, other: &str) -> Ordering {
    let ((epoch, upstream, revision), (its_epoch, its_upstream, its_revision)) = (split(one), split(other));
    number(epoch.as_bytes(), its_epoch.as_bytes())
        .then_with(|| debian_part(upstream.as_bytes(), its_upstream.as_bytes()))
        .then_with(|| debian_part(revision.as_bytes(), its_revision.as_bytes()))
}

/// rpm's order of `epoch:version-release`.
#[must_use]
pub fn rpm(one: &str, other: &str) -> Ordering {
    let ((epoch, version, release), (its_epoch, its_version, its_release)) = (split(one), split(other));
    number(epoch.as_bytes(), its_epoch.as_bytes())
        .then_with(|| rpm_part(version.as_bytes(), its_version.as_bytes()))
        .then_with(|| rpm_part(release.as_bytes(), its_release.as_bytes()))
}

/// Epoch, version and revision; the epoch ends with the first colon, the revision begins after the last hyphen.
fn split(version: &str) -> (&str, &str, &str) {
    let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    (epoch, upstream, revision)
}

/// Two numbers of any length.
fn number(one: &[u8], other: &[u8]) -> Ordering {
    let bare = |digits: &[u8]| digits.iter().skip_while(|digit| **digit == b'0').copied().collect::<Vec<_>>();
    let (one, other) = (bare(one), bare(other));
    one.len().cmp(&other.len()).then_with(|| one.cmp(&other))
}

/// The leading bytes that are of a kind, and the rest.
fn take(bytes: &[u8], kind: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.iter().position(|byte| !kind(*byte)).unwrap_or(bytes.len()))
}

fn debian_part(mut one: &[u8], mut other: &[u8]) -> Ordering {
    // The end of a run of other signs than digits stands between `~` and the letters.
    let weight = |run: &[u8], at: usize| match run.get(at) {
        None => 0,
        Some(b'~') => -1,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(*byte),
        Some(byte) => i32::from(*byte) + 256,
    };
    while !one.is_empty() || !other.is_empty() {
        let ((signs, rest), (its_signs, its_rest)) =
            (take(one, |byte| !byte.is_ascii_digit()), take(other, |byte| !byte.is_ascii_digit()));
        let ((digits, after), (its_digits, its_after)) =
            (take(rest, |byte| byte.is_ascii_digit()), take(its_rest, |byte| byte.is_ascii_digit()));
        let order = (0..signs.len().max(its_signs.len()))
            .map(|at| weight(signs, at).cmp(&weight(its_signs, at)))
            .find(|order| order.is_ne())
            .unwrap_or_else(|| number(digits, its_digits));
        if order.is_ne() {
            return order;
        }
        (one, other) = (after, its_after);
    }
    Ordering::Equal
}

fn rpm_part(mut one: &[u8], mut other: &[u8]) -> Ordering {
    let separator = |byte: u8| !byte.is_ascii_alphanumeric() && byte != b'~' && byte != b'^';
    loop {
        (one, other) = (take(one, separator).1, take(other, separator).1);
        match (one.first(), other.first()) {
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => (one, other) = (&one[1..], &other[1..]),
            (Some(b'~'), _) => return Ordering::Less,
            (_, Some(b'~')) => return Ordering::Greater,
            // `^` is more than the end, and less than anything else.
            (None | Some(b'^'), None) => return if one.is_empty() { Ordering::Equal } else { Ordering::Greater },
            (None | Some(b'^'), Some(_)) => return Ordering::Less,
            (Some(_), None | Some(b'^')) => return Ordering::Greater,
            (Some(first), Some(its_first)) => {
                let kind: fn(u8) -> bool = if first.is_ascii_digit() {
                    |byte| byte.is_ascii_digit()
                } else {
                    |byte| byte.is_ascii_alphabetic()
                };
                if !kind(*its_first) {
                    return if first.is_ascii_digit() { Ordering::Greater } else { Ordering::Less };
                }
                let ((run, rest), (its_run, its_rest)) = (take(one, kind), take(other, kind));
                let order = if first.is_ascii_digit() { number(run, its_run) } else { run.cmp(its_run) };
                if order.is_ne() {
                    return order;
                }
                (one, other) = (rest, its_rest);
            }
        }
    }
}

/// A version as an expectation writes it: `3.5.9-1` is this one, `>= 2.3` that or a later one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionWanted {
    /// This and no other.
    Exactly(String),
    /// This or a later one.
    AtLeast(String),
}

impl fmt::Display for VersionWanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(version) => f.write_str(version),
            Self::AtLeast(version) => write!(f, ">= {version}"),
        }
    }
}

impl Serialize for VersionWanted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for VersionWanted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wanted = match text.strip_prefix(">=") {
            Some(version) => Self::AtLeast(version.trim().to_owned()),
            None => Self::Exactly(text.trim().to_owned()),
        };
        let (Self::Exactly(version) | Self::AtLeast(version)) = &wanted;
        if version.is_empty() || version.contains(|sign: char| sign.is_whitespace() || "<>=".contains(sign)) {
            return Err(D::Error::custom(format!("`{text}` is no version and not `>= VERSION`")));
        }
        Ok(wanted)
    }
}

impl JsonSchema for VersionWanted {
    fn schema_name() -> Cow<'static, str> {
        "VersionWanted".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

#[cfg(test)]
mod tests {
    use std::{cmp::Ordering, fmt::Debug};

    use super::{VersionWanted, debian, rpm};

    fn in_order<T: AsRef<str> + Debug>(versions: &[T], order: fn(&str, &str) -> Ordering) {
        for (at, one) in versions.iter().enumerate() {
            for (its_at, other) in versions.iter().enumerate() {
                assert_eq!(order(one.as_ref(), other.as_ref()), at.cmp(&its_at), "{one:?} {other:?}");
            }
        }
    }

    /// Each pair of these was given to `dpkg --compare-versions` (1.21.22), which says the same.
    #[test]
    fn debian_versions_are_ordered_as_dpkg_orders_them() {
        in_order(
            &[
                "0~",
                "0",
                "0-1",
                "0.0",
                "0.1~~",
                "0.1~~a",
                "0.1~",
                "0.1~rc1-1",
                "0.1~rc1-1+b1",
                "0.1~rc2",
                "0.1",
                "0.1-0.1",
                "0.1-1~bpo12+1",
                "0.1-1~deb13u1",
                "0.1-1",
                "0.1-1+b1",
                "0.1-1+b10",
                "0.1-1+deb13u1",
                "0.1-1+deb13u2",
                "0.1-1+deb13u10",
                "0.1-1.1",
                "0.1-2",
                "0.1a",
                "0.1a-1",
                "0.1+dfsg-1",
                "0.1.1",
                "0.9",
                "0.10",
                "1.2.3-4",
                "9.2p1-2+deb12u3",
                "10.0p1-7+deb13u4",
                "20250419+deb13u1",
                "1:0~rc1",
                "1:0",
                "1:1.3.dfsg+really1.3.1-1+deb13u1",
                "2:0",
                "10:0",
            ],
            debian,
        );
        for (one, other) in [
            ("0", "0-0"),
            ("0:1.0", "1.0"),
            ("1.0", "1.0-0"),
            ("1.00", "1.0"),
            ("1.0-01", "1.0-1"),
            ("0:1-1", "00:1-1"),
        ] {
            assert_eq!(debian(one, other), Ordering::Equal, "{one} {other}");
        }
    }

    /// After `tests/rpmvercmp.at` of rpm.
    #[test]
    fn rpm_versions_are_ordered_as_rpm_orders_them() {
        in_order(
            &[
                "1.0~rc1",
                "1.0~rc1^git1",
                "1.0~rc2",
                "1.0",
                "1.0^",
                "1.0^git1~pre",
                "1.0^git1",
                "1.0^git2",
                "1.0^20160101",
                "1.0.1",
                "1.0.1^git1",
                "1.1",
                "2.0",
                "2.0.1",
                "5.14.0-427.el9",
                "5.14.0-427.13.1.el9_4",
                "10",
                "10xyz",
                "10.1xyz",
                "1:1.0-1",
            ],
            rpm,
        );
        for (one, other) in [("1.05", "1.5"), ("2_0", "2.0"), ("fc4", "fc.4"), ("0:1.0-1", "1.0-1"), ("1.001", "1.1")] {
            assert_eq!(rpm(one, other), Ordering::Equal, "{one} {other}");
        }
        assert_eq!(rpm("2.0.1a", "2.0.1"), Ordering::Greater);
        assert_eq!(rpm("5.5p1", "5.5p10"), Ordering::Less);
        assert_eq!(rpm("xyz.4", "8"), Ordering::Less);
    }

    #[test]
    fn a_version_wanted_is_one_or_a_least_one() {
        #[derive(serde::Deserialize)]
        struct Holder {
            is: VersionWanted,
        }
        let read = |text: &str| toml::from_str::<Holder>(&format!("is = '{text}'")).map(|holder| holder.is);
        assert_eq!(read(">= 1:2.3-4").unwrap(), VersionWanted::AtLeast("1:2.3-4".to_owned()));
        assert_eq!(read("2.3~rc1").unwrap(), VersionWanted::Exactly("2.3~rc1".to_owned()));
        assert!([">=", "", "> 1", "1 2", "<= 3"].iter().all(|text| read(text).is_err()));
    }
}
