//! Scenarios: rows of steps that a machine has to come through, each on a machine of its own.
//!
//! They are data: a new one is a file in `scenarios/` and its line here.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::step::Step;

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
    /// The bus of the disk; such a machine boots cold. Otherwise it is a fork, on the bus of the run.
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
    /// What cloud-init is told beside the account: the rest of a `#cloud-config`, without `users`. What stands between
    /// at signs is filled in: `@private-key-1@`, `@public-key-2@` and `@address-2@` are of the machine with that number;
    /// keys are WireGuard's, made for one run. Keys of a number beyond the last are nobody's.
    #[serde(rename = "user-data")]
    pub user_data: String,
}

impl Member {
    /// What has to be filled in, each once: what it is, and of which machine.
    #[must_use]
    pub fn blanks(&self) -> Vec<(Blank, u8)> {
        let mut blanks: Vec<_> = self
            .user_data
            .split('@')
            .filter_map(|word| {
                let (blank, number) = word.rsplit_once('-')?;
                Some((Blank::named(blank)?, number.parse().ok().filter(|number| *number > 0)?))
            })
            .collect();
        blanks.sort_unstable();
        blanks.dedup();
        blanks
    }
}

/// What a run fills into user-data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    #[must_use]
    pub fn name(self) -> &'static str {
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
                    _ => return wrong(format!("there is no machine {number} of {}", scenario.machines.len())),
                },
                (Step::Crossed(services), _) => {
                    if scenario.machines.is_empty() {
                        return wrong("nothing crosses between machines where there is one".to_owned());
                    }
                    if services.is_empty() {
                        return wrong("name what has to cross, as in `udp/51820`".to_owned());
                    }
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
        for (index, member) in self.machines.iter().enumerate() {
            let beyond =
                |(blank, number): &(Blank, u8)| *blank == Blank::Address && usize::from(*number) > self.machines.len();
            if let Some((blank, number)) = member.blanks().into_iter().find(beyond) {
                return wrong(format!("machine {}: @{}-{number}@ is of no machine", index + 1, blank.name()));
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
    use super::{Blank, Member, Scenario, all};
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
        assert_eq!(read("[[step]]\nmachine = 2\n"), "step 1: there is no machine 2 of 0");
        let two = "[[machine]]\nuser-data=''\n[[machine]]\nuser-data='@address-3@'\n[[step]]\nlogin={}\n";
        assert_eq!(read(two), "machine 2: @address-3@ is of no machine");
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
    fn blanks_are_found_and_other_at_signs_are_not() {
        let member = Member {
            user_data: "a@b.c @private-key-1@ @public-key-2@ user@address-2@x @key-1@ @address-0@ @address-2@"
                .to_owned(),
        };
        assert_eq!(member.blanks(), [(Blank::PrivateKey, 1), (Blank::PublicKey, 2), (Blank::Address, 2)]);
    }

    #[test]
    fn a_word_that_is_no_step_is_an_error() {
        let text = "about='a'\nremedy='b'\n[[step]]\nreboots = {}\n";
        assert!(Scenario::read("x", text).unwrap_err().to_string().contains("reboots"));
    }
}
