//! Settings of the running kernel: what counts is what the kernel has, not what a file of sysctl.d asks for.

use std::collections::BTreeMap;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    lists::some,
    outcome::Verdict,
    probe::{Exit, Output, Probe},
    traits::{Group, Traits},
};

/// What is no setting but counted, made anew at each boot, or follows from the memory or the name of the machine; with a
/// dot at the end, all below it.
const COUNTED: [&str; 31] = [
    "dev.cdrom.",
    "fs.aio-nr",
    "fs.dentry-state",
    "fs.epoll.max_user_watches",
    "fs.fanotify.max_user_marks",
    "fs.file-nr",
    "fs.inode-nr",
    "fs.inode-state",
    "fs.inotify.max_user_watches",
    "fs.quota.",
    "kernel.cad_pid",
    "kernel.domainname",
    "kernel.hostname",
    "kernel.nmi_watchdog",
    "kernel.ns_last_pid",
    "kernel.osrelease",
    "kernel.perf_event_max_sample_rate",
    "kernel.pty.nr",
    "kernel.random.boot_id",
    "kernel.random.entropy_avail",
    "kernel.random.uuid",
    "kernel.sched_domain.",
    "kernel.spl.hostid",
    "kernel.spl.kmem.",
    "kernel.tainted",
    "kernel.threads-max",
    "kernel.version",
    "kernel.watchdog_cpumask",
    "vm.admin_reserve_kbytes",
    "vm.min_free_kbytes",
    "vm.user_reserve_kbytes",
];

/// The kernel's settings by their names with dots, blanks in a value made one; of several lines the first counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sysctls(BTreeMap<String, String>);

impl Fact for Sysctls {
    const ID: &'static str = "security.sysctls";
    const GROUPS: &'static [Group] = &[Group::Sysctl];

    fn probes() -> Vec<Probe> {
        // Looking into binfmt_misc would mount it.
        let skipped = "--exclude-dir=binfmt_misc";
        let folders = ["/proc/sys/dev", "/proc/sys/fs", "/proc/sys/kernel", "/proc/sys/vm"];
        vec![Probe::root(["grep", "-aHrs", "-m1", skipped, "", folders[0], folders[1], folders[2], folders[3]])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        // Some may only be written, which grep tells by its status.
        if !matches!(out[0].exit, Exit::Code(0 | 2)) {
            out[0].ok()?;
        }
        let mut settings = BTreeMap::new();
        for line in out[0].whole()?.lines() {
            let setting = line.strip_prefix("/proc/sys/").and_then(|line| line.split_once(':'));
            let (path, value) = setting.ok_or_else(|| Unreadable::new(format!("not a line of /proc/sys: {line}")))?;
            settings.insert(path.replace('/', "."), value.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        if !settings.contains_key("kernel.osrelease") {
            return Err(Unreadable::new("/proc/sys: not there, or not read"));
        }
        Ok(Self(settings))
    }

    fn tell(&self, traits: &mut Traits) {
        let counted = |name: &str| {
            COUNTED.iter().any(|of| name.strip_prefix(of).is_some_and(|rest| rest.is_empty() || of.ends_with('.')))
        };
        for (name, value) in self.0.iter().filter(|(name, _)| !counted(name)) {
            traits.put(Group::Sysctl, name, value);
        }
    }
}

/// The kernel's settings are the declared ones.
pub struct SysctlsAsDeclared;

impl Check for SysctlsAsDeclared {
    type Fact = Sysctls;
    type Want = BTreeMap<String, Vec<String>>;

    fn about(&self) -> &About {
        &About {
            id: "security.sysctls-as-declared",
            demand: "each setting of the running kernel that is declared has one of its declared values",
            remedy: "`sysctl --system` tells which file sets it last; what is set later wins",
            key: "security.sysctls",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<BTreeMap<String, Vec<String>>> {
        image.security.sysctls.clone()
    }

    fn judge(&self, got: &Sysctls, want: &BTreeMap<String, Vec<String>>) -> Verdict {
        let mut wrong = Vec::new();
        for (name, values) in want {
            match got.0.get(name) {
                Some(value) if values.contains(value) => {}
                Some(value) => wrong.push(format!("{name} = {value}, declared {}", values.join(" or "))),
                None => wrong.push(format!("{name} cannot be read, declared {}", values.join(" or "))),
            }
        }
        let none = format!("{} settings, all so", want.len());
        Verdict::of(wrong.is_empty(), format_args!("{} settings as declared", want.len()), some(&wrong, &none))
    }
}
