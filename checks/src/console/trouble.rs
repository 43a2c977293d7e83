//! The table of what must not stand on a console: a pattern, and the kind of trouble it means.
//!
//! One table serves the checks, which read the whole log, and the wait for a boot, which reads line by line. A pattern
//! may match anywhere in a line, because the kernel writes into the middle of what systemd is just writing.

use std::{fmt, sync::LazyLock};

use regex::RegexSet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind of trouble that a console line can tell of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// A program died of a fault of its own.
    CrashedProgram,
    /// systemd went to its emergency or rescue mode, or froze.
    EmergencyMode,
    /// A task was blocked for minutes.
    HungTask,
    /// The initramfs gave up and opened its shell.
    InitramfsShell,
    /// The kernel met a bug of its own and went on: an oops, a `BUG`.
    KernelOops,
    /// The kernel gave up.
    KernelPanic,
    /// The kernel found a state that it believed impossible, and went on: a `WARNING` with a trace.
    KernelWarning,
    /// A CPU did not come back in time: a soft or hard lockup, an RCU stall.
    Lockup,
    /// The kernel took a module for unsigned, or signed by a key that it does not know, and refused it.
    ModuleRefused,
    /// The firmware or the boot loader found nothing to boot.
    NothingToBoot,
    /// systemd dropped a job because units wait for each other in a circle.
    OrderingCycle,
    /// Memory ran out and a process was killed for it.
    OutOfMemory,
    /// A disk or the file system on it answered with errors.
    StorageError,
    /// ZFS stopped a thread for ever because what it met must not be.
    ZfsPanic,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CrashedProgram => "crashed program",
            Self::EmergencyMode => "emergency mode",
            Self::HungTask => "hung task",
            Self::InitramfsShell => "initramfs shell",
            Self::KernelOops => "kernel oops",
            Self::KernelPanic => "kernel panic",
            Self::KernelWarning => "kernel warning",
            Self::Lockup => "lockup",
            Self::ModuleRefused => "refused module",
            Self::NothingToBoot => "nothing to boot",
            Self::OrderingCycle => "ordering cycle",
            Self::OutOfMemory => "out of memory",
            Self::StorageError => "storage error",
            Self::ZfsPanic => "ZFS panic",
        })
    }
}

/// The first pattern that a line holds decides, so the special ones stand before the general.
const PATTERNS: &[(Trouble, &str)] = &[
    (Trouble::KernelPanic, r"Kernel panic - not syncing"),
    (Trouble::KernelPanic, r"PANIC: double fault"),
    // OpenZFS on Linux: spl_panic, cmn_err(CE_PANIC), and the SPL before 0.6.4. None says "kernel panic".
    (Trouble::ZfsPanic, r"\bPANIC at \S+\.[ch]:\d+:"),
    (Trouble::ZfsPanic, r"(?:^|\] )PANIC: "),
    (Trouble::ZfsPanic, r"\bSPL PANIC\b"),
    (Trouble::ZfsPanic, r"(?:^|\] )VERIFY\w*\(.+\) failed"),
    // dracut. Its systemd units are called emergency too, so they stand before those of systemd.
    (Trouble::InitramfsShell, r"Entering emergency mode\. Exit the shell to continue"),
    (Trouble::InitramfsShell, r"/run/initramfs/rdsosreport\.txt"),
    (Trouble::InitramfsShell, r"Dracut Emergency Shell"),
    (Trouble::InitramfsShell, r"dracut: (?:FATAL:|Refusing to continue)"),
    // initramfs-tools and the ZFS script in it.
    (Trouble::InitramfsShell, r"Dropping to a shell!"),
    (Trouble::InitramfsShell, r"^\(initramfs\)|\(initramfs\) *$"),
    (Trouble::InitramfsShell, r"Manually (?:import the pool|mount the filesystem) and exit\."),
    // mkinitcpio, its hook for ZFS (which ends the init script, so that no shell follows), Alpine's mkinitfs (which tells
    // the kernel's log that it failed, but of the shell only the console that is named last), busybox in any of them.
    (
        Trouble::InitramfsShell,
        r"You are (?:now being dropped into an emergency|(?:being )?dropped to a recovery) shell",
    ),
    (Trouble::InitramfsShell, r"ERROR: (?:Failed to mount the real root device|Root device mounted successfully, but)"),
    (Trouble::InitramfsShell, r"Bailing out, you are on your own\. Good luck\."),
    (Trouble::InitramfsShell, r"ERROR: ZFS: Unable to import pool"),
    (Trouble::InitramfsShell, r"initramfs emergency recovery shell launched"),
    (Trouble::InitramfsShell, r"\bMounting (?:root|boot media): failed\."),
    (Trouble::InitramfsShell, r"^BusyBox v.* built-in shell \(ash\)"),
    (Trouble::EmergencyMode, r"(?:You are in|Welcome to) (?:emergency|rescue) mode"),
    (Trouble::EmergencyMode, r"(?:Reached target|Started) .*(?:Emergency|Rescue) (?:Mode|Shell)"),
    (Trouble::EmergencyMode, r"(?:Give root password|Press Enter) for (?:system )?maintenance"),
    (Trouble::EmergencyMode, r"Cannot open access to console, the root account is locked"),
    (Trouble::EmergencyMode, r"systemd\[1\]: Freezing execution|\[!!!!!!\]"),
    (Trouble::NothingToBoot, r"No bootable (?:option or device was found|device)"),
    (Trouble::NothingToBoot, r"UEFI Interactive Shell v\d"),
    (Trouble::NothingToBoot, r"No loader found\. Configuration files in"),
    (Trouble::NothingToBoot, r"grub rescue>|Minimal BASH-like line editing is supported"),
    (Trouble::Lockup, r"soft lockup - CPU#\d"),
    (Trouble::Lockup, r"hard LOCKUP on cpu"),
    (Trouble::Lockup, r"INFO: rcu\w* (?:self-)?detected (?:expedited )?stalls?"),
    (Trouble::Lockup, r"BUG: workqueue lockup"),
    (Trouble::HungTask, r"INFO: task .+ blocked .*for more than \d+ seconds"),
    (Trouble::KernelOops, r"\bBUG: "),
    (Trouble::KernelOops, r"\bkernel BUG at "),
    (Trouble::KernelOops, r"\bOops: "),
    (Trouble::KernelOops, r"\bInternal error: "),
    (Trouble::KernelOops, r"\[#\d+\](?: |$)"),
    (Trouble::KernelOops, r"Unable to handle kernel "),
    (Trouble::KernelWarning, r"WARNING: CPU: \d+ PID: \d+"),
    (Trouble::KernelWarning, r"WARNING: \S+\.[ch]:\d+ at .*CPU#\d"),
    // The checks of a kernel's own arithmetic and of its locks say neither `WARNING: CPU` nor name a CPU.
    (Trouble::KernelWarning, r"\bUBSAN: \S+ in \S+:\d+:\d+"),
    (
        Trouble::KernelWarning,
        r"\bWARNING: (?:possible .*(?:locking|lock|dependency)|inconsistent lock state|suspicious RCU usage)",
    ),
    (Trouble::OutOfMemory, r"(?i:out of memory): kill(?:ed)? process|Out of memory: Kill"),
    (Trouble::OutOfMemory, r"invoked oom-killer:"),
    (Trouble::OutOfMemory, r"oom-kill:constraint="),
    // Drives that are empty without being broken (fd0, sr0) answer with errors too.
    (Trouble::StorageError, r"(?:I/O|medium|target|protection) error,? (?:on )?dev (?:vd|sd|nvme|xvd|mmcblk|dm-)"),
    (Trouble::StorageError, r"\bzio pool=\S+ vdev=\S+ error=\d+"),
    (Trouble::StorageError, r"\bEXT4-fs error\b|\bEXT4-fs .*Filesystem error recorded from previous mount"),
    // A checksum that is wrong, and each reason for which XFS shuts a file system down; the words' case has changed.
    (
        Trouble::StorageError,
        r"\bXFS \([^)]+\): (?i:Corruption|Metadata (?:corruption|CRC error|I/O error)|Log I/O error)",
    ),
    (Trouble::StorageError, r"(?i:remounting (?:filesystem|file system) read-only)"),
    // kernel/module/signing.c, and its lockdown; then what modprobe says of it, that of kmod and that of busybox.
    (Trouble::ModuleRefused, r"Loading of (?:unsigned module|module with .+) is rejected"),
    (Trouble::ModuleRefused, r"Lockdown: .+: unsigned module loading is restricted"),
    (Trouble::ModuleRefused, r"modprobe: .*: (?:Key was rejected by service|Required key not available)"),
    (Trouble::OrderingCycle, r"(?i:ordering cycle found|found ordering cycle)|to break ordering cycle"),
    (Trouble::CrashedProgram, r"\]: segfault at "),
    (Trouble::CrashedProgram, r"traps: \S+\[\d+\] "),
    (Trouble::CrashedProgram, r"Process \d+ \(.+\) of user \d+ dumped core"),
];

static SET: LazyLock<RegexSet> =
    LazyLock::new(|| RegexSet::new(PATTERNS.iter().map(|(_, pattern)| pattern)).expect("constant patterns"));

impl Trouble {
    /// The trouble that a line tells of, if any; the line has no escape sequences.
    #[must_use]
    pub fn of(line: &str) -> Option<Self> {
        SET.matches(line).iter().min().map(|first| PATTERNS[first].0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every line holds the trouble and none other.
    fn all_are(trouble: Trouble, lines: &[&str]) {
        for line in lines {
            assert_eq!(Trouble::of(line), Some(trouble), "{line}");
        }
    }

    #[test]
    fn what_xfs_and_ext4_say_of_a_damaged_disk() {
        all_are(
            Trouble::StorageError,
            &[
                "[    7.1] XFS (sdb1): Metadata CRC error detected at xfs_agi_read_verify+0x5e/0x110 [xfs], xfs_agi block 0x2",
                "[    7.1] XFS (sdb1): Metadata I/O Error (0x1) detected at xfs_buf_ioend+0x2f/0x60 [xfs]",
                "[    7.1] XFS (dm-2): metadata I/O error in \"xlog_recover_do\" at daddr 0x40 len 8 error 117",
                "[    7.1] XFS (dm-2): log I/O error -5",
                "[    7.1] XFS (dm-2): Corruption detected. Unmount and run xfs_repair",
                "[    7.1] EXT4-fs warning (device vda1): ext4_clear_journal_err:4: Filesystem error recorded from previous mount: IO failure",
            ],
        );
        assert_eq!(Trouble::of("[    7.1] XFS (sdb1): Mounting V5 Filesystem"), None);
        assert_eq!(Trouble::of("[    7.1] EXT4-fs (vda1): mounted filesystem with ordered data mode."), None);
    }

    #[test]
    fn emergency_mode_of_older_and_newer_systemd() {
        all_are(
            Trouble::EmergencyMode,
            &[
                "Welcome to emergency mode! After logging in, type \"journalctl -xb\" to view",
                "Welcome to rescue mode! Type \"systemctl default\" or ^D to enter default mode.",
                "You are in emergency mode. After logging in, type \"journalctl -xb\" to view",
            ],
        );
        assert_eq!(Trouble::of("Welcome to CentOS Linux 7 (Core)!"), None);
    }

    #[test]
    fn modules_that_nobody_signed() {
        all_are(
            Trouble::ModuleRefused,
            &[
                "[    6.0] Loading of unsigned module is rejected",
                "[    6.0] Loading of module with unavailable key is rejected",
                "[    6.0] Lockdown: modprobe: unsigned module loading is restricted; see man kernel_lockdown.7",
                "modprobe: ERROR: could not insert 'zfs': Key was rejected by service",
                "modprobe: ERROR: could not insert 'zfs': Required key not available",
            ],
        );
        for line in [
            "[    0.4] Lockdown: swapper/0: hibernation is restricted; see man kernel_lockdown.7",
            "[    6.0] spl: module verification failed: signature and/or required key missing - tainting kernel",
            "modprobe: FATAL: Module zfs not found in directory /lib/modules/6.12.0",
        ] {
            assert_eq!(Trouble::of(line), None, "{line}");
        }
    }

    #[test]
    fn warnings_that_name_no_cpu() {
        all_are(
            Trouble::KernelWarning,
            &[
                "[    2.0] UBSAN: array-index-out-of-bounds in /build/linux-Ab1/linux-5.15.0/drivers/x/y.c:1:2",
                "[  195.4] UBSAN: signed-integer-overflow in ../fs/open.c:321:15",
                "[    6.3] WARNING: possible circular locking dependency detected",
                "[    6.3] WARNING: possible recursive locking detected",
                "[    6.3] WARNING: possible irq lock inversion dependency detected",
                "[    6.3] WARNING: inconsistent lock state",
                "[    6.3] WARNING: suspicious RCU usage",
            ],
        );
        assert_eq!(
            Trouble::of("[  133.5] ata1.01: WARNING: ATAPI DMA disabled for reliability issues.  It can be enabled"),
            None
        );
        assert_eq!(Trouble::of("[    0.0] UBSAN: checks are on"), None);
    }

    #[test]
    fn every_way_in_which_an_initramfs_gives_up_is_known() {
        for line in [
            "You are now being dropped into an emergency shell.",
            "You are being dropped to a recovery shell",
            "ERROR: Failed to mount the real root device.",
            "ERROR: Root device mounted successfully, but /sbin/init does not exist.",
            "Bailing out, you are on your own. Good luck.",
            "ERROR: ZFS: Unable to import pool rpool.",
            "[    5.320690] Mounting root: failed.",
            " * Mounting boot media: failed. ",
        ] {
            assert_eq!(Trouble::of(line), Some(Trouble::InitramfsShell), "{line}");
        }
        for line in
            [" * Mounting root: ok.", "[    5.320690] Mounting boot media: ok.", ":: mounting '/dev/vda2' on real root"]
        {
            assert_eq!(Trouble::of(line), None, "{line}");
        }
    }
}
