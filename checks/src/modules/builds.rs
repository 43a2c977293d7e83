//! The ZFS modules on disk: one for each installed kernel, since the next boot may take another kernel than this one.

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// The running kernel, and the ZFS module of each installed one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZfsBuilds {
    /// Release of the running kernel, as in `6.12.57+deb13-amd64`.
    pub running: String,
    /// The kernels that have modules of their own on disk.
    pub builds: Vec<Build>,
}

/// A kernel and its ZFS module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// Release of the kernel.
    pub kernel: String,
    /// The release that the module was built for; nothing where there is no module.
    pub built_for: Option<String>,
}

/// What a removed kernel leaves behind (`modules.dep`, DKMS's own folder) has no folder `kernel`.
const SCRIPT: &str = "command -v modinfo >/dev/null || exit 127
for d in /lib/modules/*/kernel; do
k=${d%/kernel} k=${k##*/}
echo \"kernel $k\"
modinfo -k \"$k\" -F vermagic zfs
done
:";

/// What modinfo says of a module that depmod does not know, and of one whose file is gone.
const ABSENT: [&str; 2] = ["Module zfs not found", "could not get modinfo from 'zfs': No such file or directory"];

impl Fact for ZfsBuilds {
    const ID: &'static str = "modules.zfs-builds";

    fn probes() -> Vec<Probe> {
        vec![Probe::file("/proc/sys/kernel/osrelease"), Probe::root(["sh", "-c", SCRIPT])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let running = out[0].ok()?.trim().to_owned();
        let mut builds: Vec<Build> = Vec::new();
        for line in out[1].ok()?.lines() {
            match (line.strip_prefix("kernel "), builds.last_mut()) {
                (Some(kernel), _) => builds.push(Build { kernel: kernel.to_owned(), built_for: None }),
                (None, Some(build)) if build.built_for.is_none() => {
                    build.built_for = line.split_whitespace().next().map(str::to_owned);
                }
                _ => return Err(Unreadable::new(format!("not a kernel or its module: {line}"))),
            }
        }
        let mut absent = 0;
        for line in out[1].stderr.lines() {
            match line {
                _ if ABSENT.iter().any(|words| line.contains(words)) => absent += 1,
                // The library tells of a missing file beside the module before the tool tells of the module.
                _ if line.starts_with("libkmod:") && line.ends_with("No such file or directory") => {}
                _ => return Err(Unreadable::new(line.trim())),
            }
        }
        let missing = builds.iter().filter(|build| build.built_for.is_none()).count();
        if running.is_empty() || builds.is_empty() || missing != absent {
            return Err(Unreadable::new("cut off, or no kernel in /lib/modules"));
        }
        Ok(Self { running, builds })
    }
}

/// Every installed kernel, the running one among them, has a ZFS module built for it.
pub struct ZfsBuilt;

impl Check for ZfsBuilt {
    type Fact = ZfsBuilds;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "modules.zfs-built",
            demand: "the running kernel and every other that is installed have a ZFS module built for them",
            remedy: "`dkms autoinstall -k KERNEL`, or remove the kernel that has none",
            key: "modules.zfs_built",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.modules.zfs_built == Some(true)).then_some(())
    }

    fn judge(&self, got: &ZfsBuilds, (): &()) -> Verdict {
        let mut amiss: Vec<_> = got
            .builds
            .iter()
            .filter_map(|Build { kernel, built_for }| match built_for {
                None => Some(format!("none for {kernel}")),
                Some(other) if other != kernel => Some(format!("that of {kernel} is built for {other}")),
                Some(_) => None,
            })
            .collect();
        if !got.builds.iter().any(|build| build.kernel == got.running) {
            amiss.push(format!("no modules for the running kernel {}", got.running));
        }
        let kernels: Vec<_> = got.builds.iter().map(|build| build.kernel.as_str()).collect();
        let said = if amiss.is_empty() { format!("built for {}", kernels.join(", ")) } else { amiss.join(", ") };
        Verdict::of(amiss.is_empty(), "a module for every kernel", said)
    }
}
