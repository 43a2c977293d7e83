//! `zfs version`: the tools and the module that is loaded.

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
    traits::{Group, Traits},
};

/// The versions of the tools and of the loaded module, as in `2.3.9-1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions {
    /// Of the tools.
    pub userland: String,
    /// Of the module in the kernel.
    pub module: String,
}

impl Fact for Versions {
    const ID: &'static str = "zfs.versions";
    const GROUPS: &'static [Group] = &[Group::Kernel];

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["zfs", "version"])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let text = out[0].ok()?;
        let module = text.lines().find_map(|line| line.strip_prefix("zfs-kmod-"));
        let userland =
            text.lines().find_map(|line| line.strip_prefix("zfs-").filter(|rest| !rest.starts_with("kmod-")));
        match (userland, module) {
            (Some(userland), Some(module)) => Ok(Self { userland: userland.to_owned(), module: module.to_owned() }),
            _ => Err(Unreadable::new(format!("not two versions: {}", text.trim().replace('\n', ", ")))),
        }
    }

    fn tell(&self, traits: &mut Traits) {
        traits.put(Group::Kernel, "zfs tools", &self.userland);
        traits.put(Group::Kernel, "zfs module", &self.module);
    }
}

/// The release without what a distribution adds after the hyphen.
fn release(version: &str) -> &str {
    version.split_once('-').map_or(version, |(release, _)| release)
}

/// The tools and the module are of one release.
pub struct VersionsAgree;

impl Check for VersionsAgree {
    type Fact = Versions;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "zfs.versions-agree",
            demand: "the tools of ZFS and the loaded module are of one release",
            remedy: "rebuild the module, and the initramfs that carries it, after the tools are upgraded",
            key: "zfs.versions_agree",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.zfs.versions_agree == Some(true)).then_some(())
    }

    fn judge(&self, got: &Versions, (): &()) -> Verdict {
        let Versions { userland, module } = got;
        let said = format!("tools {userland}, module {module}");
        let verdict = Verdict::of(release(userland) == release(module), "one release", said);
        if userland == module { verdict } else { verdict.note("tools and module are packaged apart") }
    }
}
