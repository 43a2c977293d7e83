//! Scenarios: rows of steps that a machine, or several, has to come through, each on machines of its own.
//!
//! They are data: a new one is a file in `scenarios/` and its line here.

use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::step::{MetadataService, Step};

/// How many machines one network has at most.
const MOST_MACHINES: usize = 8;

/// A row of steps.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name; its outcome is `scenario.NAME`.
    #[serde(skip)]
    pub name: String,
    /// One sentence: what has to hold.
    pub about: String,
    /// How to mend an image that does not come through.
    pub remedy: String,
    /// Seconds that it took on two cores without KVM, boots included; 0 where nobody measured it.
    #[serde(default)]
    pub cost: u64,
    /// The bus of the disk; such a machine boots cold. Without it, a cloud or several machines, it is a fork, on the bus of
    /// the run.
    pub bus: Option<Bus>,
    /// The cloud that it runs on; such a machine boots cold, and is entered by what that cloud's metadata bring. In its
    /// folder `/run/kverify-cloud` are files `hostname` and `key` with what the cloud was told of it.
    pub cloud: Option<Cloud>,
    /// Several machines on one switch, where it takes more than one; each boots cold, with a seed of its own.
    #[serde(rename = "machine", default)]
    pub machines: Vec<Member>,
    /// What is done, in order.
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
}

/// One machine of several.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// What cloud-init is told beside the account: the rest of a `#cloud-config`, without `users`. Its blanks are filled
    /// in: `@private-key-1@`, `@public-key-2@` and `@address-2@` are of the machine with that number; keys are
    /// WireGuard's, made for one run. Keys of a number beyond the last are nobody's.
    #[serde(rename = "user-data")]
    pub user_data: String,
}

impl Member {
    /// The user-data with its blanks filled in.
    ///
    /// # Errors
    /// What stands where a blank would and is none; and what `fill` could not do.
    pub fn filled(&self, mut fill: impl FnMut(Blank, u8) -> Result<String, String>) -> Result<String, String> {
        let mut text = String::new();
        let mut rest = 0;
        for found in BLANK.captures_iter(&self.user_data) {
            let (whole, word, number) = (&found[0], &found[1], &found[2]);
            let blank = Blank::named(word).zip(number.parse().ok().filter(|read: &u8| *read > 0));
            let (blank, read) = blank.filter(|(_, read)| read.to_string() == number).ok_or_else(|| {
                format!("`{whole}` is no blank; there are private-key, public-key and address, with a number from 1")
            })?;
            let at = found.get(0).map_or(0..0, |found| found.range());
            text.push_str(&self.user_data[rest..at.start]);
            text.push_str(&fill(blank, read)?);
            rest = at.end;
        }
        Ok(text + &self.user_data[rest..])
    }
}

/// What may cross between machines: a protocol with its port, one without ports, or what is no IP.
static SERVICE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("^((tcp|udp)(/[0-9]+)?|icmp|[0-9]+|ethertype 0x[0-9a-f]{4})$").unwrap_or_else(|error| panic!("{error}"))
});

/// What looks like a blank: `@private-key-1@`.
static BLANK: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("@([a-z-]+)-([0-9]+)@").unwrap_or_else(|error| panic!("{error}")));

/// What a run fills into user-data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blank {
    /// A private key.
    PrivateKey,
    /// The public key that belongs to it.
    PublicKey,
    /// The address on the network between the machines.
    Address,
}

impl Blank {
    /// As it is written, before its number.
    fn name(self) -> &'static str {
        match self {
            Self::PrivateKey => "private-key",
            Self::PublicKey => "public-key",
            Self::Address => "address",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::PrivateKey, Self::PublicKey, Self::Address].into_iter().find(|blank| blank.name() == name)
    }
}

/// How a disk is attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bus {
    /// virtio-blk.
    #[default]
    Virtio,
    /// virtio-scsi.
    Scsi,
    /// AHCI.
    Sata,
    /// NVM Express.
    Nvme,
}

impl Bus {
    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Virtio => "virtio",
            Self::Scsi => "scsi",
            Self::Sata => "sata",
            Self::Nvme => "nvme",
        }
    }

    /// Its name, in words.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::Virtio => "virtio-blk",
            Self::Scsi => "virtio-scsi",
            Self::Sata => "SATA",
            Self::Nvme => "NVMe",
        }
    }
}

/// A cloud, as a machine meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cloud {
    /// A disk labelled CIDATA.
    NoCloud,
    /// A disk labelled config-2.
    ConfigDrive,
    /// Amazon EC2.
    Ec2,
    /// Google Compute Engine.
    Gce,
    /// Microsoft Azure.
    Azure,
    /// Nova of the `OpenStack` project.
    OpenStack,
}

/// Why a scenario cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// It is not written as one.
    #[error("{0}")]
    Text(String),
    /// It has no steps.
    #[error("it has no step")]
    Empty,
    /// It has more machines than a network, or machines that cannot be.
    #[error("{0}")]
    Machines(String),
    /// A step makes no sense where it stands.
    #[error("step {number}: {why}")]
    Step {
        /// Its number, from 1.
        number: usize,
        /// What is wrong.
        why: String,
    },
}

impl Scenario {
    /// Reads a scenario from TOML.
    ///
    /// # Errors
    /// [`ScenarioError`] with the line or the step that is wrong.
    pub fn read(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text).map_err(|error| ScenarioError::Text(error.to_string()))?;
        scenario.group()?;
        let mut on = vec![true; scenario.machines.len().max(1)];
        let mut at = 0;
        for (index, step) in scenario.steps.iter().enumerate() {
            let wrong = |why: String| Err(ScenarioError::Step { number: index + 1, why });
            match (step, on[at]) {
                (Step::Machine(number), _) => match usize::from(*number).checked_sub(1) {
                    Some(there) if there < scenario.machines.len() => at = there,
                    _ => {
                        let last = scenario.machines.len();
                        return wrong(format!("there is no machine {number} of {last}; each is a `[[machine]]`"));
                    }
                },
                (Step::Crossed(services), _) => {
                    if scenario.machines.is_empty() {
                        return wrong("nothing crosses between machines where there is one".to_owned());
                    }
                    let unknown = services.iter().find(|service| !SERVICE.is_match(service));
                    if services.is_empty() || unknown.is_some() {
                        let what = unknown.map(|unknown| format!("`{unknown}` is no service; ")).unwrap_or_default();
                        return wrong(format!("{what}name what has to cross, as in `udp/51820`, `icmp` or `47`"));
                    }
                }
                (Step::Network(network), _) if !network.cable && !scenario.machines.is_empty() => {
                    return wrong(
                        "the network of several machines is one for all, and their cables stay in".to_owned(),
                    );
                }
                (Step::Network(network), _) if network.metadata != MetadataService::Well && !scenario.is_served() => {
                    return wrong("there is no metadata service where `cloud` is none that has one".to_owned());
                }
                (Step::Start(_), false) if scenario.cloud.is_some() => {
                    return wrong("a machine on a cloud does not come back from a power failure; reboot it".to_owned());
                }
                (Step::Start(_), false) => on[at] = true,
                (Step::Start(_), true) => {
                    return wrong("the machine is on; `start` follows `crash` or `power-off`".to_owned());
                }
                (_, false) => return wrong("the machine is off; `start` has to come first".to_owned()),
                (Step::Crash(_) | Step::PowerOff(_), true) => on[at] = false,
                (Step::Expect(ids), true) => {
                    let known = |id: &str| crate::all().any(|check| check.about().id == id);
                    if let Some(id) = ids.iter().find(|id| !known(id)) {
                        return wrong(format!("`{id}` names no check; `kverify checks` lists them"));
                    }
                }
                _ => {}
            }
        }
        if scenario.steps.is_empty() {
            Err(ScenarioError::Empty)
        } else {
            Ok(Self { name: name.to_owned(), ..scenario })
        }
    }

    /// Whether its machine has a metadata service.
    fn is_served(&self) -> bool {
        self.cloud.is_some_and(|cloud| !matches!(cloud, Cloud::NoCloud | Cloud::ConfigDrive))
    }

    /// Whether it begins with a cold boot, and not with a fork of a machine whose disk is on `bus`.
    #[must_use]
    pub fn is_cold(&self, bus: Bus) -> bool {
        self.cloud.is_some() || !self.machines.is_empty() || self.bus.is_some_and(|its| its != bus)
    }

    /// Whether its machines can be.
    fn group(&self) -> Result<(), ScenarioError> {
        let wrong = |why: String| Err(ScenarioError::Machines(why));
        if self.machines.is_empty() {
            return Ok(());
        }
        if !(2..=MOST_MACHINES).contains(&self.machines.len()) {
            return wrong(format!("{} machines; a group has 2 to {MOST_MACHINES}", self.machines.len()));
        }
        if self.cloud.is_some() {
            return wrong("several machines are told what to do by a seed, and by no cloud".to_owned());
        }
        let last = self.machines.len();
        for (member, number) in self.machines.iter().zip(1..) {
            let known = |blank, of| match blank {
                Blank::Address if usize::from(of) > last => {
                    Err(format!("`@address-{of}@` is of no machine; the last one is {last}"))
                }
                _ => Ok(String::new()),
            };
            if let Err(why) = member.filled(known) {
                return wrong(format!("machine {number}: {why}"));
            }
            if member.user_data.lines().any(|line| line.starts_with("users:")) {
                return wrong(format!(
                    "machine {number}: its user-data has `users:`, which brings the account already"
                ));
            }
        }
        Ok(())
    }

    /// The ID of its outcome.
    #[must_use]
    pub fn id(&self) -> String {
        format!("scenario.{}", self.name)
    }
}

macro_rules! scenarios {
    ($($name:literal),* $(,)?) => {
        /// Every built-in scenario with its text, by name.
        const TEXTS: &[(&str, &str)] = &[$(($name, include_str!(concat!("scenarios/", $name, ".toml")))),*];
    };
}

scenarios!(
    "boot-environment",
    "cloud-azure",
    "cloud-configdrive",
    "cloud-ec2",
    "cloud-gce",
    "cloud-nocloud",
    "cloud-openstack",
    "crash",
    "disk-grows",
    "full-pool",
    "network-cable",
    "network-late",
    "network-silent",
    "network-slow",
    "on-nvme",
    "on-sata",
    "on-scsi",
    "power-off",
    "reboot",
    "wireguard-mesh",
);

static ALL: LazyLock<Vec<Scenario>> = LazyLock::new(|| {
    let read = |(name, text): &(&str, &str)| {
        Scenario::read(name, text).unwrap_or_else(|error| panic!("scenario {name}: {error}"))
    };
    TEXTS.iter().map(read).collect()
});

/// Every built-in scenario, by name.
///
/// # Panics
/// Never: a test reads them all.
#[must_use]
pub fn all() -> &'static [Scenario] {
    &ALL
}

#[cfg(test)]
mod tests {
    use super::{Member, Scenario, all};
    use crate::step::Step;

    #[test]
    fn names_are_sorted_and_every_scenario_demands_something() {
        assert!(all().is_sorted_by(|one, other| one.name < other.name));
        for scenario in all() {
            assert!(scenario.steps.iter().any(Step::demands), "{}", scenario.name);
            assert!(!scenario.about.is_empty() && !scenario.remedy.is_empty(), "{}", scenario.name);
        }
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        let read =
            |steps: &str| Scenario::read("x", &format!("about='a'\nremedy='b'\n{steps}")).unwrap_err().to_string();
        assert_eq!(read("step = []"), "it has no step");
        let off = read("[[step]]\ncrash = {}\n[[step]]\nlogin = {}\n");
        assert_eq!(off, "step 2: the machine is off; `start` has to come first");
        assert_eq!(read("[[step]]\nmachine = 2\n"), "step 1: there is no machine 2 of 0; each is a `[[machine]]`");
        let two = "[[machine]]\nuser-data=''\n[[machine]]\nuser-data='@address-3@'\n[[step]]\nlogin={}\n";
        assert_eq!(read(two), "machine 2: `@address-3@` is of no machine; the last one is 2");
        assert_eq!(
            read("[[step]]\ncrossed=['udp/1']\n"),
            "step 1: nothing crosses between machines where there is one"
        );
    }

    #[test]
    fn one_machine_may_be_off_while_another_goes_on() {
        let two = "about='a'\nremedy='b'\n[[machine]]\nuser-data=''\n[[machine]]\nuser-data=''\n";
        let read = |steps: &str| Scenario::read("x", &format!("{two}{steps}"));
        let crash = "[[step]]\ncrash={}\n[[step]]\nmachine=2\n[[step]]\nlogin={}\n";
        assert!(read(crash).is_ok());
        let back = format!("{crash}[[step]]\nmachine=1\n[[step]]\nlogin={{}}\n");
        assert_eq!(read(&back).unwrap_err().to_string(), "step 5: the machine is off; `start` has to come first");
    }

    #[test]
    fn blanks_are_filled_and_other_at_signs_are_left() {
        let filled = |user_data: &str| {
            let member = Member { user_data: user_data.to_owned() };
            member.filled(|blank, number| Ok(format!("<{}{number}>", blank.name())))
        };
        let text = "a@b.c @private-key-1@ @@public-key-2@@ user@address-2@x @x@ @address-1@address-2@";
        let done = "a@b.c <private-key1> @<public-key2>@ user<address2>x @x@ <address1>address-2@";
        assert_eq!(filled(text).unwrap(), done);
        for wrong in ["@pubilc-key-2@", "@address-0@", "@private-key-01@", "@public-key-256@"] {
            let why = filled(wrong).unwrap_err();
            assert!(why.starts_with(&format!("`{wrong}` is no blank; there are private-key")), "{why}");
        }
    }

    #[test]
    fn what_would_do_nothing_or_could_never_hold_is_an_error() {
        let read = |text: &str| Scenario::read("x", &format!("about='a'\nremedy='b'\n{text}")).unwrap_err().to_string();
        let two = |first: &str, steps: &str| {
            read(&format!("[[machine]]\nuser-data='{first}'\n[[machine]]\nuser-data=''\n{steps}"))
        };
        assert!(two("", "[[step]]\ncrossed=['UDP/51820']\n").starts_with("step 1: `UDP/51820` is no service; name"));
        assert!(two("", "[[step]]\nnetwork={cable=false}\n").ends_with("their cables stay in"));
        assert!(two("users: []", "[[step]]\nlogin={}\n").starts_with("machine 1: its user-data has `users:`"));
        let lost = "[[step]]\nnetwork={metadata='silent'}\n";
        assert!(read(lost).starts_with("step 1: there is no metadata service"));
        assert!(read(&format!("cloud='nocloud'\n{lost}")).starts_with("step 1: there is no metadata service"));
        let back = "cloud='ec2'\n[[step]]\ncrash={}\n[[step]]\nstart={}\n";
        assert!(read(back).starts_with("step 2: a machine on a cloud does not come back"));
    }

    #[test]
    fn a_word_that_is_no_step_is_an_error() {
        let text = "about='a'\nremedy='b'\n[[step]]\nreboots = {}\n";
        assert!(Scenario::read("x", text).unwrap_err().to_string().contains("reboots"));
    }
}
