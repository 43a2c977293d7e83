//! The network as the machine has it: addresses and routes, names, and what listens.

mod addressing;
mod dns;
mod listen_rule;
mod listeners;
mod resolver;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::AnyCheck;

pub use addressing::{Addressing, DefaultRoute, Interface, Naming};
pub use dns::Answers;
pub use listen_rule::{ListenRule, Transport};
pub use listeners::{Listener, Listeners};
pub use resolver::Resolver;

/// What is expected of the network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// Whether names have to be answered through the machine's own resolver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<bool>,
    /// How interfaces are named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface_names: Option<Naming>,
    /// All that may listen, each as `tcp|udp PORT [PROCESS] [loopback]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listeners: Option<Vec<ListenRule>>,
    /// Whether a resolver has to be configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolver: Option<bool>,
    /// What has to listen for SSH, as in `tcp 22 sshd`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sshd: Option<ListenRule>,
    /// Whether an interface has to have a global address and a default route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uplink: Option<bool>,
}

/// The checks of this topic, by ID.
pub static CHECKS: &[&dyn AnyCheck] = &[
    &dns::DnsAnswers,
    &listeners::ListenersExpected,
    &addressing::NamesAsExpected,
    &resolver::ResolverConfigured,
    &listeners::SshdListening,
    &addressing::UplinkUp,
];
