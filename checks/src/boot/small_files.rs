//! The small files that several facts of this topic rest on, read by one process.

use crate::{
    fact::Unreadable,
    files::Files,
    probe::{Output, Probe},
};

pub(super) const TAINTED: &str = "/proc/sys/kernel/tainted";
pub(super) const COMMAND_LINE: &str = "/proc/cmdline";
pub(super) const SWAPS: &str = "/proc/swaps";
pub(super) const FSTAB: &str = "/etc/fstab";
pub(super) const ADJTIME: &str = "/etc/adjtime";
pub(super) const TIMEZONE: &str = "/etc/timezone";
pub(super) const LOCALE: &str = "/etc/locale.conf";
pub(super) const DEBIAN_LOCALE: &str = "/etc/default/locale";
pub(super) const CONSOLE: &str = "/etc/vconsole.conf";
pub(super) const KEYBOARD: &str = "/etc/default/keyboard";

/// The services that set the clock, and the file that lists the processes of each while it runs.
pub(super) const TIME_SERVICES: [(&str, &str); 6] = [
    ("chrony.service", "/sys/fs/cgroup/system.slice/chrony.service/cgroup.procs"),
    ("chronyd.service", "/sys/fs/cgroup/system.slice/chronyd.service/cgroup.procs"),
    ("ntpd.service", "/sys/fs/cgroup/system.slice/ntpd.service/cgroup.procs"),
    ("ntpsec.service", "/sys/fs/cgroup/system.slice/ntpsec.service/cgroup.procs"),
    ("openntpd.service", "/sys/fs/cgroup/system.slice/openntpd.service/cgroup.procs"),
    ("systemd-timesyncd.service", "/sys/fs/cgroup/system.slice/systemd-timesyncd.service/cgroup.procs"),
];

const PATHS: [&str; 16] = [
    TAINTED,
    COMMAND_LINE,
    SWAPS,
    FSTAB,
    ADJTIME,
    TIMEZONE,
    LOCALE,
    DEBIAN_LOCALE,
    CONSOLE,
    KEYBOARD,
    TIME_SERVICES[0].1,
    TIME_SERVICES[1].1,
    TIME_SERVICES[2].1,
    TIME_SERVICES[3].1,
    TIME_SERVICES[4].1,
    TIME_SERVICES[5].1,
];

/// The probe that reads them all.
pub(super) fn probe() -> Probe {
    let mut argv = ["grep"; 19];
    argv[1] = "-aH";
    argv[2] = "";
    argv[3..].copy_from_slice(&PATHS);
    Probe::root(argv)
}

/// Its answer.
///
/// # Errors
/// [`Unreadable`] if a file is there and cannot be read.
pub(super) fn read(out: &Output) -> Result<Files, Unreadable> {
    Files::parse(out, &PATHS)
}

/// The first line of a file of the kernel, which is there on any machine.
///
/// # Errors
/// [`Unreadable`] if it is not there, or empty.
pub(super) fn first<'a>(files: &'a Files, path: &str) -> Result<&'a str, Unreadable> {
    let line = files.lines(path).and_then(<[String]>::first);
    line.map(String::as_str).ok_or_else(|| Unreadable::new(format!("{path} is not there or empty")))
}

/// The value of `NAME=value` in a file of settings, without quotes; the last one counts, as it does to a shell.
pub(super) fn setting<'a>(files: &'a Files, path: &str, name: &str) -> Option<&'a str> {
    let lines = files.lines(path)?.iter().map(|line| line.trim().trim_start_matches("export "));
    let mut values = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    values.next_back().map(|value| value.trim().trim_matches(['"', '\'']))
}
