//! The drivers that the running kernel has for the platforms that the image is meant for.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    check::{About, Check, Cost, Need},
    cloud::Platform,
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Exit, Output, Probe},
};

/// The drivers of disks, buses and networks, and all modules from outside the kernel's own tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelDrivers {
    /// In the kernel itself.
    pub builtin: BTreeSet<String>,
    /// On disk, as a module.
    pub loadable: BTreeSet<String>,
}

const SCRIPT: &str = "read -r k </proc/sys/kernel/osrelease && cd \"/lib/modules/$k\" && exec grep -aoE \
'^(kernel/drivers/(ata|block|hv|message|net/(ethernet|hyperv|vmxnet3)|nvme|scsi|virtio|xen)/|kernel/drivers/net/[^/ :]*\
\\.ko|updates/|extra/|weak-updates/)[^ :]*' modules.builtin modules.dep";

impl KernelDrivers {
    pub(super) fn probe() -> Probe {
        Probe::root(["sh", "-c", SCRIPT])
    }

    pub(super) fn read(out: &Output) -> Result<Self, Unreadable> {
        // 1 is grep's word for: files read, nothing found.
        let text = if out.exit == Exit::Code(1) && out.stderr.is_empty() { out.whole()? } else { out.ok()? };
        let mut drivers = Self { builtin: BTreeSet::new(), loadable: BTreeSet::new() };
        for line in text.lines() {
            let (file, path) = line.split_once(':').unwrap_or((line, ""));
            let into = match file {
                "modules.builtin" => &mut drivers.builtin,
                "modules.dep" => &mut drivers.loadable,
                _ => return Err(Unreadable::new(format!("not a line of modules.builtin or modules.dep: {line}"))),
            };
            into.extend(module_name(path));
        }
        Ok(drivers)
    }
}

/// `hv_netvsc` of `kernel/drivers/net/hyperv/hv-netvsc.ko.xz`: the kernel takes both signs for one.
pub(super) fn module_name(path: &str) -> Option<String> {
    let (name, _) = path.rsplit('/').next()?.split_once(".ko")?;
    Some(name.replace('-', "_"))
}

impl Fact for KernelDrivers {
    const ID: &'static str = "cloud.kernel-drivers";

    fn probes() -> Vec<Probe> {
        vec![Self::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        Self::read(&out[0])
    }
}

/// The running kernel has every driver that the declared platforms need.
pub struct DriversInKernel;

impl Check for DriversInKernel {
    type Fact = KernelDrivers;
    type Want = BTreeMap<String, Platform>;

    fn about(&self) -> &About {
        &About {
            id: "cloud.drivers-in-kernel",
            demand: "the running kernel has every driver that the declared platforms need",
            remedy: "install the kernel's package of further modules, or another flavour of the kernel",
            key: "cloud.platforms",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<BTreeMap<String, Platform>> {
        image.cloud.platforms_asked()
    }

    fn judge(&self, got: &KernelDrivers, want: &BTreeMap<String, Platform>) -> Verdict {
        let has = |driver: &str| got.builtin.contains(driver) || got.loadable.contains(driver);
        Platform::verdict(want, "drivers", |platform| &platform.kernel, has)
    }
}
