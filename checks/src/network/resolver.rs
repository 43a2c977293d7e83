//! The resolver's configuration: which name servers programs ask, and whether a local one is there to be asked.
//!
//! resolved's stub in /etc/resolv.conf is only half the answer: its own servers stand in a file under /run.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    files::Files,
    outcome::Verdict,
    probe::{Output, Probe},
};

const RESOLV: &str = "/etc/resolv.conf";
const UPSTREAM: &str = "/run/systemd/resolve/resolv.conf";
const UDP: &str = "/proc/net/udp";
const UDP6: &str = "/proc/net/udp6";
/// The addresses that resolved's stub listens on.
const STUBS: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53)), IpAddr::V4(Ipv4Addr::new(127, 0, 0, 54))];
const DOMAIN_PORT: u16 = 53;

/// Who is asked for names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolver {
    /// The servers in /etc/resolv.conf; `None` where there is no such file.
    pub servers: Option<Vec<IpAddr>>,
    /// resolved's own servers; `None` where it is not in use.
    pub upstream: Option<Vec<IpAddr>>,
    /// The local addresses on which somebody holds UDP port 53.
    pub local: Vec<IpAddr>,
}

impl Fact for Resolver {
    const ID: &'static str = "network.resolver";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["grep", "-aH", "", RESOLV, UPSTREAM, UDP, UDP6])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let files = Files::parse(&out[0], &[RESOLV, UPSTREAM, UDP, UDP6])?;
        let udp = files.lines(UDP).filter(|lines| !lines.is_empty());
        let udp = udp.ok_or_else(|| Unreadable::new(format!("{UDP}: not there or empty")))?;
        let mut local = Vec::new();
        for row in udp.iter().chain(files.lines(UDP6).unwrap_or_default()).filter(|row| !row.contains("local_address"))
        {
            let (address, port) = bound(row).ok_or_else(|| Unreadable::new(format!("{UDP}: {row}")))?;
            if port == DOMAIN_PORT {
                local.push(address);
            }
        }
        let servers = |path: &str| files.lines(path).map(servers).transpose();
        Ok(Self { servers: servers(RESOLV)?, upstream: servers(UPSTREAM)?, local })
    }
}

fn servers(lines: &[String]) -> Result<Vec<IpAddr>, Unreadable> {
    let mut servers = Vec::new();
    for line in lines {
        let mut words = line.split_whitespace();
        if words.next() == Some("nameserver") {
            let address = words.next().map(|word| word.split('%').next().unwrap_or(word));
            let address = address.and_then(|address| address.parse().ok());
            servers.push(address.ok_or_else(|| Unreadable::new(format!("no address in `{line}`")))?);
        }
    }
    Ok(servers)
}

/// The local address and port of a row of /proc/net/udp or udp6.
fn bound(row: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = row.split_whitespace().nth(1)?.split_once(':')?;
    // The kernel prints each 32-bit word of the address as a number of this machine's byte order.
    let word = |at: usize| Some(u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?.to_le_bytes());
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let octets: [u8; 16] = words.concat().try_into().ok()?;
            IpAddr::V6(Ipv6Addr::from(octets))
        }
        _ => return None,
    };
    Some((address, u16::from_str_radix(port, 16).ok()?))
}

impl Resolver {
    /// What keeps `server` from being of use.
    fn trouble(&self, server: IpAddr) -> Option<&'static str> {
        let held = self.local.iter().any(|local| *local == server || local.is_unspecified());
        if server.is_loopback() && !held {
            return Some("nobody holds its port 53");
        }
        let upstream = self.upstream.as_deref().unwrap_or_default();
        (STUBS.contains(&server) && upstream.is_empty()).then_some("the stub has no name server to ask")
    }
}

/// A name server is configured, and where it is a local one, it is there and has somebody to ask.
pub struct ResolverConfigured;

impl Check for ResolverConfigured {
    type Fact = Resolver;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "network.resolver-configured",
            demand: "a name server is configured; a local one is running, and knows a server to ask",
            remedy: "link /etc/resolv.conf to /run/systemd/resolve/stub-resolv.conf and enable systemd-resolved, or leave the file to the DHCP client",
            key: "network.resolver",
            cost: Cost::Quick,
            needs: &[Need::Settled, Need::Dns],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.network.resolver == Some(true)).then_some(())
    }

    fn judge(&self, got: &Resolver, (): &()) -> Verdict {
        let want = "a name server that can be asked";
        let Some(servers) = &got.servers else {
            return Verdict::of(false, want, format_args!("no {RESOLV}, or a link to nothing"));
        };
        if servers.is_empty() {
            return Verdict::of(false, want, format_args!("no nameserver in {RESOLV}"));
        }
        let words: Vec<_> = servers
            .iter()
            .map(|server| match got.trouble(*server) {
                Some(trouble) => format!("{server}: {trouble}"),
                None => through(got, *server),
            })
            .collect();
        Verdict::of(servers.iter().any(|server| got.trouble(*server).is_none()), want, words.join(", "))
    }
}

fn through(resolver: &Resolver, server: IpAddr) -> String {
    let upstream = resolver.upstream.as_deref().filter(|_| STUBS.contains(&server)).unwrap_or_default();
    let upstream: Vec<_> = upstream.iter().map(IpAddr::to_string).collect();
    if upstream.is_empty() { server.to_string() } else { format!("{server} for {}", upstream.join(" ")) }
}
