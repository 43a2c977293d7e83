//! Sockets that a list of TCP and UDP ports does not show, by `ss`: those without ports see what the firewall drops, and
//! of vsock no firewall knows.

use std::fmt;

use toml::Value;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// Every packet socket and raw socket, and all that listens by SCTP or vsock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherSockets(pub Vec<OtherSocket>);

/// One socket, as one process holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherSocket {
    /// `packet` and `raw`, or `sctp` and `vsock` with a port.
    pub kind: String,
    /// The name of the process, as the kernel cuts it to 15 bytes; `-` for the kernel itself.
    pub process: String,
}

impl fmt::Display for OtherSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.process)
    }
}

impl Fact for OtherSockets {
    const ID: &'static str = "network.other-sockets";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["ss", "-H", "-l", "-n", "-p", "-w", "-0", "-S", "--vsock"])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let text = out[0].ok()?;
        // Where ss lacks a right or a kernel interface it says so here, and prints what it has.
        if let Some(line) = out[0].stderr.lines().next() {
            return Err(Unreadable::new(format!("ss: {line}")));
        }
        let mut sockets = Vec::new();
        for line in text.lines() {
            sockets.extend(socket(line).ok_or_else(|| Unreadable::new(format!("ss: {line}")))?);
        }
        if !sockets.is_empty() && sockets.iter().all(|socket: &OtherSocket| socket.process == "-") {
            return Err(Unreadable::new("ss: no process is named, so it was not let see them"));
        }
        Ok(Self(sockets))
    }
}

/// Reads `v_str LISTEN 0 0 *:22 *:* users:(("sshd",pid=397,fd=3))`, once for each process.
fn socket(line: &str) -> Option<Vec<OtherSocket>> {
    let mut words = line.split_whitespace();
    let (word, state) = (words.next()?, words.next()?);
    let (_received, _sent) = (words.next()?.parse::<i64>().ok()?, words.next()?.parse::<i64>().ok()?);
    let (_, port) = words.next()?.rsplit_once(':')?;
    words.next().filter(|peer| *peer == "*" || peer.ends_with(":*"))?;
    // Of raw sockets ss has a name for the protocols that it knows alone.
    let kind = match (word, state) {
        ("p_raw" | "p_dgr", "UNCONN") => "packet".to_owned(),
        ("raw" | "icmp6" | "???", "UNCONN") => "raw".to_owned(),
        ("sctp", "LISTEN") => format!("sctp {}", port.parse::<u16>().ok()?),
        ("v_str" | "v_seq", "LISTEN") | ("v_dgr", "UNCONN") => format!("vsock {}", port.parse::<u32>().ok()?),
        _ => return None,
    };
    let users = words.collect::<Vec<_>>().join(" ");
    let named = |process: &str| OtherSocket { kind: kind.clone(), process: process.to_owned() };
    if users.is_empty() {
        return Some(vec![named("-")]);
    }
    let inside = users.strip_prefix("users:((\"")?.strip_suffix("))")?;
    inside.split("),(\"").map(|holder| holder.rsplit_once("\",pid=").map(|(name, _)| named(name))).collect()
}

/// No program holds a raw, packet, SCTP or vsock socket that is not expected.
pub struct OtherSocketsExpected;

impl Check for OtherSocketsExpected {
    type Fact = OtherSockets;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "network.other-sockets-expected",
            demand: "nothing takes packets past the firewall or listens by SCTP or vsock but what is expected",
            remedy: "disable the unit of the program, or expect it; sshd by vsock is systemd-ssh-generator's, which a link to \
                     /dev/null in /etc/systemd/system-generators masks",
            key: "network.other_sockets",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        image.network.other_sockets.clone()
    }

    fn judge(&self, got: &OtherSockets, want: &Vec<String>) -> Verdict {
        let stray = got.0.iter().map(ToString::to_string).filter(|socket| !want.contains(socket));
        let stray: Vec<_> = stray.collect();
        let wanted = if want.is_empty() { "none".to_owned() } else { format!("only {}", want.join(", ")) };
        let found = if stray.is_empty() { format!("{} sockets, all expected", got.0.len()) } else { stray.join(", ") };
        Verdict::of(stray.is_empty(), wanted, found)
    }

    fn observed(&self, got: &OtherSockets) -> Option<Value> {
        let mut names: Vec<_> = got.0.iter().map(ToString::to_string).collect();
        names.sort_unstable();
        names.dedup();
        Some(Value::Array(names.into_iter().map(Value::String).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::socket;

    #[test]
    fn every_kind_is_known_once_for_each_process() {
        let said = |line| socket(line).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>();
        let line = "p_raw UNCONN 0 0 [35020]:enp0s2 * users:((\"systemd-network\",pid=618,fd=27))";
        assert_eq!(said(line), ["packet systemd-network"]);
        let line = "??? UNCONN 0 0 0.0.0.0:1 0.0.0.0:* users:((\"a, b\",pid=1,fd=5),(\"c\",pid=2,fd=5))";
        assert_eq!(said(line), ["raw a, b", "raw c"]);
        assert_eq!(said("v_str LISTEN 0 0 *:4294967295 *:*"), ["vsock 4294967295 -"]);
        assert_eq!(said("sctp LISTEN 0 128 [::]:99 [::]:* users:((\"x\",pid=7,fd=4))"), ["sctp 99 x"]);
        assert_eq!(socket("tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:*"), None);
        assert_eq!(socket("v_str LISTEN 0 0 *:22"), None);
    }
}
