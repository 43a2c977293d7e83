//! Traits: what a fact says of an image in its release notes, as named values in groups.
//!
//! What differs at every boot of one image (numbers of processes, random names, what is counted) is no trait: two runs of
//! an image have the same. What is measured, as a time is, is told by its [`Scale`].

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::packages::Manager;

/// Most values of one fact in one group.
pub const MOST: usize = 10_000;
/// Most characters of a name; what is longer is cut.
const NAME: usize = 256;
/// Most characters of a value; what is longer is cut, and says how long it was.
const VALUE: usize = 1024;

/// What traits are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// The system as a whole: what it is, its language and time, who keeps its clock and its network.
    System,
    /// The kernel, and the modules that come from elsewhere.
    Kernel,
    /// The kernel's command line, by word.
    CommandLine,
    /// Installed packages, with their versions.
    Packages,
    /// Where packages come from.
    Sources,
    /// Loaded modules.
    Modules,
    /// Units that start at boot, and those that are masked.
    Units,
    /// What listens.
    Listeners,
    /// Accounts.
    Users,
    /// Groups of accounts.
    Groups,
    /// What sudo lets whom do.
    Sudo,
    /// The running kernel's settings.
    Sysctl,
    /// sshd's settings.
    Sshd,
    /// The disk's partitions.
    Disk,
    /// Pools, their properties and features.
    Pools,
    /// Datasets and snapshots, with their properties.
    Datasets,
    /// Files with rights of their own, keys, and what else is looked for among files.
    Files,
    /// What is taken of the pools.
    Sizes,
    /// How long the stages of the boot took.
    Times,
}

impl Group {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 19] = [
        Self::System,
        Self::Kernel,
        Self::CommandLine,
        Self::Packages,
        Self::Sources,
        Self::Modules,
        Self::Units,
        Self::Listeners,
        Self::Users,
        Self::Groups,
        Self::Sudo,
        Self::Sysctl,
        Self::Sshd,
        Self::Disk,
        Self::Pools,
        Self::Datasets,
        Self::Files,
        Self::Sizes,
        Self::Times,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Kernel => "kernel",
            Self::CommandLine => "command line",
            Self::Packages => "packages",
            Self::Sources => "package sources",
            Self::Modules => "modules",
            Self::Units => "units",
            Self::Listeners => "listeners",
            Self::Users => "users",
            Self::Groups => "groups",
            Self::Sudo => "sudo",
            Self::Sysctl => "sysctl",
            Self::Sshd => "sshd",
            Self::Disk => "disk",
            Self::Pools => "pools",
            Self::Datasets => "datasets",
            Self::Files => "files",
            Self::Sizes => "sizes",
            Self::Times => "boot times",
        }
    }

    fn scale(self) -> Scale {
        match self {
            Self::Sizes => Scale::Bytes,
            Self::Times => Scale::Seconds,
            _ => Scale::Text,
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How two values of one name stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// The same or another.
    Text,
    /// Versions in dpkg's order.
    Dpkg,
    /// Versions in rpm's order.
    Rpm,
    /// Measured bytes.
    Bytes,
    /// Measured seconds.
    Seconds,
}

impl Scale {
    /// Whether the values were measured: then no two runs have quite the same.
    #[must_use]
    pub fn is_measured(self) -> bool {
        matches!(self, Self::Bytes | Self::Seconds)
    }

    /// Who orders the values, where they are versions.
    #[must_use]
    pub fn manager(self) -> Option<Manager> {
        match self {
            Self::Dpkg => Some(Manager::Dpkg),
            Self::Rpm => Some(Manager::Rpm),
            Self::Text | Self::Bytes | Self::Seconds => None,
        }
    }
}

/// The traits of one group that one fact tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// How its values stand to those of another image.
    pub scale: Scale,
    /// Values by name; a value may be empty, where all there is to say is that the name is there. A name that has several
    /// has all of them, each once.
    pub values: BTreeMap<String, BTreeSet<String>>,
    /// How many values more there would be: the last ones in order of their names are left out beyond [`MOST`].
    pub left_out: usize,
}

/// What a fact tells, group by group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traits(BTreeMap<Group, Section>);

impl Traits {
    /// Nothing of these groups, but that it is known.
    #[must_use]
    pub fn of(groups: &[Group]) -> Self {
        let empty = |group: &Group| Section { scale: group.scale(), values: BTreeMap::new(), left_out: 0 };
        Self(groups.iter().map(|group| (*group, empty(group))).collect())
    }

    /// Adds a value. A name that is a dataset's, a blank and a word is told as a part of that dataset, and so elsewhere.
    pub fn put(&mut self, group: Group, name: impl AsRef<str>, value: impl fmt::Display) {
        let section = self.section(group);
        let (name, value) = (cut(name.as_ref(), NAME), cut(&value.to_string(), VALUE));
        section.values.entry(name).or_default().insert(value);
        if section.values.len() > MOST {
            let last = section.values.pop_last();
            section.left_out += last.map_or(0, |(_, values)| values.len());
        }
    }

    /// Adds a name of which there is nothing to say but that it is there.
    pub fn name(&mut self, group: Group, name: impl AsRef<str>) {
        self.put(group, name, "");
    }

    /// Says how the values of a group are ordered.
    pub fn order(&mut self, group: Group, scale: Scale) {
        self.section(group).scale = scale;
    }

    /// The groups, in order.
    pub fn sections(self) -> impl Iterator<Item = (Group, Section)> {
        self.0.into_iter()
    }

    fn section(&mut self, group: Group) -> &mut Section {
        let new = || Section { scale: group.scale(), values: BTreeMap::new(), left_out: 0 };
        self.0.entry(group).or_insert_with(new)
    }
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        // Of two that are as long and begin alike, the sums differ.
        Some((at, _)) => format!("{}… ({} characters, {:016x})", &text[..at], text.chars().count(), sum(text)),
    }
}

/// FNV-1a of 64 bits.
fn sum(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::{Group, MOST, Section, Traits};

    fn only(traits: Traits) -> Section {
        let mut sections: Vec<_> = traits.sections().collect();
        assert_eq!(sections.len(), 1);
        sections.remove(0).1
    }

    #[test]
    fn what_is_too_much_is_cut_and_counted() {
        let mut traits = Traits::of(&[Group::Files]);
        for number in (0..MOST + 3).rev() {
            traits.name(Group::Files, format!("{number:06}"));
        }
        let section = only(traits);
        assert_eq!((section.values.len(), section.left_out), (MOST, 3));
        assert_eq!(section.values.last_key_value().unwrap().0, "009999", "the first by name are kept");

        let mut traits = Traits::of(&[Group::Files]);
        traits.put(Group::Files, "é".repeat(300), "x".repeat(2000));
        let section = only(traits);
        let (name, values) = section.values.first_key_value().unwrap();
        assert!(name.starts_with('é') && name.contains("é… (300 characters, "), "{name}");
        assert!(values.first().unwrap().contains("x… (2000 characters, "));
    }

    #[test]
    fn a_name_has_each_of_its_values_once() {
        let mut traits = Traits::default();
        for version in ["6.2", "6.1", "6.2"] {
            traits.put(Group::Packages, "kernel-core", version);
        }
        let section = only(traits);
        assert_eq!(section.values["kernel-core"].iter().collect::<Vec<_>>(), ["6.1", "6.2"]);
    }

    #[test]
    fn groups_have_names_of_their_own() {
        let mut names = Group::ALL.map(Group::name).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Group::ALL.len());
        assert!(Group::ALL.is_sorted(), "as they are told");
    }
}
