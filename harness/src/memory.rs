//! How much memory may still be used here.

use std::path::{Path, PathBuf};

/// Bytes that may still be used, where it can be told: what the kernel has, and what the control group (version 2) of this
/// process leaves of its limit. `read` gives the text of a file.
pub(crate) fn available(read: impl Fn(PathBuf) -> Option<String>) -> Option<u64> {
    let meminfo = read("/proc/meminfo".into())?;
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let free = line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024;
    let groups = read("/proc/self/cgroup".into()).unwrap_or_default();
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let group = Path::new("/sys/fs/cgroup").join(group);
    let number = |file: &str| read(group.join(file))?.trim().parse::<u64>().ok();
    let left = number("memory.max").map(|most| most.saturating_sub(number("memory.current").unwrap_or(0)));
    Some(left.map_or(free, |left| left.min(free)))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::available;

    #[test]
    fn memory_is_what_kernel_and_control_group_both_leave() {
        let meminfo = "MemTotal:       24628552 kB\nMemAvailable:   22544388 kB\n";
        let read = |most: &'static str| {
            move |path: PathBuf| match path.to_str().unwrap() {
                "/proc/meminfo" => Some(meminfo.to_owned()),
                "/sys/fs/cgroup/memory.max" => Some(format!("{most}\n")),
                "/sys/fs/cgroup/memory.current" => Some("1048576\n".to_owned()),
                _ => None,
            }
        };
        assert_eq!(available(read("max")), Some(22_544_388 * 1024));
        assert_eq!(available(read("2097152")), Some(1_048_576));
        assert_eq!(available(|_| None), None);
    }

    #[test]
    fn the_control_group_is_that_of_this_process() {
        let read = |path: PathBuf| match path.to_str().unwrap() {
            "/proc/meminfo" => Some("MemAvailable:   22544388 kB\n".to_owned()),
            "/proc/self/cgroup" => Some("1:name=systemd:/x\n0::/user.slice/a.scope\n".to_owned()),
            "/sys/fs/cgroup/user.slice/a.scope/memory.max" => Some("4096\n".to_owned()),
            _ => None,
        };
        assert_eq!(available(read), Some(4096));
    }
}
