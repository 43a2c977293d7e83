//! Which of two kernel releases is the newer one.

use std::cmp::Ordering;

/// Names of machines that hold numbers which are not of the version.
const MACHINES: [&str; 8] = ["x86_64", "amd64", "aarch64", "arm64", "i386", "i686", "armv7hl", "ppc64le"];

/// Compares the numbers of two releases in their order; flavours such as `cloud` or `generic` do not count.
///
/// What is missing counts as 0, and a release candidate comes before what it is a candidate for.
pub(super) fn newer(one: &str, other: &str) -> Ordering {
    let (one, other) = (numbers(one), numbers(other));
    let at = |numbers: &[i64], place| numbers.get(place).copied().unwrap_or(0);
    let places = 0..one.len().max(other.len());
    places.map(|place| at(&one, place).cmp(&at(&other, place))).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn numbers(release: &str) -> Vec<i64> {
    let plain = MACHINES.iter().fold(release.to_owned(), |release, machine| release.replace(machine, ""));
    let mut numbers = Vec::new();
    let mut rest = plain.as_str();
    while let Some(at) = rest.find(|letter: char| letter.is_ascii_digit()) {
        if rest[..at].ends_with("rc") {
            numbers.push(-1);
        }
        let end = rest[at..].find(|letter: char| !letter.is_ascii_digit()).map_or(rest.len(), |length| at + length);
        numbers.push(rest[at..end].parse().unwrap_or(i64::MAX));
        rest = &rest[end..];
    }
    numbers
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering::{Equal, Less};

    use super::newer;

    #[test]
    fn numbers_count_and_not_letters() {
        let order = [
            ("6.12.9+deb13-amd64", "6.12.48+deb13-amd64", Less),
            ("6.1.0-9-amd64", "6.1.0-41-amd64", Less),
            ("6.12.48+deb13-amd64", "6.12.48+deb13.1-amd64", Less),
            ("6.12.117+deb13-cloud-amd64", "6.12.117+deb13-amd64", Equal),
            ("6.13.0-rc7", "6.13.0", Less),
            ("6.13-rc7-amd64", "6.13.1-1-amd64", Less),
            ("5.14.0-503.9.1.el9_5.x86_64", "5.14.0-503.40.1.el9_5.x86_64", Less),
            ("6.8.0-49-generic", "6.8.0-49-lowlatency", Equal),
            ("6.9.1", "6.12", Less),
        ];
        for (one, other, is) in order {
            assert_eq!(newer(one, other), is, "{one} {other}");
            assert_eq!(newer(other, one), is.reverse(), "{other} {one}");
        }
    }
}
