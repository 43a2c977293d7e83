//! Swap: what is in use, and what `/etc/fstab` asks of the next boot.

use std::{collections::BTreeSet, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Value;

use super::small_files;
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// Where a machine swaps to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swap {
    /// What is in use.
    pub active: Vec<Area>,
    /// What `/etc/fstab` names, in use or not.
    pub configured: Vec<Area>,
}

/// One area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    /// A device, a file, or what `/etc/fstab` calls it by.
    pub path: String,
    /// What it is.
    pub kind: SwapKind,
}

/// The kinds of swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SwapKind {
    /// A file.
    File,
    /// A partition, or another block device.
    Partition,
    /// Compressed memory.
    Zram,
    /// A volume of a pool: the pool needs memory to write what is to free memory, and the machine can lock up.
    Zvol,
}

impl fmt::Display for SwapKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "file",
            Self::Partition => "partition",
            Self::Zram => "zram",
            Self::Zvol => "zvol",
        })
    }
}

impl SwapKind {
    fn of_device(path: &str) -> Self {
        match path.strip_prefix("/dev/") {
            Some(name) if name.starts_with("zvol/") || numbered(name, "zd") => Self::Zvol,
            Some(name) if numbered(name, "zram") => Self::Zram,
            _ => Self::Partition,
        }
    }
}

/// Whether a device is called `prefix` and a number, and perhaps a partition's behind it.
fn numbered(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()))
}

impl Fact for Swap {
    const ID: &'static str = "boot.swap";

    fn probes() -> Vec<Probe> {
        vec![small_files::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let files = small_files::read(&out[0])?;
        // A kernel without swap has no such file, but it has a command line.
        small_files::first(&files, small_files::COMMAND_LINE)?;
        let mut swaps = files.lines(small_files::SWAPS).unwrap_or_default().iter();
        if swaps.next().is_some_and(|heading| !heading.starts_with("Filename")) {
            return Err(Unreadable::new(format!("{} has no heading", small_files::SWAPS)));
        }
        Ok(Self {
            active: swaps.map(|line| active(line)).collect::<Result<_, _>>()?,
            configured: files
                .lines(small_files::FSTAB)
                .unwrap_or_default()
                .iter()
                .filter_map(|line| configured(line))
                .collect(),
        })
    }
}

/// `path type size used priority`; a blank in a path is written as `\040`.
fn active(line: &str) -> Result<Area, Unreadable> {
    let words: Vec<_> = line.split_whitespace().collect();
    let kind = match words[..] {
        [path, "partition", _, _, _] => SwapKind::of_device(path),
        [_, "file", _, _, _] => SwapKind::File,
        _ => return Err(Unreadable::new(format!("not a line of {}: {line}", small_files::SWAPS))),
    };
    Ok(Area { path: words[0].to_owned(), kind })
}

fn configured(line: &str) -> Option<Area> {
    let words: Vec<_> = line.split_whitespace().collect();
    match words[..] {
        [path, _, "swap", ..] if !path.starts_with('#') => {
            let named = ["UUID=", "LABEL=", "PARTUUID=", "PARTLABEL="].iter().any(|by| path.starts_with(by));
            let device = named || path.starts_with("/dev/");
            let kind = if device { SwapKind::of_device(path) } else { SwapKind::File };
            Some(Area { path: path.to_owned(), kind })
        }
        _ => None,
    }
}

/// The machine swaps to what it is meant to swap to.
pub struct SwapAsDeclared;

impl Check for SwapAsDeclared {
    type Fact = Swap;
    /// The kinds that have to be in use; none of any other may be in use or in `/etc/fstab`.
    type Want = Vec<SwapKind>;

    fn about(&self) -> &About {
        &About {
            id: "boot.swap-as-declared",
            demand: "swap of the declared kinds is in use, and neither is nor will be any other",
            remedy: "take the line out of /etc/fstab and `swapoff` it; a machine on ZFS swaps to zram or a partition, never \
                     to a volume of the pool",
            key: "boot.swap",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<SwapKind>> {
        image.boot.swap.clone()
    }

    fn judge(&self, got: &Swap, want: &Vec<SwapKind>) -> Verdict {
        let wanted: BTreeSet<_> = want.iter().copied().collect();
        let active: BTreeSet<_> = got.active.iter().map(|area| area.kind).collect();
        let stray = got.configured.iter().any(|area| !wanted.contains(&area.kind));
        let unused = got.configured.iter().filter(|area| !got.active.contains(area));
        let said = got.active.iter().map(|area| format!("{} {}", area.kind, area.path));
        let asked = unused.map(|area| format!("{} {} in {}", area.kind, area.path, small_files::FSTAB));
        let said: Vec<_> = said.chain(asked).collect();
        let names: Vec<_> = wanted.iter().map(ToString::to_string).collect();
        let listed = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Verdict::of(active == wanted && !stray, listed(&names), listed(&said))
    }

    fn observed(&self, got: &Swap) -> Option<Value> {
        let kinds: BTreeSet<_> = got.active.iter().map(|area| area.kind).collect();
        Value::try_from(kinds).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{SwapKind, active, configured};

    #[test]
    fn a_zvol_calls_itself_a_partition() {
        let kind = |line: &str| active(line).map(|area| area.kind);
        assert_eq!(kind("/dev/zd0 partition 262140 0 -2"), Ok(SwapKind::Zvol));
        assert_eq!(kind("/dev/zram0 partition 262140 0 100"), Ok(SwapKind::Zram));
        assert_eq!(kind("/dev/vda3 partition 262140 0 -2"), Ok(SwapKind::Partition));
        assert_eq!(kind("/swap\\040file file 262140 0 -2"), Ok(SwapKind::File));
        assert!(kind("/dev/vda3 partition 1").is_err());
    }

    #[test]
    fn fstab_names_swap_in_many_ways() {
        let kind = |line: &str| configured(line).map(|area| area.kind);
        assert_eq!(kind("/dev/zvol/rpool/swap none swap discard 0 0"), Some(SwapKind::Zvol));
        assert_eq!(kind("UUID=1234\tnone\tswap\tsw,nofail\t0 0"), Some(SwapKind::Partition));
        assert_eq!(kind("/swapfile none swap sw 0 0"), Some(SwapKind::File));
        assert_eq!(kind("#/swapfile none swap sw 0 0"), None);
        assert_eq!(kind("UUID=8FB0-BE6C /boot/efi vfat umask=0077 0 0"), None);
    }
}
