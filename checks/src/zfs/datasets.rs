//! `zfs list`: datasets and snapshots with their properties, and the kernel's mounts.

use std::collections::BTreeMap;

use super::mounts::Mounts;
use crate::{
    fact::{Fact, Unreadable},
    probe::{Output, Probe},
    traits::{Group, Traits},
};

/// Every dataset and snapshot of the imported pools, and what is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datasets {
    /// File systems, volumes and snapshots, in the order printed; none where the tool says that there is none.
    pub list: Vec<Dataset>,
    /// What is mounted.
    pub mounts: Mounts,
}

/// One dataset or snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// Full name, of a snapshot with `@`.
    pub name: String,
    /// `filesystem`, `volume` or `snapshot`.
    pub kind: String,
    /// A path, `none` or `legacy`; `-` where it means nothing.
    pub mountpoint: String,
    /// `on`, `off` or `noauto`; `-` where it means nothing.
    pub canmount: String,
    /// Compression as set, as in `lz4`; `-` of a snapshot.
    pub compression: String,
    /// Every property that was asked, the three above too, as printed: sizes in bytes, `-` where one means nothing.
    pub properties: BTreeMap<&'static str, String>,
}

impl Dataset {
    /// A size in bytes; nothing where the property means nothing, or is no size.
    #[must_use]
    pub fn bytes(&self, property: &str) -> Option<u64> {
        self.properties.get(property)?.parse().ok()
    }
}

/// What is asked of each, after name and type.
const ASKED: [&str; 26] = [
    "mountpoint",
    "canmount",
    "compression",
    "acltype",
    "atime",
    "available",
    "checksum",
    "copies",
    "dedup",
    "defer_destroy",
    "devices",
    "encryption",
    "exec",
    "logbias",
    "primarycache",
    "quota",
    "readonly",
    "recordsize",
    "refquota",
    "relatime",
    "reservation",
    "setuid",
    "snapdir",
    "sync",
    "userrefs",
    "xattr",
];

/// What of it is no setting, or is told with the dataset.
const COUNTED: [&str; 4] = ["available", "defer_destroy", "mountpoint", "userrefs"];

impl Datasets {
    /// The file system of that name.
    #[must_use]
    pub fn filesystem(&self, name: &str) -> Option<&Dataset> {
        self.filesystems().find(|dataset| dataset.name == name)
    }

    /// The file systems.
    pub fn filesystems(&self) -> impl Iterator<Item = &Dataset> {
        self.list.iter().filter(|dataset| dataset.kind == "filesystem")
    }

    /// The names of the snapshots.
    pub fn snapshots(&self) -> impl Iterator<Item = &str> {
        self.list.iter().filter(|dataset| dataset.kind == "snapshot").map(|dataset| dataset.name.as_str())
    }
}

impl Fact for Datasets {
    const ID: &'static str = "zfs.datasets";
    const GROUPS: &'static [Group] = &[Group::Datasets];

    fn probes() -> Vec<Probe> {
        let columns = format!("name,type,{}", ASKED.join(","));
        let list = ["zfs", "list", "-Hp", "-t", "filesystem,volume,snapshot", "-o", &columns];
        vec![Probe::root(list).bound(4 * 1024 * 1024), Mounts::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let text = out[0].ok()?;
        let list = text.lines().map(dataset).collect::<Result<Vec<_>, _>>()?;
        if list.is_empty() && out[0].stderr.trim() != "no datasets available" {
            return Err(Unreadable::new("nothing was said of any dataset"));
        }
        Ok(Self { list, mounts: Mounts::read(out[1].ok()?)? })
    }

    fn tell(&self, traits: &mut Traits) {
        for Dataset { name, kind, mountpoint, properties, .. } in &self.list {
            let place = if mountpoint.starts_with('/') { format!(" on {mountpoint}") } else { String::new() };
            traits.put(Group::Datasets, name, format_args!("{kind}{place}"));
            if kind == "snapshot" {
                continue;
            }
            let meant = properties.iter().filter(|(property, value)| !COUNTED.contains(property) && *value != "-");
            for (property, value) in meant {
                traits.put(Group::Datasets, format!("{name} {property}"), value);
            }
        }
    }
}

fn dataset(line: &str) -> Result<Dataset, Unreadable> {
    let columns: Vec<_> = line.split('\t').collect();
    let [name, kind, values @ ..] = &columns[..] else {
        return Err(Unreadable::new(format!("not a dataset: {line}")));
    };
    let [mountpoint, canmount, compression, ..] = values else {
        return Err(Unreadable::new(format!("not a dataset with its properties: {line}")));
    };
    if values.len() != ASKED.len() {
        return Err(Unreadable::new(format!("{name} has {} of {} properties", values.len(), ASKED.len())));
    }
    if !["filesystem", "volume", "snapshot"].contains(kind) {
        return Err(Unreadable::new(format!("{name} is of an unknown kind: {kind}")));
    }
    Ok(Dataset {
        name: (*name).to_owned(),
        kind: (*kind).to_owned(),
        mountpoint: (*mountpoint).to_owned(),
        canmount: (*canmount).to_owned(),
        compression: (*compression).to_owned(),
        properties: ASKED.into_iter().zip(values.iter().map(|value| (*value).to_owned())).collect(),
    })
}
