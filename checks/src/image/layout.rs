//! What the disk holds, read on the host: partitions, EFI system partition, ZFS labels.

use serde::{Deserialize, Serialize};

use crate::{
    fact::{Fact, Unreadable},
    probe::{ImageAspect, Output, Probe},
    traits::{Group, Traits},
};

/// The layout of the disk inside the image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// Size of the disk, in bytes.
    pub disk_bytes: u64,
    /// The partitions of the GPT, in table order; `None` where there is no valid GPT.
    pub gpt: Option<Vec<Partition>>,
    /// What is wrong with the GPT, if anything (a bad checksum, a missing backup header).
    pub gpt_problems: Vec<String>,
    /// The first EFI system partition; `None` where there is none.
    pub esp: Option<Esp>,
    /// The newest ZFS label of each partition that has one (or of the whole disk, partition 0).
    pub labels: Vec<Label>,
}

/// One GPT partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// Its number, from 1.
    pub number: u32,
    /// Type GUID, upper case with hyphens.
    pub type_guid: String,
    /// Its name in the table.
    pub name: String,
    /// First byte.
    pub start: u64,
    /// Length in bytes.
    pub bytes: u64,
}

/// The EFI system partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Esp {
    /// Its partition number.
    pub partition: u32,
    /// Every file on it with its size, by path from the root with `/` between (`EFI/BOOT/BOOTX64.EFI`), sorted.
    pub files: Vec<(String, u64)>,
    /// Why its file system could not be read, if so.
    pub unreadable: Option<String>,
    /// The machine type of the PE header of the fallback loader (`EFI/BOOT/BOOTX64.EFI` or `BOOTAA64.EFI`), as in `x86-64`;
    /// `None` where there is none or it is not a PE file.
    pub fallback_machine: Option<String>,
}

/// A ZFS vdev label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The partition it is on; 0 for the whole disk.
    pub partition: u32,
    /// Pool name.
    pub pool: String,
    /// `ACTIVE`, `EXPORTED`, `DESTROYED` …, by `pool_state_t`.
    pub state: String,
    /// The hostid of the system that last imported it.
    pub hostid: Option<u64>,
    /// The host name of that system.
    pub hostname: Option<String>,
    /// Transaction group of the label.
    pub txg: u64,
    /// Pool GUID.
    pub guid: u64,
    /// `ashift` of the top-level vdev.
    pub ashift: Option<u64>,
    /// How many of the four labels were readable.
    pub copies: u32,
}

impl Fact for Layout {
    const ID: &'static str = "image.layout";
    const GROUPS: &'static [Group] = &[Group::Disk];

    fn probes() -> Vec<Probe> {
        vec![Probe::image(ImageAspect::Layout)]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        serde_json::from_str(out[0].ok()?).map_err(|error| Unreadable::new(error.to_string()))
    }

    fn tell(&self, traits: &mut Traits) {
        traits.put(Group::Disk, "size", format_args!("{} MiB", self.disk_bytes >> 20));
        for Partition { number, type_guid, name, bytes, .. } in self.gpt.iter().flatten() {
            let name = if name.is_empty() { type_guid } else { name };
            traits.put(Group::Disk, format!("partition {number}"), format_args!("{name}, {} MiB", bytes >> 20));
        }
    }
}
