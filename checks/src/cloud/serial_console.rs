//! The serial console: clouds show it, and on many it is the only way in when the network is not.

use std::collections::BTreeSet;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// Who writes to the consoles, and who waits there for a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerialConsole {
    /// The consoles that the kernel writes to.
    pub kernel: BTreeSet<String>,
    /// The serial lines at which a getty of systemd's runs.
    pub gettys: BTreeSet<String>,
}

/// A unit with a process has a group with a process: that is read faster than systemctl answers.
const SCRIPT: &str = "a=$(cat /sys/class/tty/console/active) || exit
echo \"consoles $a\"
cd /sys/fs/cgroup/system.slice || exit
for f in system-serial*getty.slice/serial-getty@*.service; do
[ -d \"$f\" ] && grep -qs . \"$f/cgroup.procs\" && echo \"$f\"; done; exit 0";

impl Fact for SerialConsole {
    const ID: &'static str = "cloud.serial-console";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["sh", "-c", SCRIPT])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let mut lines = out[0].ok()?.lines();
        let kernel = lines.next().and_then(|first| first.strip_prefix("consoles "));
        let kernel = kernel.ok_or_else(|| Unreadable::new("the kernel's consoles were not named"))?;
        let line = |unit: &str| {
            let name = unit.rsplit_once("/serial-getty@").and_then(|(_, unit)| unit.strip_suffix(".service"));
            name.map(str::to_owned).ok_or_else(|| Unreadable::new(format!("not a getty: {unit}")))
        };
        Ok(Self {
            kernel: kernel.split_whitespace().map(str::to_owned).collect(),
            gettys: lines.map(line).collect::<Result<_, _>>()?,
        })
    }
}

/// The kernel writes to the declared serial line, and somebody can log in there.
pub struct SerialConsoleServed;

impl Check for SerialConsoleServed {
    type Fact = SerialConsole;
    type Want = String;

    fn about(&self) -> &About {
        &About {
            id: "cloud.serial-console-served",
            demand: "the kernel writes to the declared serial line, and a getty waits there",
            remedy: "add `console=ttyS0` to the kernel's command line, and do not mask serial-getty@ttyS0.service",
            key: "cloud.serial_console",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<String> {
        image.cloud.serial_console.clone()
    }

    fn judge(&self, got: &SerialConsole, want: &String) -> Verdict {
        let words = |lines: &BTreeSet<String>| match lines.len() {
            0 => "none".to_owned(),
            _ => lines.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
        };
        let said = format!("kernel writes to {}; getty at {}", words(&got.kernel), words(&got.gettys));
        let served = got.kernel.contains(want) && got.gettys.contains(want);
        Verdict::of(served, format_args!("kernel and getty at {want}"), said)
    }
}
