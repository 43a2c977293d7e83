//! /etc/hosts: the names every program counts on, and nothing of the machine that the image was made on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Names;
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    outcome::Verdict,
};

/// `localhost` is named for both families, and the hosts file holds no name or address that is not expected.
pub struct HostsAsExpected;

impl Check for HostsAsExpected {
    type Fact = Names;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "network.hosts-as-expected",
            demand: "/etc/hosts names localhost for IPv4 and IPv6, and beside the machine's own name none that is not expected",
            remedy: "take out of /etc/hosts what the build wrote there, and leave `127.0.0.1 localhost` and `::1 localhost`",
            key: "network.hosts",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        image.network.hosts.clone()
    }

    fn judge(&self, got: &Names, want: &Vec<String>) -> Verdict {
        let mut amiss = Vec::new();
        for loopback in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            let named = |line: &&super::HostsLine| {
                line.address == loopback && line.names.iter().any(|name| name == "localhost")
            };
            if !got.hosts.iter().any(|line| named(&line)) {
                amiss.push(format!("{loopback} is not localhost"));
            }
        }
        for line in &got.hosts {
            let stray = line.names.iter().filter(|name| !allowed(got, want, line.address, name));
            amiss.extend(stray.map(|name| format!("{} {name}", line.address)));
        }
        let names = if want.is_empty() { String::new() } else { format!(", {}", want.join(", ")) };
        let found = if amiss.is_empty() { "nothing else".to_owned() } else { amiss.join(", ") };
        Verdict::of(amiss.is_empty(), format_args!("localhost, the own name{names}"), found)
    }
}

/// Whether a name may stand at an address: expected names and the machine's own at one that is good in the machine or
/// on its link alone, and any that is expected with its address.
fn allowed(got: &Names, want: &[String], address: IpAddr, name: &str) -> bool {
    let near = match address {
        IpAddr::V4(v4) => v4.is_loopback(),
        IpAddr::V6(v6) => {
            v6.is_loopback() || v6.is_multicast() || v6.is_unicast_link_local() || v6.segments() == PREFIX
        }
    };
    let own = same(name, &got.own) || got.own.split_once('.').is_some_and(|(host, _)| same(name, host)) || {
        // The long form of a machine that calls itself by the short one.
        name.split_once('.').is_some_and(|(host, domain)| same(host, &got.own) && !domain.is_empty())
    };
    (near && (name == "localhost" || want.iter().any(|one| same(one, name))))
        || (own && (near || got.local.contains(&address)))
        || want.iter().any(|one| *one == format!("{address} {name}"))
}

/// What Debian calls ip6-localnet.
const PREFIX: [u16; 8] = [0xfe00, 0, 0, 0, 0, 0, 0, 0];

fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{Names, allowed};
    use crate::network::ResolvConf;

    #[test]
    fn a_name_is_allowed_where_it_leads_to_the_machine() {
        let got = Names {
            hosts: Vec::new(),
            lookup: None,
            resolv_conf: ResolvConf::None,
            own: "web.example.com".to_owned(),
            own_addresses: Vec::new(),
            local: vec!["192.0.2.5".parse().unwrap()],
        };
        let want = ["ip6-allnodes".to_owned(), "192.0.2.7 registry".to_owned()];
        let may = |address: &str, name: &str| allowed(&got, &want, address.parse::<IpAddr>().unwrap(), name);
        assert!(may("127.0.0.1", "localhost") && may("127.0.1.1", "web") && may("192.0.2.5", "WEB.example.com"));
        assert!(may("ff02::1", "ip6-allnodes") && may("192.0.2.7", "registry"));
        assert!(!may("192.0.2.6", "web") && !may("192.0.2.6", "localhost") && !may("127.0.0.1", "builder"));
        assert!(!may("192.0.2.8", "registry") && !may("192.0.2.6", "ip6-allnodes"));
    }
}
