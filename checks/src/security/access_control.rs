//! Mandatory access control: which module the kernel runs, and whether it holds anybody back.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    files::Files,
    outcome::Verdict,
    probe::{Output, Probe},
    traits::{Group, Traits},
};

const MODULES: &str = "/sys/kernel/security/lsm";
const PROFILES: &str = "/sys/kernel/security/apparmor/profiles";
const ENFORCE: &str = "/sys/fs/selinux/enforce";

/// What the kernel says of `AppArmor` and `SELinux`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessControl {
    /// The profiles of `AppArmor`: how many enforce, and how many do anything less. `None` where the kernel does not run it.
    pub apparmor: Option<(usize, usize)>,
    /// Whether `SELinux` enforces; `None` where the kernel does not run it, or has no policy mounted.
    pub selinux: Option<bool>,
}

/// A module of mandatory access control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Module {
    /// `AppArmor`.
    Apparmor,
    /// `SELinux`.
    Selinux,
    /// None of them.
    None,
}

/// What is expected of mandatory access control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessControlWanted {
    /// The module.
    pub module: Module,
    /// Whether it has to enforce: `SELinux` as a whole, `AppArmor` with at least one profile.
    #[serde(default)]
    pub enforcing: bool,
}

impl Fact for AccessControl {
    const ID: &'static str = "security.access-control";
    const GROUPS: &'static [Group] = &[Group::System];

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["grep", "-aH", "", MODULES, PROFILES, ENFORCE])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let files = Files::parse(&out[0], &[MODULES, PROFILES, ENFORCE])?;
        let modules = files.lines(MODULES).and_then(<[String]>::first);
        let modules = modules.ok_or_else(|| Unreadable::new(format!("{MODULES}: not there or empty")))?;
        let runs = |name: &str| modules.split(',').any(|module| module.trim() == name);
        let apparmor = if runs("apparmor") {
            let profiles = files.lines(PROFILES);
            Some(count(profiles.ok_or_else(|| Unreadable::new(format!("{PROFILES}: no such file")))?)?)
        } else {
            None
        };
        let selinux = match files.lines(ENFORCE) {
            Some([value]) if value == "0" || value == "1" => Some(value == "1"),
            None => None,
            Some(other) => return Err(Unreadable::new(format!("{ENFORCE}: {}", other.join(" ")))),
        };
        Ok(Self { apparmor, selinux: selinux.filter(|_| runs("selinux")) })
    }

    fn tell(&self, traits: &mut Traits) {
        let enforces = |enforces| if enforces { "enforces" } else { "enforces nothing" };
        if let Some((enforcing, _)) = self.apparmor {
            traits.put(Group::System, "AppArmor", enforces(enforcing > 0));
        }
        if let Some(enforcing) = self.selinux {
            traits.put(Group::System, "SELinux", enforces(enforcing));
        }
    }
}

/// How many profiles enforce, and how many do less.
fn count(profiles: &[String]) -> Result<(usize, usize), Unreadable> {
    let mut counts = (0, 0);
    for line in profiles {
        match line.rsplit_once(" (").and_then(|(_, mode)| mode.strip_suffix(')')) {
            Some("enforce" | "kill") => counts.0 += 1,
            Some("complain" | "unconfined" | "prompt" | "mixed") => counts.1 += 1,
            _ => return Err(Unreadable::new(format!("{PROFILES}: {line}"))),
        }
    }
    Ok(counts)
}

impl fmt::Display for AccessControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.apparmor, self.selinux) {
            (None, None) => f.write_str("none"),
            (Some((enforce, less)), _) => write!(f, "apparmor, {enforce} profiles enforce, {less} do not"),
            (None, Some(true)) => f.write_str("selinux, enforcing"),
            (None, Some(false)) => f.write_str("selinux, permissive"),
        }
    }
}

impl fmt::Display for AccessControlWanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.module {
            Module::Apparmor => "apparmor",
            Module::Selinux => "selinux",
            Module::None => "none",
        })?;
        if self.enforcing { f.write_str(", enforcing") } else { Ok(()) }
    }
}

/// Mandatory access control is as the distro has it.
pub struct AccessControlAsExpected;

impl Check for AccessControlAsExpected {
    type Fact = AccessControl;
    type Want = AccessControlWanted;

    fn about(&self) -> &About {
        &About {
            id: "security.access-control-as-expected",
            demand: "the kernel runs the expected mandatory access control, and it enforces where that is expected",
            remedy: "AppArmor: install apparmor, take apparmor=0 off the kernel command line; SELinux: SELINUX=enforcing in /etc/selinux/config, and no enforcing=0 or selinux=0",
            key: "security.access_control",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<AccessControlWanted> {
        image.security.access_control
    }

    fn judge(&self, got: &AccessControl, want: &AccessControlWanted) -> Verdict {
        let holds = match want.module {
            Module::Apparmor => got.apparmor.is_some_and(|(enforce, _)| enforce > 0 || !want.enforcing),
            Module::Selinux => got.selinux.is_some_and(|enforces| enforces || !want.enforcing),
            Module::None => got.apparmor.is_none() && got.selinux.is_none(),
        };
        Verdict::of(holds, want, got)
    }
}
