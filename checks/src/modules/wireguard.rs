//! `WireGuard`, loaded for real: a dry run finds the file, but not a wrong build, a bad signature or a missing symbol.

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Exit, Output, Probe},
};

/// What came of loading `WireGuard`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WireGuard {
    /// It is in the kernel.
    Loaded,
    /// The kernel or the loader refused it, in these words.
    Refused(String),
}

/// A module built into the kernel is in /sys/module too, and modprobe is content with it.
const SCRIPT: &str = "modprobe wireguard && cd /sys/module/wireguard && pwd";

impl Fact for WireGuard {
    const ID: &'static str = "modules.wireguard";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["sh", "-c", SCRIPT]).touches()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let said = out[0].stderr.trim().replace('\n', ", ");
        let not_ours = ["Operation not permitted", "Permission denied"];
        match out[0].exit {
            Exit::Code(0) if out[0].whole()?.trim() == "/sys/module/wireguard" => Ok(Self::Loaded),
            Exit::Code(code) if code != 0 && code < 126 && said.contains("wireguard") => {
                if not_ours.iter().any(|words| said.contains(words)) {
                    Err(Unreadable::new(said))
                } else {
                    Ok(Self::Refused(said))
                }
            }
            _ => out[0].ok().and_then(|text| Err(Unreadable::new(format!("not a loaded module: {}", text.trim())))),
        }
    }
}

/// `WireGuard` loads.
pub struct WireGuardLoadable;

impl Check for WireGuardLoadable {
    type Fact = WireGuard;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "modules.wireguard-loadable",
            demand: "the wireguard module is there and loads",
            remedy: "install the full kernel package and run depmod; remove a blacklist or install line in /etc/modprobe.d",
            key: "modules.wireguard",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.modules.wireguard == Some(true)).then_some(())
    }

    fn judge(&self, got: &WireGuard, (): &()) -> Verdict {
        match got {
            WireGuard::Loaded => Verdict::of(true, "loaded", "loaded"),
            WireGuard::Refused(words) => Verdict::of(false, "loaded", words),
        }
    }
}
