//! The network as the machine has it: addresses and routes, names, and what listens.

mod addressing;
mod card;
mod config;
mod dns;
mod egress;
mod hosts_file;
mod interface;
mod ipv6;
mod listen_rule;
mod listeners;
mod manager;
mod mtu;
mod name_lookup;
mod names;
mod other_sockets;
mod own_name;
mod pins;
mod proxies;
mod resolver;
mod settings;
mod time_servers;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AnyCheck, pattern::Pattern};

pub use addressing::{Addressing, DefaultRoute, Naming};
pub use config::ConfigLine;
pub use dns::{Answers, LAB_NAME};
pub use egress::{AskedName, EgressRecord, TriedAddress};
pub use interface::Interface;
pub use ipv6::Ipv6;
pub use listen_rule::{ListenRule, Transport};
pub use listeners::{Listener, Listeners};
pub use manager::{Manager, Managers};
pub use names::{HostsLine, Names, ResolvConf};
pub use other_sockets::{OtherSocket, OtherSockets};
pub use pins::{Pin, Pins};
pub use proxies::Proxies;
pub use resolver::Resolver;
pub use settings::Settings;
pub use time_servers::{TimeServer, TimeServers};

/// What is expected of the network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// Whether names have to be answered through the machine's own resolver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<bool>,
    /// All that may be wanted of the world: each as `NAME` or `ADDRESS`, with `*` for any part, and `tcp/PORT`,
    /// `udp/PORT` or `icmp` behind it where only that is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub egress: Option<Vec<String>>,
    /// Names that /etc/hosts may have beside `localhost` and the machine's own: each as `NAME`, at a loopback, link-local
    /// or multicast address, or as `ADDRESS NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Vec<String>>,
    /// How interfaces are named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface_names: Option<Naming>,
    /// Whether IPv6 is on, with a link-local address on every card that is up, or off everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<bool>,
    /// All that may listen, each as `tcp|udp PORT [PROCESS] [loopback]`, or `udp ephemeral PROCESS` for a client that may
    /// wait for answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listeners: Option<Vec<ListenRule>>,
    /// Where nsswitch.conf looks up hosts, as in `files dns`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookup: Option<String>,
    /// The one program that manages the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manager: Option<Manager>,
    /// The longest packet that a card takes, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// All that may hold a socket of another kind, each as `packet PROCESS`, `raw PROCESS`, `sctp PORT PROCESS` or
    /// `vsock PORT PROCESS`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_sockets: Option<Vec<String>>,
    /// Whether the machine's own name has to come to the machine itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_name: Option<bool>,
    /// Lines, as in `FILE: LINE`, of network configuration and udev rules that may name a card that the machine has, or a
    /// fixed address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pins: Option<Vec<Pattern>>,
    /// Lines, as in `FILE: LINE`, that may make a program use a proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxies: Option<Vec<Pattern>>,
    /// The absolute path that /etc/resolv.conf is a link to, or `file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolv_conf: Option<String>,
    /// Whether a resolver has to be configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolver: Option<bool>,
    /// Settings of the kernel with their values, as in `net.ipv4.ip_forward`; `*` for the interface, as in
    /// `net.ipv4.conf.*.rp_filter`, is what is in effect on each but the loopback.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// What has to listen for SSH, as in `tcp 22 sshd`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sshd: Option<ListenRule>,
    /// Names or addresses of time servers that may be configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_servers: Option<Vec<Pattern>>,
    /// Whether an interface has to have a global address and a default route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uplink: Option<bool>,
}

/// The checks of this topic, by ID.
pub static CHECKS: &[&dyn AnyCheck] = &[
    &dns::DnsAnswers,
    &egress::Egress,
    &hosts_file::HostsAsExpected,
    &ipv6::Ipv6AsExpected,
    &listeners::ListenersExpected,
    &name_lookup::LookupAsExpected,
    &mtu::MtuAsExpected,
    &addressing::NamesAsExpected,
    &manager::OneManager,
    &other_sockets::OtherSocketsExpected,
    &own_name::OwnNameResolves,
    &pins::PinsExpected,
    &proxies::ProxiesExpected,
    &name_lookup::ResolvConfAsExpected,
    &resolver::ResolverConfigured,
    &settings::SettingsAsExpected,
    &listeners::SshdListening,
    &time_servers::TimeServersExpected,
    &addressing::UplinkUp,
];
