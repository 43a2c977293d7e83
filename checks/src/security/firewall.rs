//! The firewall: whether a stranger's packet is dropped unless a rule says otherwise, and whether SSH gets in.
//!
//! A policy alone tells nothing: firewalld accepts by policy and rejects by its last rule, Docker drops by policy but
//! on the forward hook. So packets are walked through the chains of the input hook.

mod condition;
mod reader;
mod rule;
mod ruleset;
mod token;
mod walk;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

use condition::Packet;
use walk::{Fate, Input};

/// What becomes of packets that come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firewall {
    input: Input,
    strangers: Vec<(Packet, Fate)>,
}

/// What is expected of the firewall.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FirewallWanted {
    /// Whether what no rule lets in has to be dropped or rejected, over IPv4 and IPv6.
    #[serde(default)]
    pub drops: bool,
    /// The TCP port by which SSH has to be let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh: Option<u16>,
    /// Interfaces that need not be closed: inner bridges and tunnels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted: Vec<String>,
}

impl Fact for Firewall {
    const ID: &'static str = "security.firewall";

    fn probes() -> Vec<Probe> {
        // Blocklists are long. Counters would make each evidence differ from the one before.
        vec![Probe::root(["nft", "-s", "list", "ruleset"]).bound(4 * 1024 * 1024)]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let input = Input::read(&ruleset::tables(out[0].ok()?)?)?;
        let interfaces = input.interfaces().into_iter().map(Some).chain([None]);
        let mut strangers = Vec::new();
        for interface in interfaces {
            for (v6, protocol) in [(false, "tcp"), (false, "udp"), (true, "tcp"), (true, "udp")] {
                let packet = Packet { v6, protocol, port: None, interface: interface.clone() };
                let fate = input.fate(&packet, false);
                if let Fate::Unknown(by) = fate {
                    return Err(Unreadable::new(format!("nft does not show what decides: {by}")));
                }
                strangers.push((packet, fate));
            }
        }
        Ok(Self { input, strangers })
    }
}

/// What no rule lets in is dropped.
pub struct FirewallDrops;

impl Check for FirewallDrops {
    type Fact = Firewall;
    type Want = FirewallWanted;

    fn about(&self) -> &About {
        &About {
            id: "security.firewall-drops",
            demand: "a packet from outside that no rule is about is dropped or rejected, over IPv4 and IPv6",
            remedy: "give the chain at the input hook `policy drop` in /etc/nftables.conf, family inet, and enable nftables.service",
            key: "security.firewall",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<FirewallWanted> {
        image.security.firewall.clone().filter(|firewall| firewall.drops)
    }

    fn judge(&self, got: &Firewall, want: &FirewallWanted) -> Verdict {
        let trusted = |packet: &Packet| packet.interface.as_ref().is_some_and(|name| want.trusted.contains(name));
        let outside = got.strangers.iter().filter(|(packet, _)| !trusted(packet));
        let mut holes: Vec<String> = Vec::new();
        let mut by = Vec::new();
        for (packet, fate) in outside {
            match fate {
                Fate::Accepted(rule) | Fate::Unknown(rule) => {
                    let family = if packet.v6 { "ipv6" } else { "ipv4" };
                    let on = packet.interface.as_ref().map_or_else(String::new, |name| format!(" on {name}"));
                    holes.push(format!("{family} {}{on} let in: {rule}", packet.protocol));
                }
                Fate::Dropped(rule) if !by.contains(rule) => by.push(rule.clone()),
                Fate::Dropped(_) => {}
            }
        }
        let words = match holes.as_slice() {
            [] => format!("dropped: {}", by.join(", ")),
            [hole] => hole.clone(),
            [hole, more @ ..] => format!("{hole}, and {} more like it", more.len()),
        };
        Verdict::of(holes.is_empty(), "dropped unless a rule lets it in", words)
    }
}

/// SSH is let in.
pub struct FirewallLetsSshIn;

impl Check for FirewallLetsSshIn {
    type Fact = Firewall;
    type Want = u16;

    fn about(&self) -> &About {
        &About {
            id: "security.firewall-lets-ssh-in",
            demand: "a new SSH connection from some network outside is let in",
            remedy: "add `tcp dport 22 accept` to the chain at the input hook",
            key: "security.firewall",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<u16> {
        image.security.firewall.as_ref().and_then(|firewall| firewall.ssh)
    }

    fn judge(&self, got: &Firewall, want: &u16) -> Verdict {
        let interfaces = [None].into_iter().chain(got.input.interfaces().into_iter().map(Some));
        let packets = interfaces.flat_map(|interface| {
            [false, true].map(|v6| Packet { v6, protocol: "tcp", port: Some(*want), interface: interface.clone() })
        });
        let fates: Vec<_> = packets.map(|packet| got.input.fate(&packet, true)).collect();
        let let_in = fates.iter().find(|fate| matches!(fate, Fate::Accepted(_)));
        let words = match let_in.or(fates.first()) {
            Some(Fate::Accepted(by)) => format!("let in: {by}"),
            Some(Fate::Dropped(by) | Fate::Unknown(by)) => format!("dropped: {by}"),
            None => "no way in".to_owned(),
        };
        Verdict::of(let_in.is_some(), format_args!("tcp {want} let in"), words)
    }
}
