//! Scenarios: rows of steps that a machine has to come through, each on a machine of its own.
//!
//! They are data: a new one is a file in `scenarios/` and its line here.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::step::Step;

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
    /// What is done, in order.
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
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
        let mut on = true;
        for (index, step) in scenario.steps.iter().enumerate() {
            let wrong = |why: String| Err(ScenarioError::Step { number: index + 1, why });
            match (step, on) {
                (Step::Start(_), false) => on = true,
                (Step::Start(_), true) => {
                    return wrong("the machine is on; `start` follows `crash` or `power-off`".to_owned());
                }
                (_, false) => return wrong("the machine is off; `start` has to come first".to_owned()),
                (Step::Crash(_) | Step::PowerOff(_), true) => on = false,
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
    use super::{Scenario, all};
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
    }

    #[test]
    fn a_word_that_is_no_step_is_an_error() {
        let text = "about='a'\nremedy='b'\n[[step]]\nreboots = {}\n";
        assert!(Scenario::read("x", text).unwrap_err().to_string().contains("reboots"));
    }
}
