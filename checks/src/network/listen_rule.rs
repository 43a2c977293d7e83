//! How an expectation writes what may listen: `tcp|udp|sctp|vsock PORT [PROCESS] [loopback]`, or `packet|raw PROCESS`.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::Listener;

/// What a socket listens by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Packets as they come from the card, below any firewall; it has no ports.
    Packet,
    /// Packets of an IP protocol, past the kernel's own handling of it; it has no ports.
    Raw,
    /// SCTP.
    Sctp,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// The channel between a virtual machine and its host, of which no firewall knows.
    Vsock,
}

impl Transport {
    /// Whether it has ports.
    #[must_use]
    pub fn has_ports(self) -> bool {
        !matches!(self, Self::Packet | Self::Raw)
    }
}

/// One line of what may listen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ListenRule {
    /// The protocol.
    pub transport: Transport,
    /// The port; 0 where the transport has none.
    pub port: u32,
    /// The name of the process, as the kernel cuts it to 15 bytes; `None` for any.
    pub process: Option<String>,
    /// Whether only on a loopback address.
    pub loopback: bool,
}

/// Why a line of what may listen could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither `tcp|udp|sctp|vsock PORT [PROCESS] [loopback]` nor `packet|raw PROCESS`")]
pub struct ListenRuleError(String);

impl ListenRule {
    /// Whether it allows `listener`.
    #[must_use]
    pub fn allows(&self, listener: &Listener) -> bool {
        self.transport == listener.transport
            && (!self.transport.has_ports() || self.port == listener.port)
            && self.process.as_ref().is_none_or(|process| listener.processes.contains(process))
            && (!self.loopback || listener.loopback())
    }
}

impl FromStr for Transport {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "packet" => Ok(Self::Packet),
            "raw" => Ok(Self::Raw),
            "sctp" => Ok(Self::Sctp),
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            "vsock" => Ok(Self::Vsock),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Packet => "packet",
            Self::Raw => "raw",
            Self::Sctp => "sctp",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Vsock => "vsock",
        })
    }
}

impl FromStr for ListenRule {
    type Err = ListenRuleError;

    fn from_str(text: &str) -> Result<Self, ListenRuleError> {
        let bad = || ListenRuleError(text.to_owned());
        let words: Vec<_> = text.split_whitespace().collect();
        let [transport, rest @ ..] = words.as_slice() else { return Err(bad()) };
        let transport: Transport = transport.parse().map_err(|()| bad())?;
        if !transport.has_ports() {
            let [process] = rest else { return Err(bad()) };
            return Ok(Self { transport, port: 0, process: Some((*process).to_owned()), loopback: false });
        }
        let [port, rest @ ..] = rest else { return Err(bad()) };
        let (process, loopback) = match rest {
            [] => (None, false),
            ["loopback"] => (None, true),
            [process] => (Some((*process).to_owned()), false),
            [process, "loopback"] => (Some((*process).to_owned()), true),
            _ => return Err(bad()),
        };
        let most = if transport == Transport::Vsock { u32::MAX } else { u16::MAX.into() };
        let port = port.parse().ok().filter(|port| (1..=most).contains(port)).ok_or_else(bad)?;
        Ok(Self { transport, port, process, loopback })
    }
}

impl fmt::Display for ListenRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.transport.fmt(f)?;
        if self.transport.has_ports() {
            write!(f, " {}", self.port)?;
        }
        if let Some(process) = &self.process {
            write!(f, " {process}")?;
        }
        if self.loopback { f.write_str(" loopback") } else { Ok(()) }
    }
}

impl TryFrom<String> for ListenRule {
    type Error = ListenRuleError;

    fn try_from(text: String) -> Result<Self, ListenRuleError> {
        text.parse()
    }
}

impl From<ListenRule> for String {
    fn from(rule: ListenRule) -> Self {
        rule.to_string()
    }
}

impl JsonSchema for ListenRule {
    fn schema_name() -> Cow<'static, str> {
        "ListenRule".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^((tcp|udp|sctp|vsock) [0-9]+( [^ ]+)?( loopback)?|(packet|raw) [^ ]+)$" })
    }
}

#[cfg(test)]
mod tests {
    use super::ListenRule;

    #[test]
    fn rules_are_written_as_they_are_read() {
        for text in [
            "tcp 22",
            "tcp 22 sshd",
            "udp 53 loopback",
            "udp 53 systemd-resolve loopback",
            "vsock 4294967295 x",
            "raw systemd-network",
        ] {
            assert_eq!(text.parse::<ListenRule>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "tcp",
            "icmp 22",
            "tcp 0",
            "tcp 70000",
            "tcp ssh",
            "tcp 22 a b",
            "tcp 22 a loopback b",
            "raw",
            "packet a b",
        ] {
            assert!(text.parse::<ListenRule>().is_err(), "{text}");
        }
    }
}
