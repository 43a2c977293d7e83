//! What listens, by `ss`: the socket, and the processes that hold it.

use std::{fmt, ops::RangeInclusive};

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
    traits::{Group, Traits},
};

use super::{ListenRule, Transport, card::is_card};

/// The ports that the kernel gives to whom asks for just any, if `ip_local_port_range` is not set.
const CHOSEN: RangeInclusive<u16> = 32768..=60999;

/// Every listening TCP socket and every unconnected UDP socket, of IPv4 and IPv6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listeners(pub Vec<Listener>);

/// One socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its protocol.
    pub transport: Transport,
    /// The local address without port, brackets and interface; `*` for any of both families.
    pub address: String,
    /// The interface it is bound to.
    pub interface: Option<String>,
    /// The port.
    pub port: u16,
    /// The processes that hold it, each name once; none if the kernel itself does (NFS, `WireGuard`).
    pub processes: Vec<String>,
}

impl Listener {
    /// Whether only this machine can reach it.
    #[must_use]
    pub fn loopback(&self) -> bool {
        let address = self.address.strip_prefix("::ffff:").unwrap_or(&self.address);
        address.starts_with("127.") || address == "::1" || self.interface.as_deref() == Some("lo")
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = if self.processes.is_empty() { "the kernel".to_owned() } else { self.processes.join("+") };
        write!(f, "{} {} {by} on {}", self.transport, self.port, self.address)
    }
}

impl Fact for Listeners {
    const ID: &'static str = "network.listeners";
    const GROUPS: &'static [Group] = &[Group::Listeners];

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["ss", "-H", "-l", "-n", "-t", "-u", "-p"])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let text = out[0].ok()?;
        // Where ss lacks a right or a kernel interface it says so here, and prints what it has.
        if let Some(line) = out[0].stderr.lines().next() {
            return Err(Unreadable::new(format!("ss: {line}")));
        }
        let read = |line: &str| socket(line).ok_or_else(|| Unreadable::new(format!("ss: {line}")));
        let sockets = text.lines().map(read).collect::<Result<Vec<_>, _>>()?;
        if !sockets.is_empty() && sockets.iter().all(|socket| socket.processes.is_empty()) {
            return Err(Unreadable::new("ss: no process is named, so it was not let see them"));
        }
        Ok(Self(sockets))
    }

    fn tell(&self, traits: &mut Traits) {
        for Listener { transport, address, interface, port, processes } in &self.0 {
            let port = if CHOSEN.contains(port) { "ephemeral".to_owned() } else { port.to_string() };
            // Addresses on a network are given to each machine anew.
            let place = match interface.as_deref() {
                Some(name) if is_card(name) => "a network card",
                Some(name) => name,
                None => address,
            };
            let by = if processes.is_empty() { "the kernel".to_owned() } else { processes.join("+") };
            traits.put(Group::Listeners, format!("{transport} {port} on {place}"), by);
        }
    }
}

/// Reads `tcp LISTEN 0 128 127.0.0.53%lo:53 0.0.0.0:* users:(("systemd-resolve",pid=397,fd=15))`.
fn socket(line: &str) -> Option<Listener> {
    let mut words = line.split_whitespace();
    let transport: Transport = words.next()?.parse().ok()?;
    let state = words.next()?;
    if state != if transport == Transport::Tcp { "LISTEN" } else { "UNCONN" } {
        return None;
    }
    // A kernel whose count of what waits has wrapped around says less than none.
    let (_received, _sent) = (words.next()?.parse::<i64>().ok()?, words.next()?.parse::<i64>().ok()?);
    let (local, port) = words.next()?.rsplit_once(':')?;
    words.next()?.strip_suffix(":*")?;
    let (local, interface) = match local.split_once('%') {
        Some((local, interface)) => (local, Some(interface.trim_end_matches(']').to_owned())),
        None => (local, None),
    };
    let address = local.trim_start_matches('[').trim_end_matches(']').to_owned();
    let users = words.collect::<Vec<_>>().join(" ");
    Some(Listener { transport, address, interface, port: port.parse().ok()?, processes: processes(&users)? })
}

/// Reads `users:(("sshd",pid=612,fd=3),("systemd",pid=1,fd=62))`, which an old iproute writes as
/// `users:(("sshd",612,3),("systemd",1,62))`; or nothing at all.
fn processes(users: &str) -> Option<Vec<String>> {
    if users.is_empty() {
        return Some(Vec::new());
    }
    let inside = users.strip_prefix("users:((\"")?.strip_suffix("))")?;
    let mut names: Vec<String> = Vec::new();
    for holder in inside.split("),(\"") {
        let (name, ids) = holder.rsplit_once("\",")?;
        let (pid, _) = ids.split_once(',')?;
        pid.strip_prefix("pid=").unwrap_or(pid).parse::<u32>().ok()?;
        if !names.iter().any(|seen| seen == name) {
            names.push(name.to_owned());
        }
    }
    Some(names)
}

/// Nothing listens that is not expected.
pub struct ListenersExpected;

impl Check for ListenersExpected {
    type Fact = Listeners;
    type Want = Vec<ListenRule>;

    fn about(&self) -> &About {
        &About {
            id: "network.listeners-expected",
            demand: "nothing listens on TCP or UDP but what is expected",
            remedy: "disable the unit that opens the socket (`systemctl disable --now NAME.socket NAME.service`), or expect it",
            key: "network.listeners",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<ListenRule>> {
        image.network.listeners.clone()
    }

    fn judge(&self, got: &Listeners, want: &Vec<ListenRule>) -> Verdict {
        let stray: Vec<_> = got.0.iter().filter(|socket| !want.iter().any(|rule| rule.allows(socket))).collect();
        let words: Vec<_> = want.iter().map(ListenRule::to_string).collect();
        let found = match stray.as_slice() {
            [] => format!("{} sockets, all expected", got.0.len()),
            stray => stray.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        };
        Verdict::of(stray.is_empty(), format_args!("only {}", words.join(", ")), found)
    }
}

/// The SSH server listens where it is expected, and it is that server.
pub struct SshdListening;

impl Check for SshdListening {
    type Fact = Listeners;
    type Want = ListenRule;

    fn about(&self) -> &About {
        &About {
            id: "network.sshd-listening",
            demand: "the expected SSH server listens on its port, on more than the loopback",
            remedy: "enable the SSH server's unit, and look at Port and ListenAddress of sshd_config",
            key: "network.sshd",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<ListenRule> {
        image.network.sshd.clone()
    }

    fn judge(&self, got: &Listeners, want: &ListenRule) -> Verdict {
        let on_port = |socket: &&Listener| socket.transport == want.transport && want.port.is(socket.port);
        let there: Vec<_> = got.0.iter().filter(on_port).collect();
        let holds = there.iter().any(|socket| want.allows(socket) && (want.loopback || !socket.loopback()));
        let words: Vec<_> = there.iter().map(ToString::to_string).collect();
        let words =
            if words.is_empty() { format!("nothing on {} {}", want.transport, want.port) } else { words.join("; ") };
        Verdict::of(holds, want, words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_of_an_old_iproute() {
        let line =
            "tcp    LISTEN     0      128       :::22        :::*      users:((\"sshd\",1184,4),(\"systemd\",1,29))";
        let listener = socket(line).expect("readable");
        assert_eq!((listener.address.as_str(), listener.port), ("::", 22));
        assert_eq!(listener.processes, ["sshd", "systemd"]);
        let line = "udp    UNCONN     0      0          *:68         *:*      users:((\"my client\",901,6),(\"my client\",902,6))";
        let listener = socket(line).expect("readable");
        assert_eq!((listener.address.as_str(), listener.port), ("*", 68));
        assert_eq!(listener.processes, ["my client"]);
    }

    #[test]
    fn what_each_machine_has_otherwise_is_not_told() {
        let lines = [
            "udp UNCONN 0 0 10.0.2.15%enp0s2:68 0.0.0.0:* users:((\"systemd-network\",pid=7,fd=3))",
            "udp UNCONN 0 0 127.0.0.53%lo:53 0.0.0.0:* users:((\"systemd-resolve\",pid=8,fd=3))",
            "tcp LISTEN 0 5 [::]:40123 [::]:* users:((\"rpc.statd\",pid=9,fd=3))",
        ];
        let mut traits = Traits::default();
        Listeners(lines.iter().map(|line| socket(line).expect("readable")).collect()).tell(&mut traits);
        let names: Vec<_> = traits.sections().flat_map(|(_, section)| section.values.into_keys()).collect();
        assert_eq!(names, ["tcp ephemeral on ::", "udp 53 on lo", "udp 68 on a network card"]);
    }

    #[test]
    fn a_queue_may_hold_less_than_nothing() {
        let line = "udp UNCONN -1757018048 0 0.0.0.0:9 0.0.0.0:* users:((\"sink\",pid=7,fd=3))";
        assert_eq!(socket(line).expect("readable").port, 9);
        assert!(socket(&line.replace("-1757018048", "many")).is_none());
    }

    #[test]
    fn processes_without_an_id_are_not_guessed() {
        for users in
            ["users:((\"sshd\"))", "users:((\"sshd\",fd=3))", "users:((\"sshd\",pid=,fd=3))", "users:((sshd,1,3))"]
        {
            assert!(processes(users).is_none(), "{users}");
        }
    }
}
