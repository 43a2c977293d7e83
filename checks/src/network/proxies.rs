//! Proxies that are configured: one of the build's network leaves the machine without package sources elsewhere.

use super::config::{ConfigLine, Kind};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    pattern::Pattern,
    probe::{Output, Probe},
};

/// The lines that make some program use a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxies(pub Vec<ConfigLine>);

impl Fact for Proxies {
    const ID: &'static str = "network.proxies";

    fn probes() -> Vec<Probe> {
        vec![ConfigLine::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let lines = ConfigLine::read(&out[0], Kind::Proxy)?;
        Ok(Self(lines.into_iter().filter(|line| names_a_proxy(&line.line)).collect()))
    }
}

/// Whether a line gives a proxy an address, in the dialect of shells, systemd, apt, dnf, pip, npm, Docker or YAML.
fn names_a_proxy(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    lower.match_indices("proxy").any(|(at, word)| {
        let before = &lower[..at];
        let stem = before.rsplit(|sign: char| !(sign.is_ascii_alphanumeric() || "_-.:".contains(sign))).next();
        let stem = stem.unwrap_or_default();
        let sign = before[..before.len() - stem.len()].chars().next_back();
        if stem.ends_with("no")
            || stem.ends_with("no_")
            || stem.ends_with("no-")
            || matches!(sign, Some('$' | '{' | '/' | '@'))
        {
            return false;
        }
        value_of(&lower[at + word.len()..]).is_some_and(|value| value.contains(['.', ':', '/']))
    })
}

/// The value that follows a key, of which `rest` is what comes after `proxy`.
fn value_of(rest: &str) -> Option<&str> {
    let endings = ["_hostname", "_server", "_url", "-auto-detect"];
    let rest = endings.iter().find_map(|ending| rest.strip_prefix(ending)).unwrap_or(rest);
    // apt has proxies for one host: `Acquire::http::Proxy::HOST "…";`.
    let rest = rest.strip_prefix("::").map_or(rest, |host| host.trim_start_matches(|sign: char| !sign.is_whitespace()));
    let rest = rest.strip_prefix(['"', '\'']).unwrap_or(rest);
    let value = rest.trim_start();
    let marked = value.strip_prefix(['=', ':']);
    if marked.is_none() && value.len() == rest.len() {
        return None;
    }
    let value = marked.unwrap_or(value).trim_start().trim_start_matches(['"', '\'', '[']);
    value.split(|sign: char| sign.is_whitespace() || "\"',;}]".contains(sign)).next().filter(|value| !value.is_empty())
}

/// No program is told to use a proxy but those expected.
pub struct ProxiesExpected;

impl Check for ProxiesExpected {
    type Fact = Proxies;
    type Want = Vec<Pattern>;

    fn about(&self) -> &About {
        &About {
            id: "network.proxies-expected",
            demand: "no proxy is configured for shells, services or package managers, but what is expected",
            remedy: "give the build's proxy to the build alone (its environment), and take it out of the file that is named",
            key: "network.proxies",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<Pattern>> {
        image.network.proxies.clone()
    }

    fn judge(&self, got: &Proxies, want: &Vec<Pattern>) -> Verdict {
        verdict(&got.0, want, "proxy")
    }
}

/// Lines that may be there are those that a pattern matches, as in `FILE: LINE`.
pub(super) fn verdict(found: &[ConfigLine], want: &[Pattern], what: &str) -> Verdict {
    let stray = found.iter().map(ToString::to_string).filter(|line| !want.iter().any(|one| one.matches(line)));
    let stray: Vec<_> = stray.collect();
    let but: Vec<_> = want.iter().map(Pattern::to_string).collect();
    let wanted = if but.is_empty() { format!("no {what}") } else { format!("no {what} but {}", but.join(", ")) };
    let words = if stray.is_empty() { "none".to_owned() } else { stray.join("; ") };
    Verdict::of(stray.is_empty(), wanted, words)
}

#[cfg(test)]
mod tests {
    use super::names_a_proxy;

    #[test]
    fn a_proxy_is_known_in_every_dialect() {
        for line in [
            "http_proxy=http://10.0.0.1:3128",
            "export HTTPS_PROXY=\"http://cache:3128/\"",
            "DefaultEnvironment=\"A=b\" \"http_proxy=http://cache:3128\"",
            "Environment=\"ALL_PROXY=socks5://127.0.0.1:1080\" \"NO_PROXY=localhost\"",
            "Acquire::http::Proxy \"http://cache:3142\";",
            "Acquire { http { Proxy \"http://cache:3142\"; } }",
            "Acquire::http::Proxy::deb.debian.org \"http://cache:3142\";",
            "Acquire::http::Proxy-Auto-Detect \"/usr/local/bin/find-cache\";",
            "proxy=http://cache:3128",
            "proxy = cache.example.com:3128",
            "https_proxy = http://proxy.example.com:18023/",
            "\"httpProxy\": \"http://cache:3128\",",
            "proxy: http://cache:3142",
            "http_proxy DEFAULT=http://cache:3128",
            "proxy_hostname = cache.example.com",
        ] {
            assert!(names_a_proxy(line), "{line}");
        }
    }

    #[test]
    fn what_only_speaks_of_proxies_is_none() {
        for line in [
            "no_proxy=localhost,127.0.0.1,.example.com",
            "NO_PROXY=10.0.0.0/8",
            "Environment=NO_PROXY=10.0.0.0/8",
            "use_proxy = on",
            "proxy_hostname =",
            "proxy_scheme = http",
            "Acquire::http::Proxy \"DIRECT\";",
            "proxy=_none_",
            "unset http_proxy https_proxy",
            "if [ -n \"$http_proxy\" ]; then",
            "echo \"${https_proxy:-none.}\"",
            "baseurl=http://proxy:8081/repository/",
            "export http_proxy",
            "http_proxy=",
        ] {
            assert!(!names_a_proxy(line), "{line}");
        }
    }
}
