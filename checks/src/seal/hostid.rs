//! The host ID of a sealed image: one for all its machines, or none, so that each makes its own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    WALK_NAME,
    exported::Labels,
    trees::{Found, Trees},
};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    image::Label,
    lists::some,
    outcome::Verdict,
    probe::{ImageAspect, Output, Probe},
};

/// How machines of one image get their host ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HostIdPolicy {
    /// All have the one that the image brings: the same in `/etc/hostid` of every tree and in the labels.
    Fixed,
    /// The image brings none.
    Absent,
}

/// The host IDs that stand on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostIdOnDisk {
    /// Each root file system with the bytes of its `/etc/hostid` in hexadecimal, where it has one.
    pub files: Vec<(String, Option<String>)>,
    /// The labels of the pools' devices.
    pub labels: Vec<Label>,
}

impl Fact for HostIdOnDisk {
    const ID: &'static str = "seal.hostid";

    fn probes() -> Vec<Probe> {
        vec![Probe::offline([WALK_NAME, "hostids"]), Probe::image(ImageAspect::Layout)]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let trees = Trees::read(&out[0])?;
        if trees.roots().next().is_none() {
            return Err(Unreadable::new("no root file system was found"));
        }
        let files = trees.roots().map(|tree| {
            let hex = tree.found.iter().find_map(|found| match found {
                Found::HostId(hex) => Some(hex.clone()),
                _ => None,
            });
            (tree.name.clone(), hex)
        });
        Ok(Self { files: files.collect(), labels: Labels::parse(&out[1..])?.0 })
    }
}

/// The bytes of `/etc/hostid` that make this number.
fn hex(id: u64) -> String {
    format!("{:08x}", u32::try_from(id).unwrap_or_default().swap_bytes())
}

/// The host ID is what the image's makers decided.
pub struct HostIdAsDeclared;

impl Check for HostIdAsDeclared {
    type Fact = HostIdOnDisk;
    type Want = HostIdPolicy;

    fn about(&self) -> &About {
        &About {
            id: "seal.hostid-as-declared",
            demand: "/etc/hostid of every root file system and the labels have one host ID, or none has, as declared",
            remedy: "write /etc/hostid before the image is sealed, or remove it and make the initramfs anew; `zgenhostid` makes one",
            key: "seal.hostid",
            cost: Cost::Deep,
            needs: &[Need::Sealed],
        }
    }

    fn want(&self, image: &Expectation) -> Option<HostIdPolicy> {
        image.seal.hostid
    }

    fn judge(&self, got: &HostIdOnDisk, want: &HostIdPolicy) -> Verdict {
        let first = got.files.first().and_then(|(_, id)| id.clone());
        match want {
            HostIdPolicy::Absent => {
                let found = got.files.iter().filter_map(|(tree, id)| Some(format!("{} in {tree}", id.as_ref()?)));
                let found: Vec<_> = found.collect();
                Verdict::of(found.is_empty(), "no /etc/hostid", some(&found, "none"))
            }
            HostIdPolicy::Fixed => {
                let id = first.filter(|id| id.len() == 8 && id != "00000000");
                let other = got.files.iter().filter(|(_, other)| *other != id);
                let mut wrong: Vec<_> = other
                    .map(|(tree, other)| format!("{} in {tree}", other.as_deref().unwrap_or("no /etc/hostid")))
                    .collect();
                let labels = got.labels.iter().filter(|label| label.hostid.map(hex) != id);
                wrong.extend(labels.map(|label| {
                    format!("label of {} {}", label.pool, label.hostid.map_or("without".to_owned(), hex))
                }));
                let said = id.clone().unwrap_or_else(|| "no /etc/hostid of four bytes".to_owned());
                let holds = id.is_some() && !got.labels.is_empty() && wrong.is_empty();
                Verdict::of(holds, "one host ID in every tree and label", [vec![said], wrong].concat().join(", "))
            }
        }
    }
}
