//! How the machine finds names without asking the network: its hosts file, where the C library looks, what stands at
//! /etc/resolv.conf, and what its own name comes to.

use std::{fmt, net::IpAddr};

use super::Interface;
use crate::{
    fact::{Fact, Unreadable},
    probe::{Output, Probe},
};

/// A name that needs the network's name servers takes their time; the machine's own must not.
const SCRIPT: &str = "f=/etc/resolv.conf
if [ -L $f ]; then echo \"resolv link $(readlink $f)\"
elif [ -f $f ]; then echo 'resolv file'
elif [ -e $f ]; then echo 'resolv other'
else echo 'resolv none'; fi
read -r n </proc/sys/kernel/hostname
echo \"name $n\"
getent ahosts \"$n\"
echo \"getent $?\"
grep -ashH '' /etc/hosts /etc/nsswitch.conf
echo end";

/// What the machine knows of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The lines of /etc/hosts.
    pub hosts: Vec<HostsLine>,
    /// Where names of hosts are looked up, by /etc/nsswitch.conf, as in `files dns`; nothing where it does not say.
    pub lookup: Option<String>,
    /// What stands at /etc/resolv.conf.
    pub resolv_conf: ResolvConf,
    /// The machine's own name.
    pub own: String,
    /// What the C library makes of that name; nothing where it finds none.
    pub own_addresses: Vec<IpAddr>,
    /// The usable addresses of the interfaces.
    pub local: Vec<IpAddr>,
}

/// A line of /etc/hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostsLine {
    /// The address.
    pub address: IpAddr,
    /// Its names.
    pub names: Vec<String>,
}

/// What stands at /etc/resolv.conf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResolvConf {
    /// A file of its own.
    File,
    /// A link to this absolute path.
    Link(String),
    /// Nothing.
    None,
    /// Something else, a directory for instance.
    Other,
}

impl fmt::Display for ResolvConf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "file",
            Self::Link(path) => path,
            Self::None => "nothing",
            Self::Other => "neither file nor link",
        })
    }
}

impl Fact for Names {
    const ID: &'static str = "network.names";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["sh", "-c", SCRIPT]), Interface::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let local = Interface::read(&out[1])?.into_iter().flat_map(|interface| interface.addresses).collect();
        let text = out[0].ok()?.strip_suffix("end\n").ok_or_else(|| Unreadable::new("cut off"))?;
        let mut lines = text.lines();
        let mut said = |what: &str| {
            let said = lines.next().and_then(|line| line.strip_prefix(what));
            said.map(str::trim).ok_or_else(|| Unreadable::new(format!("no line `{what}`")))
        };
        let (resolv_conf, own) = (resolv_conf(said("resolv ")?)?, said("name ")?.to_owned());
        let mut own_addresses = Vec::new();
        let status = loop {
            let line = lines.next().ok_or_else(|| Unreadable::new("cut off at getent"))?;
            if let Some(status) = line.strip_prefix("getent ") {
                break status;
            }
            let address = line.split_whitespace().next().and_then(address);
            let address = address.ok_or_else(|| Unreadable::new(format!("getent: no address in {line:?}")))?;
            if !own_addresses.contains(&address) {
                own_addresses.push(address);
            }
        };
        // 2 is getent's word for: not found.
        if !matches!((status, own_addresses.is_empty()), ("0", false) | ("2", true)) {
            return Err(Unreadable::new(format!("getent: status {status}")));
        }
        let (mut hosts, mut lookup) = (Vec::new(), None);
        for line in lines {
            let bad = || Unreadable::new(format!("a line of no file asked for: {line}"));
            let (path, line) = line.split_once(':').ok_or_else(bad)?;
            let line = line.split('#').next().unwrap_or_default().trim();
            match path {
                "/etc/hosts" if line.is_empty() => {}
                "/etc/hosts" => hosts.push(hosts_line(line)?),
                "/etc/nsswitch.conf" => {
                    let words = line.strip_prefix("hosts:").map(|rest| rest.split_whitespace().collect::<Vec<_>>());
                    // The C library takes the first line of a database.
                    lookup = lookup.or_else(|| words.map(|words| words.join(" ")));
                }
                _ => return Err(bad()),
            }
        }
        Ok(Self { hosts, lookup, resolv_conf, own, own_addresses, local })
    }
}

fn resolv_conf(said: &str) -> Result<ResolvConf, Unreadable> {
    Ok(match said.split_once(' ').unwrap_or((said, "")) {
        ("file", _) => ResolvConf::File,
        ("link", to) if !to.is_empty() => ResolvConf::Link(absolute(to)),
        ("none", _) => ResolvConf::None,
        ("other", _) => ResolvConf::Other,
        _ => return Err(Unreadable::new(format!("/etc/resolv.conf: {said}"))),
    })
}

/// The absolute path that a link in /etc leads to, `.` and `..` taken out.
fn absolute(to: &str) -> String {
    let whole = if to.starts_with('/') { to.to_owned() } else { format!("/etc/{to}") };
    let mut parts = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn hosts_line(line: &str) -> Result<HostsLine, Unreadable> {
    let mut words = line.split_whitespace();
    let first = words.next().unwrap_or_default();
    let address = address(first).ok_or_else(|| Unreadable::new(format!("/etc/hosts: no address in `{line}`")))?;
    Ok(HostsLine { address, names: words.map(str::to_owned).collect() })
}

/// An address, with or without the interface that a link-local one names.
fn address(word: &str) -> Option<IpAddr> {
    word.split('%').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::absolute;

    #[test]
    fn a_link_is_read_as_it_leads() {
        let stub = "/run/systemd/resolve/stub-resolv.conf";
        assert_eq!(absolute("../run/systemd/resolve/stub-resolv.conf"), stub);
        assert_eq!(absolute(stub), stub);
        assert_eq!(absolute("resolv.conf.real"), "/etc/resolv.conf.real");
        assert_eq!(absolute("../../../run/./x"), "/run/x");
    }
}
