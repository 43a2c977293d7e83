//! The time servers that are configured: those of the build's network answer nobody elsewhere, and clocks drift.

use super::config::{ConfigLine, Kind};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    pattern::Pattern,
    probe::{Output, Probe},
};

/// The servers, each with the file that names it; none where a program has its own built in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeServers(pub Vec<TimeServer>);

/// A time server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeServer {
    /// Its name or address.
    pub name: String,
    /// The file.
    pub file: String,
}

impl Fact for TimeServers {
    const ID: &'static str = "network.time-servers";

    fn probes() -> Vec<Probe> {
        vec![ConfigLine::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let mut servers = Vec::new();
        for ConfigLine { file, line } in ConfigLine::read(&out[0], Kind::Time)? {
            let mut words = line.split(['=', ' ', '\t']).filter(|word| !word.is_empty());
            let names: Vec<_> = match words.next() {
                // systemd takes several, and an empty value that takes back those before.
                Some("NTP" | "FallbackNTP") => words.collect(),
                // chrony, ntpd and openntpd take one, and options after it.
                Some("peer" | "pool" | "server" | "servers") => words.take(1).collect(),
                _ => Vec::new(),
            };
            servers.extend(names.into_iter().map(|name| TimeServer { name: name.to_owned(), file: file.clone() }));
        }
        Ok(Self(servers))
    }
}

/// No time server is configured but those expected.
pub struct TimeServersExpected;

impl Check for TimeServersExpected {
    type Fact = TimeServers;
    type Want = Vec<Pattern>;

    fn about(&self) -> &About {
        &About {
            id: "network.time-servers-expected",
            demand: "timesyncd, chrony, ntpd and networkd are told of no time server but the expected ones",
            remedy: "take the build's servers out of the file that is named; the network or the platform brings its own",
            key: "network.time_servers",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<Pattern>> {
        image.network.time_servers.clone()
    }

    fn judge(&self, got: &TimeServers, want: &Vec<Pattern>) -> Verdict {
        let stray = got.0.iter().filter(|server| !want.iter().any(|one| one.matches(&server.name)));
        let stray: Vec<_> = stray.map(|server| format!("{} in {}", server.name, server.file)).collect();
        let wanted: Vec<_> = want.iter().map(Pattern::to_string).collect();
        let wanted =
            if wanted.is_empty() { "no time server".to_owned() } else { format!("only {}", wanted.join(", ")) };
        let words = if stray.is_empty() { format!("{} servers, all expected", got.0.len()) } else { stray.join(", ") };
        Verdict::of(stray.is_empty(), wanted, words)
    }
}

#[cfg(test)]
mod tests {
    use super::{Fact, TimeServers};
    use crate::probe::{Exit, Output};

    #[test]
    fn servers_are_read_in_every_dialect() {
        let stdout = "time\t/etc/systemd/timesyncd.conf\tNTP=a.example b.example\n\
                      time\t/etc/systemd/timesyncd.conf\tFallbackNTP=\n\
                      time\t/etc/chrony.conf\tpool 2.pool.ntp.org iburst maxsources 4\n\
                      time\t/etc/openntpd/ntpd.conf\tservers c.example\n\
                      pin\t/etc/netplan/x.yaml\t- 10.0.0.1\nend\n";
        let (stdout, stderr, took) = (stdout.to_owned(), String::new(), std::time::Duration::ZERO);
        let got = TimeServers::parse(&[Output { exit: Exit::Code(0), stdout, stderr, truncated: false, took }]);
        let names: Vec<_> = got.unwrap().0.into_iter().map(|server| server.name).collect();
        assert_eq!(names, ["a.example", "b.example", "2.pool.ntp.org", "c.example"]);
    }
}
