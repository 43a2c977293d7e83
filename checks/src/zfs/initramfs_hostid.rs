//! The host id inside the initramfs: it is the one under which the root pool is imported at the next boot.
//!
//! Apart from the other host ids because the archive has to be unpacked to see it.

use std::time::Duration;

use super::hostid::dumped;
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// The host ids of the system and of the initramfs of the running kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitramfsHostId {
    /// Of `/etc/hostid`; nothing where there is no such file.
    pub file: Option<u64>,
    /// Of the copy in the initramfs; nothing where it has none.
    pub initramfs: Option<u64>,
}

/// An archive with microcode in front unpacks into folders, the system's in `main`.
const SCRIPT: &str = "d=$(mktemp -d) || exit
trap 'rm -rf \"$d\"' EXIT
unmkinitramfs \"/boot/initrd.img-$(uname -r)\" \"$d\" || exit
for f in \"$d/main/etc/hostid\" \"$d/etc/hostid\"; do
[ ! -e \"$f\" ] || { od -An -v -tx1 \"$f\"; exit; }
done
[ -e \"$d/init\" ] || [ -e \"$d/main/init\" ] || exit
echo none";

impl Fact for InitramfsHostId {
    const ID: &'static str = "zfs.initramfs-hostid";

    fn probes() -> Vec<Probe> {
        let unpack = Probe::root(["sh", "-c", SCRIPT]).touches().limit(Duration::from_mins(5));
        vec![Probe::root(["od", "-An", "-v", "-tx1", "/etc/hostid"]), unpack]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let none = out[1].ok()?.trim() == "none";
        Ok(Self { file: dumped(&out[0])?, initramfs: if none { None } else { dumped(&out[1])? } })
    }
}

/// The initramfs has the system's host id.
pub struct InitramfsHostIdAgrees;

impl Check for InitramfsHostIdAgrees {
    type Fact = InitramfsHostId;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "zfs.initramfs-hostid-agrees",
            demand: "the initramfs of the running kernel holds the same host id as /etc/hostid",
            remedy: "`update-initramfs -u` after /etc/hostid is written",
            key: "zfs.initramfs_hostid",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.zfs.initramfs_hostid == Some(true)).then_some(())
    }

    fn judge(&self, got: &InitramfsHostId, (): &()) -> Verdict {
        let word = |id: Option<u64>| id.map_or("none".to_owned(), |id| format!("{id:08x}"));
        let said = format!("initramfs {}, /etc/hostid {}", word(got.initramfs), word(got.file));
        Verdict::of(got.initramfs == got.file, "one host id", said)
    }
}
