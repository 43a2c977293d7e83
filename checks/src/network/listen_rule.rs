//! How an expectation writes what may listen: `tcp|udp PORT [PROCESS] [loopback]`, or `udp ephemeral PROCESS` for a client
//! that waits for answers.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::Listener;

/// How the ports of clients are written.
const EPHEMERAL: &str = "ephemeral";

/// A transport protocol that has ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// One line of what may listen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ListenRule {
    /// The protocol.
    pub transport: Transport,
    /// The port.
    pub port: Port,
    /// The name of the process, as the kernel cuts it to 15 bytes; `None` for any.
    pub process: Option<String>,
    /// Whether only on a loopback address.
    pub loopback: bool,
}

/// The ports that a rule allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// This one.
    Number(u16),
    /// Those that the kernel gives to who names none, 32768 to 60999 unless `net.ipv4.ip_local_port_range` says otherwise.
    /// One of them is open for as long as a client waits for an answer over UDP.
    Ephemeral,
}

/// Why a line of what may listen could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither `tcp|udp PORT [PROCESS] [loopback]` nor `udp ephemeral PROCESS`")]
pub struct ListenRuleError(String);

impl ListenRule {
    /// Whether it allows `listener`.
    #[must_use]
    pub fn allows(&self, listener: &Listener) -> bool {
        self.transport == listener.transport
            && self.port.is(listener.port)
            && self.process.as_ref().is_none_or(|process| listener.processes.contains(process))
            && (!self.loopback || listener.loopback())
    }
}

impl Port {
    pub(super) fn is(self, port: u16) -> bool {
        match self {
            Self::Number(number) => number == port,
            Self::Ephemeral => (32_768..61_000).contains(&port),
        }
    }
}

impl FromStr for Port {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text == EPHEMERAL {
            return Ok(Self::Ephemeral);
        }
        text.parse().ok().filter(|port| *port != 0).map(Self::Number).ok_or(())
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Ephemeral => f.write_str(EPHEMERAL),
        }
    }
}

impl FromStr for Transport {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

impl FromStr for ListenRule {
    type Err = ListenRuleError;

    fn from_str(text: &str) -> Result<Self, ListenRuleError> {
        let bad = || ListenRuleError(text.to_owned());
        let words: Vec<_> = text.split_whitespace().collect();
        let [transport, port, rest @ ..] = words.as_slice() else { return Err(bad()) };
        let (process, loopback) = match rest {
            [] => (None, false),
            ["loopback"] => (None, true),
            [process] => (Some((*process).to_owned()), false),
            [process, "loopback"] => (Some((*process).to_owned()), true),
            _ => return Err(bad()),
        };
        let transport = transport.parse().map_err(|()| bad())?;
        let port = port.parse().map_err(|()| bad())?;
        // Whoever it is that listens on any of ten thousand ports has to be known.
        let known = port != Port::Ephemeral || (transport == Transport::Udp && process.is_some());
        if known { Ok(Self { transport, port, process, loopback }) } else { Err(bad()) }
    }
}

impl fmt::Display for ListenRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.transport, self.port)?;
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
        json_schema!({ "type": "string", "pattern": "^((tcp|udp) [0-9]+( [^ ]+)?|udp ephemeral [^ ]+)( loopback)?$" })
    }
}

#[cfg(test)]
mod tests {
    use super::{ListenRule, Listener, Transport};

    #[test]
    fn rules_are_written_as_they_are_read() {
        for text in ["tcp 22", "tcp 22 sshd", "udp 53 loopback", "udp 53 systemd-resolve loopback", "udp ephemeral ntp"]
        {
            assert_eq!(text.parse::<ListenRule>().unwrap().to_string(), text);
        }
        for text in ["", "tcp", "sctp 22", "tcp 0", "tcp 70000", "tcp ssh", "tcp 22 a b", "tcp 22 a loopback b"] {
            assert!(text.parse::<ListenRule>().is_err(), "{text}");
        }
        for text in ["tcp ephemeral a", "udp ephemeral", "udp ephemeral loopback"] {
            assert!(text.parse::<ListenRule>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_client_may_wait_for_answers_on_ports_that_nobody_chose() {
        let rule: ListenRule = "udp ephemeral ntp".parse().unwrap();
        let listener = |port, process: &str| Listener {
            transport: Transport::Udp,
            address: "0.0.0.0".to_owned(),
            port,
            interface: None,
            processes: vec![process.to_owned()],
        };
        assert!(rule.allows(&listener(32_768, "ntp")) && rule.allows(&listener(60_999, "ntp")));
        assert!(!rule.allows(&listener(123, "ntp")) && !rule.allows(&listener(61_000, "ntp")));
        assert!(!rule.allows(&listener(40_000, "nc")));
    }
}
