//! The clock: what it says, beside the times of files that were made before, and what it is read by.

use super::small_files;
use crate::{
    fact::{Fact, Unreadable},
    probe::{Output, Probe},
    traits::{Group, Traits},
};

/// The clock and its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Seconds since 1970.
    pub now: i64,
    /// The youngest file of the image's build, and when it was written.
    pub newest: (String, i64),
    /// Whether the hardware clock is said to run in local time.
    pub rtc_local: bool,
    /// What `/etc/localtime` points to below `zoneinfo`; nothing where there is no such file, which means UTC.
    pub zone: Option<String>,
    /// What `/etc/timezone` says, where there is one.
    pub named_zone: Option<String>,
}

const NOW: &str = "/proc/self/stat";
const LOCALTIME: &str = "/etc/localtime";

impl Clock {
    /// The time of the process's own folder is now; then what says how old the build is: a database of packages, the
    /// image's own note, the release.
    fn probe() -> Probe {
        Probe::root([
            "stat",
            "-c",
            "%Y %N",
            NOW,
            LOCALTIME,
            "/etc/kldload/image-metadata.json",
            "/usr/lib/os-release",
            "/var/lib/dpkg/status",
            "/lib/apk/db/installed",
            "/usr/lib/sysimage/rpm/rpmdb.sqlite",
            "/var/lib/rpm/rpmdb.sqlite",
            "/var/lib/pacman/local",
        ])
    }
}

impl Fact for Clock {
    const ID: &'static str = "boot.clock";
    const GROUPS: &'static [Group] = &[Group::System];

    fn probes() -> Vec<Probe> {
        vec![small_files::probe(), Self::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let files = small_files::read(&out[0])?;
        let adjtime = files.lines(small_files::ADJTIME).unwrap_or_default();
        let rtc_local = match adjtime.get(2).map(|line| line.trim()) {
            None | Some("UTC") => false,
            Some("LOCAL") => true,
            Some(other) => return Err(Unreadable::new(format!("{}: {other}", small_files::ADJTIME))),
        };
        let named_zone = files.lines(small_files::TIMEZONE).and_then(<[String]>::first);
        let (mut now, mut newest, mut zone) = (None, None::<(String, i64)>, None);
        for line in stated(&out[1])?.lines() {
            let (time, path, target) = entry(line)?;
            match path {
                NOW => now = Some(time),
                LOCALTIME => zone = Some(zone_of(target)),
                _ if newest.as_ref().is_none_or(|(_, newest)| time > *newest) => newest = Some((path.to_owned(), time)),
                _ => {}
            }
        }
        Ok(Self {
            now: now.ok_or_else(|| Unreadable::new("stat says no time of now"))?,
            newest: newest.ok_or_else(|| Unreadable::new("stat found no file that says when the image was built"))?,
            rtc_local,
            zone,
            named_zone: named_zone.map(|zone| zone.trim().to_owned()),
        })
    }

    fn tell(&self, traits: &mut Traits) {
        if let Some(zone) = &self.zone {
            traits.put(Group::System, "time zone", zone);
        }
        traits.put(Group::System, "hardware clock", if self.rtc_local { "local time" } else { "UTC" });
    }
}

/// What stat says of those files that are there.
fn stated(out: &Output) -> Result<&str, Unreadable> {
    let missing = |line: &str| line.starts_with("stat: ") && line.ends_with(": No such file or directory");
    match out.stderr.lines().find(|line| !line.trim().is_empty() && !missing(line)) {
        Some(line) => Err(Unreadable::new(line.trim())),
        None => out.whole(),
    }
}

/// `seconds 'path'` or `seconds 'path' -> 'target'`; the quotes are not everybody's.
fn entry(line: &str) -> Result<(i64, &str, Option<&str>), Unreadable> {
    let unreadable = || Unreadable::new(format!("not a line of stat: {line}"));
    let (time, rest) = line.split_once(' ').ok_or_else(unreadable)?;
    let time = time.parse().map_err(|_| unreadable())?;
    let (path, target) = match rest.split_once(" -> ") {
        Some((path, target)) => (path, Some(target)),
        None => (rest, None),
    };
    Ok((time, bare(path), target.map(bare)))
}

fn bare(word: &str) -> &str {
    word.strip_prefix(['\'', '`']).and_then(|rest| rest.strip_suffix('\'')).unwrap_or(word)
}

fn zone_of(target: Option<&str>) -> String {
    match target {
        None => "a file that does not say".to_owned(),
        Some(path) => path.split_once("/zoneinfo/").map_or(path, |(_, zone)| zone).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::entry;

    #[test]
    fn stat_quotes_and_busybox_does_not() {
        let link = "1763000000 '/etc/localtime' -> '/usr/share/zoneinfo/Etc/UTC'";
        assert_eq!(entry(link), Ok((1_763_000_000, "/etc/localtime", Some("/usr/share/zoneinfo/Etc/UTC"))));
        let bare = "1763000000 /etc/localtime -> /usr/share/zoneinfo/UTC";
        assert_eq!(entry(bare), Ok((1_763_000_000, "/etc/localtime", Some("/usr/share/zoneinfo/UTC"))));
        assert_eq!(entry("-5 '/usr/lib/os-release'"), Ok((-5, "/usr/lib/os-release", None)));
        assert!(entry("now '/x'").is_err() && entry("17").is_err());
    }
}
