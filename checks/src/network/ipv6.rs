//! IPv6: whether the kernel speaks it on the cards, and whether it got as far as an address of its own.

use std::net::IpAddr;

use toml::Value;

use super::{Interface, Settings};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// What the cards have of IPv6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ipv6 {
    /// In the order of `ip addr`.
    pub interfaces: Vec<Interface>,
    /// The kernel's settings.
    pub settings: Settings,
}

impl Fact for Ipv6 {
    const ID: &'static str = "network.ipv6";

    fn probes() -> Vec<Probe> {
        vec![Interface::probe(), Settings::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        Ok(Self { interfaces: Interface::read(&out[0])?, settings: Settings::read(&out[1])? })
    }
}

impl Ipv6 {
    /// Whether IPv6 is switched off for an interface, or for `all` or `default`; a kernel without IPv6 has it nowhere.
    fn off(&self, interface: &str) -> bool {
        self.settings.get(&format!("net.ipv6.conf.{interface}.disable_ipv6")).is_none_or(|value| value == "1")
    }

    /// What keeps it from being on.
    fn not_on(&self) -> Vec<String> {
        let mut amiss: Vec<_> = ["all", "default"].into_iter().filter(|whose| self.off(whose)).map(off_for).collect();
        let cards: Vec<_> = self.interfaces.iter().filter(|card| card.uplink()).collect();
        if cards.is_empty() {
            amiss.push("no card is up".to_owned());
        }
        for card in cards {
            if self.off(&card.name) {
                amiss.push(off_for(&card.name));
            } else if !card.link_local() {
                amiss.push(format!("no link-local address on {}", card.name));
            }
        }
        amiss
    }

    /// What keeps it from being off.
    fn not_off(&self) -> Vec<String> {
        let names = self.interfaces.iter().map(|interface| interface.name.as_str());
        let on = ["all", "default"].into_iter().chain(names.filter(|name| *name != "lo"));
        let mut amiss: Vec<_> = on.filter(|name| !self.off(name)).map(|name| format!("on for {name}")).collect();
        for interface in &self.interfaces {
            let held = interface.addresses.iter().find(|address| matches!(address, IpAddr::V6(_)));
            amiss.extend(held.map(|address| format!("{address} on {}", interface.name)));
        }
        amiss
    }
}

fn off_for(whose: &str) -> String {
    format!("off for {whose}")
}

/// IPv6 is on or off, as expected.
pub struct Ipv6AsExpected;

impl Check for Ipv6AsExpected {
    type Fact = Ipv6;
    type Want = bool;

    fn about(&self) -> &About {
        &About {
            id: "network.ipv6-as-expected",
            demand: "IPv6 is on, with a link-local address on every card that is up, or it is off everywhere: as expected",
            remedy: "on: take disable_ipv6 and `LinkLocalAddressing=no` out of the configuration; \
                     off: set net.ipv6.conf.all.disable_ipv6 and …default.disable_ipv6 in /etc/sysctl.d",
            key: "network.ipv6",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<bool> {
        image.network.ipv6
    }

    fn judge(&self, got: &Ipv6, want: &bool) -> Verdict {
        let (amiss, words, holds) = if *want {
            (got.not_on(), "IPv6 on, and a link-local address", "on, with a link-local address")
        } else {
            (got.not_off(), "IPv6 off everywhere", "off everywhere")
        };
        let found = if amiss.is_empty() { holds.to_owned() } else { amiss.join(", ") };
        Verdict::of(amiss.is_empty(), words, found)
    }

    fn observed(&self, got: &Ipv6) -> Option<Value> {
        match (got.not_on().is_empty(), got.not_off().is_empty()) {
            (true, _) => Some(true.into()),
            (_, true) => Some(false.into()),
            _ => None,
        }
    }
}
