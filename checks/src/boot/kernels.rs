//! The kernels that are installed: image, modules and initramfs of each, and the boot loader's entries for them.
//!
//! A shell lists them with its own means, so that it costs one process.

use std::collections::BTreeSet;

use super::version::newer;
use crate::{
    fact::{Fact, Unreadable},
    probe::{Output, Probe},
    traits::{Group, Traits},
};

/// The kernels on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kernels {
    /// Release of the running kernel, as in `6.12.57+deb13-amd64`.
    pub running: String,
    /// Releases that have a kernel image in `/boot`.
    pub images: BTreeSet<String>,
    /// Releases that have an initramfs in `/boot`.
    pub initramfs: BTreeSet<String>,
    /// Releases that have modules.
    pub modules: BTreeSet<String>,
    /// Files in `/boot` that are empty, with their folder.
    pub empty: Vec<String>,
    /// The boot loader's entries on the EFI system partition.
    pub entries: Vec<Entry>,
    /// Files that ask for a reboot.
    pub reboot_asked: Vec<String>,
}

/// An entry of the boot loader, as the Boot Loader Specification has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its file, with its folder.
    pub file: String,
    /// Release of its kernel, where it names one.
    pub version: Option<String>,
    /// The words behind `options`.
    pub options: String,
    /// The files that it starts.
    pub files: usize,
    /// Those of them that are not there or empty.
    pub missing: Vec<String>,
}

/// What a removed kernel leaves behind in `/lib/modules` has no folder `kernel`.
const SCRIPT: &str = r#"read -r k </proc/sys/kernel/osrelease || exit
echo "running $k"
for d in /lib/modules/*/kernel; do
[ -d "$d" ] && d=${d%/kernel} && echo "modules ${d##*/}"
done
for f in /boot/vmlinuz-* /boot/initrd.img-* /boot/initramfs-*.img /boot/initrd-*; do
if [ -s "$f" ]; then echo "file $f"; elif [ -e "$f" ] || [ -L "$f" ]; then echo "empty $f"; fi
done
for f in /run/reboot-required /run/reboot-needed; do [ -e "$f" ] && echo "reboot $f"; done
set -f
for p in /boot/efi /efi /boot; do
set +f
for e in "$p"/loader/entries/*.conf; do
set -f
[ -f "$e" ] || continue
echo "entry $e"
while read -r key value || [ -n "$key" ]; do
case $key in
version) echo "version $value" ;;
options) printf 'options %s\n' "$value" ;;
linux|efi|uki) for f in $value; do if [ -s "$p$f" ]; then echo "starts $f"; else echo "lacks $f"; fi; done ;;
initrd) for f in $value; do if [ -s "$p$f" ]; then echo "starts $f"; else echo "lacks $f"; fi; done ;;
esac
done <"$e"
done
done
:"#;

impl Kernels {
    pub(super) fn probe() -> Probe {
        Probe::root(["sh", "-c", SCRIPT])
    }

    pub(super) fn read(out: &Output) -> Result<Self, Unreadable> {
        let mut kernels = Self::default();
        for line in out.ok()?.lines() {
            kernels.take(line).ok_or_else(|| Unreadable::new(format!("not a line about kernels: {line}")))?;
        }
        if kernels.running.is_empty() {
            return Err(Unreadable::new("the running kernel has no release"));
        }
        Ok(kernels)
    }

    fn take(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ')?;
        match (word, self.entries.last_mut()) {
            ("running", None) => rest.clone_into(&mut self.running),
            ("modules", None) => drop(self.modules.insert(rest.to_owned())),
            ("empty", None) => self.empty.push(rest.to_owned()),
            ("reboot", None) => self.reboot_asked.push(rest.to_owned()),
            ("file", None) => self.take_file(rest.strip_prefix("/boot/")?)?,
            ("entry", _) => self.entries.push(Entry { file: rest.to_owned(), ..Entry::default() }),
            ("version", Some(entry)) => entry.version = Some(rest.trim().to_owned()),
            ("options", Some(entry)) => {
                entry.options.push_str(rest);
                entry.options.push(' ');
            }
            ("starts", Some(entry)) => entry.files += 1,
            ("lacks", Some(entry)) => entry.missing.push(rest.to_owned()),
            _ => return None,
        }
        Some(())
    }

    fn take_file(&mut self, name: &str) -> Option<()> {
        if let Some(release) = name.strip_prefix("vmlinuz-") {
            self.images.insert(release.to_owned());
            return Some(());
        }
        let release = name.strip_prefix("initrd.img-").or_else(|| name.strip_prefix("initrd-"));
        let release = release.or_else(|| name.strip_prefix("initramfs-")?.strip_suffix(".img"))?;
        // A second initramfs of the same kernel: for a crash dump, or with every driver.
        if !release.ends_with("kdump") && !release.ends_with("-fallback") {
            self.initramfs.insert(release.to_owned());
        }
        Some(())
    }

    /// The newest release that has image and modules.
    #[must_use]
    pub fn newest(&self) -> Option<&str> {
        let whole = self.images.intersection(&self.modules).map(String::as_str);
        whole.max_by(|one, other| newer(one, other).then_with(|| (*one == self.running).cmp(&(*other == self.running))))
    }
}

impl Fact for Kernels {
    const ID: &'static str = "boot.kernels";
    const GROUPS: &'static [Group] = &[Group::Kernel];

    fn probes() -> Vec<Probe> {
        vec![Self::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        Self::read(&out[0])
    }

    fn tell(&self, traits: &mut Traits) {
        traits.put(Group::Kernel, "running", &self.running);
        for release in self.images.union(&self.modules) {
            traits.put(Group::Kernel, "installed", release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Kernels;

    #[test]
    fn each_way_to_name_an_initramfs_is_read() {
        let mut kernels = Kernels { running: "6.1.0-41-amd64".to_owned(), ..Kernels::default() };
        for name in [
            "vmlinuz-6.1.0-9-amd64",
            "vmlinuz-6.1.0-41-amd64",
            "initrd.img-6.1.0-41-amd64",
            "initramfs-6.1.0-9-amd64.img",
            "initramfs-6.1.0-9-amd64kdump.img",
            "initramfs-linux-fallback.img",
        ] {
            assert_eq!(kernels.take_file(name), Some(()), "{name}");
        }
        assert_eq!(kernels.images, kernels.initramfs);
        assert_eq!(kernels.newest(), None);
        kernels.modules = kernels.images.clone();
        assert_eq!(kernels.newest(), Some("6.1.0-41-amd64"));
        assert_eq!(kernels.take_file("config-6.1.0-9-amd64"), None);
    }
}
