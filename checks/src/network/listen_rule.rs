//! How an expectation writes what may listen: `tcp|udp PORT [PROCESS] [loopback]`.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::Listener;

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
    pub port: u16,
    /// The name of the process, as the kernel cuts it to 15 bytes; `None` for any.
    pub process: Option<String>,
    /// Whether only on a loopback address.
    pub loopback: bool,
}

/// Why a line of what may listen could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not `tcp|udp PORT [PROCESS] [loopback]`")]
pub struct ListenRuleError(String);

impl ListenRule {
    /// Whether it allows `listener`.
    #[must_use]
    pub fn allows(&self, listener: &Listener) -> bool {
        self.transport == listener.transport
            && self.port == listener.port
            && self.process.as_ref().is_none_or(|process| listener.processes.contains(process))
            && (!self.loopback || listener.loopback())
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
        Ok(Self {
            transport: transport.parse().map_err(|()| bad())?,
            port: port.parse().ok().filter(|port| *port != 0).ok_or_else(bad)?,
            process,
            loopback,
        })
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
        json_schema!({ "type": "string", "pattern": "^(tcp|udp) [0-9]+( [^ ]+)?( loopback)?$" })
    }
}

#[cfg(test)]
mod tests {
    use super::ListenRule;

    #[test]
    fn rules_are_written_as_they_are_read() {
        for text in ["tcp 22", "tcp 22 sshd", "udp 53 loopback", "udp 53 systemd-resolve loopback"] {
            assert_eq!(text.parse::<ListenRule>().unwrap().to_string(), text);
        }
        for text in ["", "tcp", "sctp 22", "tcp 0", "tcp 70000", "tcp ssh", "tcp 22 a b", "tcp 22 a loopback b"] {
            assert!(text.parse::<ListenRule>().is_err(), "{text}");
        }
    }
}
