//! Interfaces, by `ip -d -j addr`: what they are, whether they carry anything, and the addresses that are of use.

use std::{fmt, net::IpAddr};

use serde::Deserialize;

use crate::{
    fact::Unreadable,
    probe::{Output, Probe},
};

/// One interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Whether it is up and has a carrier.
    pub up: bool,
    /// Whether a device is behind it, rather than the kernel alone (a bridge, a tunnel, the loopback).
    pub hardware: bool,
    /// The longest packet that it takes, in bytes.
    pub mtu: u32,
    /// Its hardware address in lower case, as in `52:54:00:12:34:56`; empty where it has none.
    pub mac: String,
    /// Its usable addresses that are good beyond the link (scope global, or IPv6 site), as `ADDRESS/PREFIX`.
    pub global: Vec<String>,
    /// Its usable addresses, whatever their scope.
    pub addresses: Vec<IpAddr>,
}

#[derive(Deserialize)]
struct Link {
    ifname: String,
    flags: Vec<String>,
    mtu: u32,
    #[serde(rename = "link_type")]
    medium: String,
    #[serde(default)]
    address: String,
    linkinfo: Option<LinkInfo>,
    addr_info: Vec<Address>,
}

#[derive(Deserialize)]
struct LinkInfo {
    info_kind: Option<String>,
}

#[derive(Deserialize)]
struct Address {
    local: IpAddr,
    prefixlen: u8,
    scope: String,
    #[serde(default)]
    tentative: bool,
    #[serde(default)]
    dadfailed: bool,
    #[serde(default)]
    deprecated: bool,
}

impl Interface {
    pub(super) fn probe() -> Probe {
        Probe::root(["ip", "-d", "-j", "addr"])
    }

    /// Every interface, in the order of `ip addr`.
    pub(super) fn read(out: &Output) -> Result<Vec<Self>, Unreadable> {
        let links: Vec<Link> =
            serde_json::from_str(out.ok()?).map_err(|error| Unreadable::new(format!("ip addr: {error}")))?;
        if links.is_empty() {
            return Err(Unreadable::new("ip addr: no interface at all, not even the loopback"));
        }
        Ok(links.into_iter().map(Self::from).collect())
    }

    /// Whether it is a card that carries something.
    pub(super) fn uplink(&self) -> bool {
        self.hardware && self.up
    }

    /// Whether it has an IPv6 address that is good on the link.
    #[must_use]
    pub fn link_local(&self) -> bool {
        self.addresses.iter().any(|address| matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()))
    }
}

impl From<Link> for Interface {
    fn from(link: Link) -> Self {
        let flag = |name: &str| link.flags.iter().any(|flag| flag == name);
        let virtual_kind = link.linkinfo.as_ref().is_some_and(|info| info.info_kind.is_some());
        let usable = |address: &&Address| !address.tentative && !address.dadfailed && !address.deprecated;
        let beyond = |address: &&Address| matches!(address.scope.as_str(), "global" | "site");
        let usable: Vec<_> = link.addr_info.iter().filter(usable).collect();
        let global = usable.iter().copied().filter(beyond);
        Self {
            up: flag("UP") && flag("LOWER_UP"),
            hardware: link.medium == "ether" && !virtual_kind,
            mtu: link.mtu,
            global: global.map(|address| format!("{}/{}", address.local, address.prefixlen)).collect(),
            addresses: usable.iter().map(|address| address.local).collect(),
            mac: link.address.to_lowercase(),
            name: link.ifname,
        }
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.up { "up" } else { "down" };
        let addresses = if self.global.is_empty() { "no global address".to_owned() } else { self.global.join(" ") };
        write!(f, "{} {state}, {addresses}", self.name)
    }
}
