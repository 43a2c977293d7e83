//! Steps: what is done to a machine, and what has to come of it. Data only; the harness carries them out.

use std::time::Duration;

use serde::Deserialize;

use crate::scenarios::Bus;

/// One step. In a file it is a table with one key, the step's name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// A shell script, run as root under `set -e`, has to end with status 0.
    Run(Script),
    /// A script has to say what it said the last time that a step of this name ran it.
    Same(Named),
    /// A script has to say something that it has not said before in a step of this name.
    Differs(Named),
    /// These checks have to pass now, as far as the expectation asks for them.
    Expect(Vec<String>),
    /// Somebody logs in anew.
    Login(Nothing),
    /// The guest reboots itself, and settles again.
    Reboot(Nothing),
    /// The power button is pressed, and the guest powers itself off.
    PowerOff(Within),
    /// The power is cut, once the console says something or at once.
    Crash(Crash),
    /// The power comes back, on a network that is well again where it is the machine's own, and the machine settles.
    Start(Start),
    /// The disk grows while the machine runs.
    Grow(Grow),
    /// The network around the machine becomes like this; what is not named is as it should be.
    Network(Network),
    /// The steps that follow are the machine's of this number, from 1.
    Machine(u8),
    /// Of what machines sent to one another, since the last step of this name, it was each of these and nothing else: a
    /// protocol and the port that it was opened to (`udp/51820`), `icmp`, or another protocol's number. What is for all, or
    /// only finds neighbours, does not count; nor do errors that quote what does.
    Crossed(Vec<String>),
}

/// A network, and what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the step's table, and goes with every other")]
pub struct Network {
    /// Whether the machine's cable is in.
    pub cable: bool,
    /// Whether addresses are given out.
    pub dhcp: bool,
    /// Whether the time is told.
    pub time: bool,
    /// How the name server is.
    pub names: NameServer,
    /// How the metadata service of a cloud is.
    pub metadata: MetadataService,
    /// Whether an IPv6 router says that it is there; it leads nowhere. None is what the machine has met so far.
    pub router: bool,
    /// How many of a hundred frames are lost, in each direction.
    pub loss: u8,
    /// How many milliseconds a frame is on its way.
    pub latency: u32,
    /// The seconds after which all is well again, where that is.
    pub heals_after: Option<u64>,
}

impl Default for Network {
    /// All is well.
    fn default() -> Self {
        let names = NameServer::Well;
        let metadata = MetadataService::Well;
        let (router, loss, latency, heals_after) = (false, 0, 0, None);
        Self { cable: true, dhcp: true, time: true, names, metadata, router, loss, latency, heals_after }
    }
}

/// How a name server is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameServer {
    /// It answers.
    #[default]
    Well,
    /// No name is there.
    NoNames,
    /// It says that it failed.
    Fails,
    /// It says nothing.
    Silent,
}

/// How the metadata service of a cloud is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetadataService {
    /// It answers as that cloud's does.
    #[default]
    Well,
    /// It says nothing.
    Silent,
    /// Somebody else answers, with a web page for every question.
    Wrong,
}

impl Network {
    /// The same once all is well. A router is no fault, and stays.
    #[must_use]
    pub fn healed(&self) -> Self {
        Self { router: self.router, ..Self::default() }
    }

    /// What is wrong, in words.
    fn about(&self) -> String {
        let names = match self.names {
            NameServer::Well => None,
            NameServer::NoNames => Some("no names"),
            NameServer::Fails => Some("a name server that fails"),
            NameServer::Silent => Some("a silent name server"),
        };
        let wrong = [(!self.cable, "no cable"), (!self.dhcp, "no DHCP"), (!self.time, "no time")];
        let wrong = wrong.into_iter().filter(|(is, _)| *is).map(|(_, what)| what.to_owned());
        let loss = (self.loss > 0).then(|| format!("{} % of frames lost", self.loss));
        let latency = (self.latency > 0).then(|| format!("frames {} ms on their way", self.latency));
        let metadata = match self.metadata {
            MetadataService::Well => None,
            MetadataService::Silent => Some("a silent metadata service"),
            MetadataService::Wrong => Some("a metadata service that is something else"),
        };
        let services = names.into_iter().chain(metadata).map(str::to_owned);
        let wrong: Vec<_> = wrong.chain(services).chain(loss).chain(latency).collect();
        let heals = self.heals_after.map(|seconds| format!(" for {seconds} s")).unwrap_or_default();
        let router = if self.router { ", with an IPv6 router" } else { "" };
        if wrong.is_empty() {
            format!("the network is well{router}")
        } else {
            format!("network: {}{heals}{router}", wrong.join(", "))
        }
    }
}

/// A script and its time limit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// What it is for, in words.
    pub about: String,
    /// POSIX shell.
    pub script: String,
    /// Seconds that it may take.
    #[serde(default = "five_minutes")]
    pub within: u64,
}

/// A script whose output is remembered under a name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// The name, in words.
    pub name: String,
    /// POSIX shell.
    pub script: String,
}

/// A step without settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// A time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Within {
    /// In seconds.
    pub within: u64,
}

/// When the power is cut.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crash {
    /// Once the console has said these words.
    pub when: Option<String>,
}

/// How the power comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The bus that the disk is on from now on, where it is another one.
    pub bus: Option<Bus>,
}

/// By how much a disk grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grow {
    /// In MiB.
    pub mib: u64,
}

fn five_minutes() -> u64 {
    300
}

impl Script {
    /// How long it may take.
    #[must_use]
    pub fn limit(&self) -> Duration {
        Duration::from_secs(self.within)
    }
}

impl Step {
    /// What it does, in words.
    #[must_use]
    pub fn about(&self) -> String {
        match self {
            Self::Run(script) => script.about.clone(),
            Self::Same(named) => format!("the same {} as before", named.name),
            Self::Differs(named) => format!("another {} than before", named.name),
            Self::Expect(checks) => format!("holds: {}", checks.join(", ")),
            Self::Login(_) => "log in anew".to_owned(),
            Self::Reboot(_) => "reboot".to_owned(),
            Self::PowerOff(limit) => format!("power button, off within {} s", limit.within),
            Self::Crash(Crash { when: Some(words) }) => format!("cut the power once the console says `{words}`"),
            Self::Crash(_) => "cut the power".to_owned(),
            Self::Start(Start { bus: Some(bus) }) => format!("power on, the disk on {}", bus.about()),
            Self::Start(_) => "power on".to_owned(),
            Self::Grow(grow) => format!("grow the disk by {} MiB", grow.mib),
            Self::Network(network) => network.about(),
            Self::Machine(number) => format!("on machine {number}"),
            Self::Crossed(services) => format!("machines sent one another {} and nothing else", services.join(", ")),
        }
    }

    /// Whether it can fail by what the guest does, beyond being carried out.
    #[must_use]
    pub fn demands(&self) -> bool {
        !matches!(self, Self::Crash(_) | Self::Grow(_) | Self::Network(_) | Self::Machine(_))
    }
}

#[cfg(test)]
mod tests {
    use super::Network;

    #[test]
    fn a_router_is_named_and_no_fault() {
        let network = |text| toml::from_str::<Network>(text).unwrap();
        assert_eq!(network("").about(), "the network is well");
        let hurt = network("router = true\ndhcp = false\nheals-after = 90");
        assert_eq!(hurt.about(), "network: no DHCP for 90 s, with an IPv6 router");
        assert_eq!(hurt.healed(), network("router = true"));
        assert_eq!(hurt.healed().about(), "the network is well, with an IPv6 router");
    }
}
