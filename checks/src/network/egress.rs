//! What a machine wanted of the world beyond its own network, while the lab around it watched.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::LAB_NAME;
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    lists::{allows, some},
    outcome::Verdict,
    probe::{MachineAspect, Output, Probe},
};

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EgressRecord {
    /// For how long the machine was watched, in seconds since it was switched on.
    pub seconds: f64,
    /// The names that it asked for, in the order in which it did.
    pub names: Vec<AskedName>,
    /// The addresses beyond its own network that it sent something to.
    pub tried: Vec<TriedAddress>,
    /// How often something was seen that was not kept, since there was too much.
    pub lost: u64,
}

/// A name that was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AskedName {
    /// The name, in lower case.
    pub name: String,
    /// The types of records, as in `AAAA`.
    pub kinds: Vec<String>,
    /// How often.
    pub times: u64,
    /// When first, in seconds since the machine was switched on.
    pub first: f64,
}

/// An address that something was sent to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TriedAddress {
    /// `tcp`, `udp`, `icmp`, or the protocol's number.
    pub protocol: String,
    /// The address.
    pub address: IpAddr,
    /// The port, where the protocol has ports.
    pub port: Option<u16>,
    /// The name that the lab gave this address for.
    pub name: Option<String>,
    /// How many packets.
    pub times: u64,
    /// When first, in seconds since the machine was switched on.
    pub first: f64,
}

impl Fact for EgressRecord {
    const ID: &'static str = "network.egress";

    fn probes() -> Vec<Probe> {
        vec![Probe::machine(MachineAspect::Egress)]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        serde_json::from_str(out[0].ok()?)
            .map_err(|error| Unreadable::new(format!("the record of the network: {error}")))
    }
}

/// Nothing is wanted of the world but what is allowed.
pub struct Egress;

impl Check for Egress {
    type Fact = EgressRecord;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "network.egress",
            demand: "no name is asked for and no address is tried but those that the image is meant to",
            remedy: "find what sends it (the name and the port tell; `ss -tunp`, `journalctl -b`), and disable or remove \
                     it; what the image is meant to reach is allowed as \"name-or-address\" or \"name-or-address \
                     protocol/port\"",
            key: "network.egress",
            cost: Cost::Quick,
            needs: &[Need::Settled, Need::Watched],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        image.network.egress.clone()
    }

    fn judge(&self, got: &EgressRecord, want: &Vec<String>) -> Verdict {
        let names = got.names.iter().filter(|asked| asked.name != LAB_NAME && !may_be_asked(want, &asked.name));
        let names = names.map(|asked| format!("asks for {} after {} s", asked.name, asked.first));
        let tried = got.tried.iter().filter(|tried| !may_be_tried(want, tried));
        let tried = tried.map(|tried| format!("sends to {} after {} s", tried.words(), tried.first));
        let mut strays: Vec<String> = names.chain(tried).collect();
        if got.lost > 0 {
            strays.push(format!("{} more that were not kept", got.lost));
        }
        let allowed = if want.is_empty() { "nothing".to_owned() } else { format!("nothing but {}", want.join(", ")) };
        let seconds = got.seconds.round();
        let words = some(&strays, "nothing else");
        Verdict::of(strays.is_empty(), allowed, format_args!("within {seconds} s: {words}"))
    }
}

impl TriedAddress {
    /// As in `198.18.0.3 (0.pool.ntp.org) udp/123`.
    fn words(&self) -> String {
        let name = self.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        format!("{}{name} {}", self.address, self.service())
    }

    /// As in `udp/123`.
    fn service(&self) -> String {
        self.port.map_or_else(|| self.protocol.clone(), |port| format!("{}/{port}", self.protocol))
    }
}

fn may_be_asked(want: &[String], name: &str) -> bool {
    want.iter().any(|allowed| allows(&[host(allowed)], name))
}

fn may_be_tried(want: &[String], tried: &TriedAddress) -> bool {
    let (service, address) = (tried.service(), tried.address.to_string());
    want.iter().any(|allowed| {
        let host = [host(allowed)];
        let reached = allows(&host, &address) || tried.name.as_deref().is_some_and(|name| allows(&host, name));
        reached && allowed.split_whitespace().nth(1).is_none_or(|only| only == service)
    })
}

/// The name or address of what is allowed; `*` is any part of it.
fn host(allowed: &str) -> String {
    allowed.split_whitespace().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{AskedName, Egress, EgressRecord, LAB_NAME, TriedAddress};
    use crate::check::Check;

    fn asked(name: &str) -> AskedName {
        AskedName { name: name.to_owned(), kinds: vec!["A".to_owned()], times: 1, first: 20.5 }
    }

    fn tried(name: Option<&str>, protocol: &str, port: Option<u16>) -> TriedAddress {
        let (protocol, name) = (protocol.to_owned(), name.map(str::to_owned));
        TriedAddress { protocol, address: IpAddr::from([198, 18, 0, 1]), port, name, times: 2, first: 21.0 }
    }

    fn fails(record: &EgressRecord, want: &[&str]) -> Option<String> {
        let want: Vec<String> = want.iter().map(|allowed| (*allowed).to_owned()).collect();
        let verdict = Egress.judge(record, &want);
        (!verdict.holds).then_some(verdict.got)
    }

    #[test]
    fn the_name_that_kverify_asks_for_itself_is_not_the_images() {
        let record = EgressRecord { names: vec![asked(LAB_NAME)], seconds: 60.0, ..EgressRecord::default() };
        assert_eq!(fails(&record, &[]), None);
    }

    #[test]
    fn a_name_may_be_allowed_with_its_service() {
        let name = "0.debian.pool.ntp.org";
        let record = |protocol, port| EgressRecord {
            names: vec![asked(name)],
            tried: vec![tried(Some(name), protocol, port)],
            ..EgressRecord::default()
        };
        let want = ["*.debian.pool.ntp.org udp/123"];
        assert_eq!(fails(&record("udp", Some(123)), &want), None);
        let other = fails(&record("tcp", Some(443)), &want).unwrap();
        assert!(other.contains("sends to 198.18.0.1 (0.debian.pool.ntp.org) tcp/443 after 21 s"), "{other}");
        assert!(fails(&record("udp", Some(123)), &["198.18.0.1"]).unwrap().contains("asks for 0.debian"));
        assert_eq!(fails(&record("icmp", None), &["*"]), None);
    }

    #[test]
    fn a_beacon_is_named() {
        let record = EgressRecord { names: vec![asked("telemetry.example")], ..EgressRecord::default() };
        assert!(fails(&record, &[]).unwrap().contains("asks for telemetry.example after 20.5 s"));
        assert!(fails(&EgressRecord { lost: 3, ..EgressRecord::default() }, &[]).unwrap().contains("3 more"));
    }
}
