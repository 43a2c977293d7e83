//! The drivers that the initramfs carries: what is not in it cannot find the disk, whatever the kernel's modules are.

use std::{collections::BTreeMap, collections::BTreeSet, time::Duration};

use crate::{
    check::{About, Check, Cost, Need},
    cloud::{KernelDrivers, Platform, kernel_drivers::module_name},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// The initramfs of the running kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Initramfs {
    /// Its file.
    pub path: String,
    /// The modules in it.
    pub modules: BTreeSet<String>,
    /// The drivers that need not be in it, since the kernel has them inside.
    pub builtin: BTreeSet<String>,
}

/// Copies beside the boot loader stand first: those are what is booted. The tools are those of initramfs-tools, dracut
/// and mkinitcpio.
const SCRIPT: &str = "read -r k </proc/sys/kernel/osrelease || exit
for i in /efi/*/\"$k\"/initrd* /boot/efi/*/\"$k\"/initrd* /boot/*/\"$k\"/initrd* /boot/efi/*/initrd*\"$k\"* \
/boot/initrd.img-\"$k\" /boot/initramfs-\"$k\".img /boot/initramfs-linux*.img; do
[ -f \"$i\" ] || continue
for t in lsinitramfs lsinitrd lsinitcpio; do
command -v $t >/dev/null || continue
l=$($t \"$i\") || exit
echo \"initramfs $i\"
printf '%s\\n' \"$l\" | grep -oE '[^/ ]+\\.ko' | sort -u
exit 0
done
echo 'no lsinitramfs, lsinitrd or lsinitcpio' >&2
exit 127
done
echo \"no initramfs of $k\" >&2
exit 2";

impl Fact for Initramfs {
    const ID: &'static str = "cloud.initramfs";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["sh", "-c", SCRIPT]).limit(Duration::from_mins(5)), KernelDrivers::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let mut lines = out[0].ok()?.lines();
        let path = lines.next().and_then(|first| first.strip_prefix("initramfs "));
        let path = path.ok_or_else(|| Unreadable::new("no initramfs named"))?.to_owned();
        let modules: BTreeSet<_> = lines
            .map(|line| module_name(line).ok_or_else(|| Unreadable::new(format!("not a module: {line}"))))
            .collect::<Result<_, _>>()?;
        Ok(Self { path, modules, builtin: KernelDrivers::read(&out[1])?.builtin })
    }
}

/// The initramfs has every driver that the declared platforms need before the root file system is there.
pub struct DriversInInitramfs;

impl Check for DriversInInitramfs {
    type Fact = Initramfs;
    type Want = BTreeMap<String, Platform>;

    fn about(&self) -> &About {
        &About {
            id: "cloud.drivers-in-initramfs",
            demand: "the initramfs has every driver that the declared platforms need early",
            remedy: "add them to /etc/initramfs-tools/modules or to dracut's add_drivers, and make the initramfs anew",
            key: "cloud.platforms",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<BTreeMap<String, Platform>> {
        image.cloud.platforms_asked()
    }

    fn judge(&self, got: &Initramfs, want: &BTreeMap<String, Platform>) -> Verdict {
        let has = |driver: &str| got.modules.contains(driver) || got.builtin.contains(driver);
        Platform::verdict(want, "drivers", |platform| &platform.initramfs, has).note(got.path.clone())
    }
}
