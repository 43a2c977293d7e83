//! What a rule asks of a packet, as far as it matters for a stranger at an unlisted port and for SSH.

use super::token::{Token, line};

/// From how many ports on a rule that accepts them opens the machine, and does not just let a service in.
const MOST_PORTS: u32 = 0x8000;

/// A packet that opens a connection from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    /// Whether it is IPv6.
    pub v6: bool,
    /// `tcp` or `udp`.
    pub protocol: &'static str,
    /// The port it goes to; `None` for any that no rule is about.
    pub port: Option<u16>,
    /// The interface it comes in by; `None` for one that no rule names.
    pub interface: Option<String>,
}

/// One condition of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Comes in by one of these interfaces; `*` at the end stands for anything.
    Interface(Vec<String>, Sense),
    /// Is IPv6, or IPv4.
    V6(bool, Sense),
    /// Is of one of these protocols.
    Protocol(Vec<String>, Sense),
    /// Goes to a port in these ranges.
    Port(Vec<(u16, u16)>, Sense),
    /// Belongs to a connection in one of these states.
    State(Vec<String>, Sense),
    /// Comes from certain senders, or was marked before.
    Sender(Sense),
    /// Something that a stranger may meet or not: a rate, a source port, the address it is sent to.
    Sometimes,
    /// Something that nft does not show.
    Hidden,
}

/// Whether a condition is meant as it stands, or the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sense {
    Is,
    IsNot,
}

/// Whether a packet meets a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    No,
    Yes,
    /// Some senders do, a stranger does not.
    BySome,
    /// Whoever wants to, or has luck, does.
    Perhaps,
    /// Cannot be told.
    Hidden,
}

impl Condition {
    pub(super) fn met(&self, packet: &Packet) -> Met {
        match self {
            Self::Interface(names, sense) => {
                sense.of(names.iter().any(|name| covers(name, packet.interface.as_deref())))
            }
            Self::V6(v6, sense) => sense.of(*v6 == packet.v6),
            Self::Protocol(names, sense) => sense.of(names.iter().any(|name| is_protocol(name, packet.protocol))),
            Self::Port(ranges, sense) => sense.of(match packet.port {
                Some(port) => ranges.iter().any(|(from, to)| (*from..=*to).contains(&port)),
                None => {
                    ranges.iter().map(|(from, to)| u32::from(to.saturating_sub(*from)) + 1).sum::<u32>() >= MOST_PORTS
                }
            }),
            Self::State(states, sense) => sense.of(states.iter().any(|state| state == "new")),
            Self::Sender(Sense::Is) => Met::BySome,
            // A stranger is not among those that are named; for SSH somebody may be.
            Self::Sender(Sense::IsNot) if packet.port.is_none() => Met::Yes,
            Self::Sender(Sense::IsNot) | Self::Sometimes => Met::Perhaps,
            Self::Hidden => Met::Hidden,
        }
    }
}

impl Sense {
    fn of(self, met: bool) -> Met {
        if met == (self == Self::Is) { Met::Yes } else { Met::No }
    }
}

fn covers(pattern: &str, interface: Option<&str>) -> bool {
    match (pattern.strip_suffix('*'), interface) {
        (Some(""), _) => true,
        (Some(stem), Some(name)) => name.starts_with(stem),
        (None, Some(name)) => name == pattern,
        (_, None) => false,
    }
}

fn is_protocol(name: &str, protocol: &str) -> bool {
    name == protocol || name == if protocol == "tcp" { "6" } else { "17" }
}

/// What a condition is about.
#[derive(Clone, Copy)]
pub(super) enum Subject {
    Interface,
    Protocol,
    Port,
    State,
    Sender,
    Receiver,
    Family,
    /// Marks: set by an earlier rule, not by the sender.
    Mark,
    Other,
}

/// The conditions that a comparison makes.
pub(super) fn stated(subject: Subject, values: &[Token], sense: Sense) -> Vec<Condition> {
    if values.iter().any(|token| token.is("&")) {
        return vec![Condition::Sometimes];
    }
    let is = matches!(sense, Sense::Is);
    match subject {
        Subject::Interface => vec![Condition::Interface(words(values), sense)],
        Subject::Protocol => vec![Condition::Protocol(words(values), sense)],
        Subject::Port => vec![Condition::Port(ports(values), sense)],
        Subject::State => vec![Condition::State(words(values), sense)],
        Subject::Family => {
            let families = words(values);
            let v6 = |name: &String| matches!(name.as_str(), "ipv6" | "ip6");
            match families.as_slice() {
                [family] => vec![Condition::V6(v6(family), sense)],
                _ => vec![Condition::Sometimes],
            }
        }
        Subject::Sender if all_senders(values) => Vec::new(),
        Subject::Sender => vec![Condition::Sender(sense)],
        Subject::Mark | Subject::Receiver if is && (matches!(subject, Subject::Mark) || many_receivers(values)) => {
            vec![Condition::Sender(Sense::Is)]
        }
        Subject::Mark | Subject::Receiver | Subject::Other => vec![Condition::Sometimes],
    }
}

/// Several things compared at once: as narrow as the narrowest.
pub(super) fn concatenated(subjects: &[Subject]) -> Condition {
    let narrow = subjects.iter().any(|subject| matches!(subject, Subject::Sender | Subject::Port));
    if narrow { Condition::Sender(Sense::Is) } else { Condition::Sometimes }
}

/// The ports of a value; a name or a range of names that is not known as a port is none that matters here.
fn ports(values: &[Token]) -> Vec<(u16, u16)> {
    let number = |text: &str| if text == "ssh" { Some(22) } else { text.parse().ok() };
    let range = |text: &str| match text.split_once('-') {
        Some((from, to)) => Some((number(from)?, number(to)?)),
        None => number(text).map(|port| (port, port)),
    };
    values.iter().filter_map(Token::word).filter_map(range).collect()
}

/// The words of a value.
fn words(values: &[Token]) -> Vec<String> {
    values.iter().filter_map(Token::word).filter(|word| !matches!(*word, "," | "|")).map(str::to_owned).collect()
}

/// Whether these are addresses that reach many machines at once, and so not a way to this one.
fn many_receivers(values: &[Token]) -> bool {
    let words = words(values);
    let many = |word: &String| {
        ["224.", "239.", "255.", "ff"].iter().any(|start| word.starts_with(start))
            || ["broadcast", "multicast", "anycast", "other", "blackhole", "unreachable", "prohibit"]
                .contains(&word.as_str())
    };
    !words.is_empty() && words.iter().all(many)
}

/// Whether these are all senders there are.
fn all_senders(values: &[Token]) -> bool {
    matches!(line(values).as_str(), "0.0.0.0/0" | "::/0")
}
