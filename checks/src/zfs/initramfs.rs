//! What the initramfs carries of ZFS: every copy of it, since the one that is booted is not the one that is rebuilt.

use std::time::Duration;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// The copies of the initramfs of the running kernel: beside the boot loader and in /boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitramfsContents(pub Vec<Copy>);

/// One copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// Its file.
    pub path: String,
    /// What it has of ZFS: paths in it.
    pub files: Vec<String>,
}

/// The tools are those of initramfs-tools, dracut and mkinitcpio. A copy that is the same as one before is not listed
/// again, since that takes seconds.
const SCRIPT: &str = "read -r k </proc/sys/kernel/osrelease || exit
seen=
for i in /efi/*/\"$k\"/initrd /efi/*/\"$k\"/initrd.img /boot/efi/*/\"$k\"/initrd /boot/efi/*/\"$k\"/initrd.img \
/boot/*/\"$k\"/initrd /boot/*/\"$k\"/initrd.img /boot/efi/*/initrd.img-\"$k\" /boot/initrd.img-\"$k\" \
/boot/initramfs-\"$k\".img; do
[ -f \"$i\" ] || continue
echo \"initramfs $i\"
[ -z \"$seen\" ] || ! cmp -s \"$i\" \"$seen\" || { echo \"same $seen\"; continue; }
seen=$i
for t in lsinitramfs lsinitrd lsinitcpio; do
command -v $t >/dev/null || continue
l=$($t \"$i\") || exit
printf '%s\\n' \"$l\" | grep -oE '[^ ]*(/(zfs|spl)\\.ko[.a-z]*|bin/zpool|scripts/zfs|hooks/zfs|mount-zfs\\.sh)$' | sort
continue 2
done
echo 'no lsinitramfs, lsinitrd or lsinitcpio' >&2
exit 127
done
[ -n \"$seen\" ] || { echo \"no initramfs of $k\" >&2; exit 2; }";

impl Fact for InitramfsContents {
    const ID: &'static str = "zfs.initramfs-contents";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["sh", "-c", SCRIPT]).limit(Duration::from_mins(5))]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let mut copies: Vec<Copy> = Vec::new();
        for line in out[0].ok()?.lines() {
            if let Some(path) = line.strip_prefix("initramfs ") {
                copies.push(Copy { path: path.to_owned(), files: Vec::new() });
            } else if let Some(other) = line.strip_prefix("same ") {
                let files = copies.iter().find(|copy| copy.path == other).map(|copy| copy.files.clone());
                let files = files.ok_or_else(|| Unreadable::new(format!("no copy was listed of {other}")))?;
                copies.last_mut().into_iter().for_each(|copy| copy.files.clone_from(&files));
            } else {
                let copy = copies.last_mut().ok_or_else(|| Unreadable::new(format!("of no initramfs: {line}")))?;
                copy.files.push(line.to_owned());
            }
        }
        if copies.is_empty() { Err(Unreadable::new("no initramfs named")) } else { Ok(Self(copies)) }
    }
}

impl Copy {
    /// What it lacks.
    fn lacks(&self) -> Vec<&'static str> {
        let has = |of: &dyn Fn(&str) -> bool| self.files.iter().any(|file| of(file));
        let parts = [
            (has(&|file| file.contains("/zfs.ko")), "module"),
            (has(&|file| file.ends_with("bin/zpool")), "zpool"),
            (has(&|file| file.ends_with("/zfs") || file.ends_with("mount-zfs.sh")), "import script"),
        ];
        parts.into_iter().filter(|(there, _)| !there).map(|(_, part)| part).collect()
    }
}

/// Every copy of the initramfs can import the pool.
pub struct InitramfsCarriesZfs;

impl Check for InitramfsCarriesZfs {
    type Fact = InitramfsContents;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "zfs.initramfs-carries-zfs",
            demand: "every copy of the running kernel's initramfs has the ZFS module, zpool, and the script that imports the pool",
            remedy: "install zfs-initramfs or the dracut module, make the initramfs anew, and copy it to where the loader finds it",
            key: "zfs.initramfs_carries_zfs",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.zfs.initramfs_carries_zfs == Some(true)).then_some(())
    }

    fn judge(&self, got: &InitramfsContents, (): &()) -> Verdict {
        let said = got.0.iter().map(|copy| match &copy.lacks()[..] {
            [] => format!("{} whole", copy.path),
            lacks => format!("{} without {}", copy.path, lacks.join(", ")),
        });
        let holds = !got.0.is_empty() && got.0.iter().all(|copy| copy.lacks().is_empty());
        Verdict::of(holds, "module, zpool and import script", said.collect::<Vec<_>>().join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::Copy;

    fn lacks(files: &[&str]) -> Vec<&'static str> {
        let files = files.iter().map(|file| (*file).to_owned()).collect();
        Copy { path: "initrd.img".to_owned(), files }.lacks()
    }

    #[test]
    fn a_packed_module_and_each_tools_script_count() {
        let module = "lib/modules/6.1.0/updates/dkms/zfs.ko.xz";
        assert!(lacks(&[module, "sbin/zpool", "scripts/zfs"]).is_empty());
        assert!(lacks(&[module, "usr/bin/zpool", "var/lib/dracut/hooks/mount/98-mount-zfs.sh"]).is_empty());
    }

    #[test]
    fn what_another_module_has_does_not() {
        assert_eq!(lacks(&["lib/modules/6.1.0/updates/dkms/spl.ko", "usr/sbin/zpool"]), ["module", "import script"]);
    }
}
