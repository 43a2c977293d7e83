//! Who manages the network, by the processes that run: two managers take turns at breaking each other's settings.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Value;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
    traits::{Group, Traits},
};

/// Processes come and go while they are read, so what is no longer there is passed over.
const SCRIPT: &str =
    "grep -asHoE '^([0-9]+ \\(.*\\) [A-Za-z] [0-9]+|[^ =]+=.*)' /proc/[0-9]*/stat /run/network/ifstate \
/run/ifstate
echo end";

/// A program that configures network interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Manager {
    /// `ConnMan`.
    Connman,
    /// ISC's DHCP client, started by nobody of the others.
    Dhclient,
    /// dhcpcd, started by nobody of the others.
    Dhcpcd,
    /// Debian's or Alpine's `ifup`, with whatever client it starts.
    Ifupdown,
    /// `NetworkManager`.
    NetworkManager,
    /// systemd-networkd.
    Networkd,
    /// `BusyBox`'s DHCP client, started by nobody of the others.
    Udhcpc,
    /// SUSE's wicked.
    Wicked,
}

/// The managers that are active, in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Managers(pub Vec<Manager>);

struct Process {
    name: String,
    parent: u32,
}

impl Manager {
    /// The manager whose process has this name, which the kernel cuts to 15 bytes.
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "connmand" => Self::Connman,
            "dhclient" => Self::Dhclient,
            "dhcpcd" => Self::Dhcpcd,
            "NetworkManager" => Self::NetworkManager,
            "systemd-network" => Self::Networkd,
            "udhcpc" => Self::Udhcpc,
            "wickedd" | "wickedd-nanny" => Self::Wicked,
            _ => return None,
        })
    }

    /// Whether it only asks for addresses, so that another may have started it.
    fn client(self) -> bool {
        matches!(self, Self::Dhclient | Self::Dhcpcd | Self::Udhcpc)
    }
}

impl Fact for Managers {
    const ID: &'static str = "network.managers";
    const GROUPS: &'static [Group] = &[Group::System];

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["sh", "-c", SCRIPT])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let text = out[0].ok()?.strip_suffix("end\n").ok_or_else(|| Unreadable::new("cut off"))?;
        let mut processes = BTreeMap::new();
        let mut by_ifup = false;
        for line in text.lines() {
            let bad = || Unreadable::new(format!("not a process or an interface that is up: {line}"));
            let (path, rest) = line.split_once(':').ok_or_else(bad)?;
            if path.ends_with("/ifstate") {
                let interface = rest.split(['=', ' ']).next().unwrap_or_default();
                by_ifup |= !interface.is_empty() && interface != "lo";
            } else {
                let (id, process) = process(rest).ok_or_else(bad)?;
                processes.insert(id, process);
            }
        }
        if !processes.contains_key(&1) {
            return Err(Unreadable::new("/proc: no process 1"));
        }
        Ok(Self(managers(&processes, by_ifup)))
    }

    fn tell(&self, traits: &mut Traits) {
        for manager in &self.0 {
            traits.put(Group::System, "network managed by", manager);
        }
    }
}

/// Reads `412 (systemd-network) S 1 …`.
fn process(stat: &str) -> Option<(u32, Process)> {
    let (id, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let parent = rest.split(' ').nth(1)?.parse().ok()?;
    Some((id.parse().ok()?, Process { name: name.to_owned(), parent }))
}

fn managers(processes: &BTreeMap<u32, Process>, by_ifup: bool) -> Vec<Manager> {
    let mut found: Vec<_> = by_ifup.then_some(Manager::Ifupdown).into_iter().collect();
    for process in processes.values() {
        let Some(manager) = Manager::of(&process.name) else { continue };
        if !manager.client() || !(by_ifup || started_by_another(processes, process, manager)) {
            found.push(manager);
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Whether a manager of another kind stands above a process.
fn started_by_another(processes: &BTreeMap<u32, Process>, process: &Process, manager: Manager) -> bool {
    let mut above = processes.get(&process.parent);
    // Process ids may be used anew while they are read, so that the way up could go in a circle.
    for _ in 0..processes.len() {
        let Some(parent) = above else { return false };
        if Manager::of(&parent.name).is_some_and(|other| other != manager) {
            return true;
        }
        above = processes.get(&parent.parent);
    }
    false
}

impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connman => "connman",
            Self::Dhclient => "dhclient",
            Self::Dhcpcd => "dhcpcd",
            Self::Ifupdown => "ifupdown",
            Self::NetworkManager => "network-manager",
            Self::Networkd => "networkd",
            Self::Udhcpc => "udhcpc",
            Self::Wicked => "wicked",
        })
    }
}

/// One program manages the network, and it is the expected one.
pub struct OneManager;

impl Check for OneManager {
    type Fact = Managers;
    type Want = Manager;

    fn about(&self) -> &About {
        &About {
            id: "network.one-manager",
            demand: "the expected program manages the network, and no other does beside it",
            remedy: "disable and mask the units of the others (`systemctl disable --now NAME`), or remove their packages",
            key: "network.manager",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Manager> {
        image.network.manager
    }

    fn judge(&self, got: &Managers, want: &Manager) -> Verdict {
        let words: Vec<_> = got.0.iter().map(Manager::to_string).collect();
        let words = if words.is_empty() { "none".to_owned() } else { words.join(" and ") };
        Verdict::of(got.0 == [*want], format_args!("{want} alone"), words)
    }

    fn observed(&self, got: &Managers) -> Option<Value> {
        match got.0[..] {
            [manager] => Some(manager.to_string().into()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fact, Manager, Managers};
    use crate::probe::{Exit, Output};

    fn read(stdout: &str) -> Vec<Manager> {
        let stdout = format!("/proc/1/stat:1 (systemd) S 0 1\n{stdout}end\n");
        let (exit, stderr, took) = (Exit::Code(0), String::new(), std::time::Duration::ZERO);
        Managers::parse(&[Output { exit, stdout, stderr, truncated: false, took }]).unwrap().0
    }

    #[test]
    fn a_client_belongs_to_the_manager_that_started_it() {
        let manager = "/proc/7/stat:7 (NetworkManager) S 1 7\n/proc/8/stat:8 (nm-helper) S 7 7\n";
        assert_eq!(read(&format!("{manager}/proc/9/stat:9 (dhclient) S 8 7\n")), [Manager::NetworkManager]);
        let alone = format!("{manager}/proc/9/stat:9 (dhclient) S 1 9\n");
        assert_eq!(read(&alone), [Manager::Dhclient, Manager::NetworkManager]);
    }

    #[test]
    fn ifupdown_counts_once_it_has_more_than_the_loopback() {
        let client = "/proc/9/stat:9 (dhclient) S 1 9\n";
        assert_eq!(read("/run/network/ifstate:lo=lo\n"), []);
        assert_eq!(read(&format!("{client}/run/network/ifstate:eth0=eth0\n")), [Manager::Ifupdown]);
    }

    #[test]
    fn a_name_with_brackets_and_blanks_is_no_trouble() {
        assert_eq!(read("/proc/9/stat:9 ((sd-pam) x) S 1 9\n/proc/5/stat:5 (dhcpcd) S 1 5\n"), [Manager::Dhcpcd]);
    }
}
