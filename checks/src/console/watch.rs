//! Console lines that mean a boot will never be ready, so that nobody waits on until the deadline.
//!
//! Pure, so that the harness can feed it line by line while the machine still boots.

use crate::{
    boot::BootEnd,
    console::{Trouble, plain},
};

/// The end of the boot that a console line means, if it means one.
///
/// The line may hold escape sequences, and may be one that is not finished yet: a shell's prompt has no newline.
#[must_use]
pub fn fatal(line: &str) -> Option<BootEnd> {
    let line = plain(line);
    let end = match Trouble::of(&line)? {
        // The thread that ZFS stops never runs again: the machine only looks alive.
        Trouble::KernelPanic | Trouble::ZfsPanic => |line| BootEnd::Panicked { line },
        Trouble::InitramfsShell => |line| BootEnd::InitramfsShell { line },
        Trouble::EmergencyMode => |line| BootEnd::EmergencyMode { line },
        Trouble::NothingToBoot => |line| BootEnd::NothingToBoot { line },
        Trouble::CrashedProgram
        | Trouble::HungTask
        | Trouble::KernelOops
        | Trouble::KernelWarning
        | Trouble::Lockup
        | Trouble::ModuleRefused
        | Trouble::OrderingCycle
        | Trouble::OutOfMemory
        | Trouble::StorageError => return None,
    };
    Some(end(line.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::fatal;
    use crate::boot::BootEnd;

    fn end(line: &str) -> String {
        fatal(line).map_or_else(|| "none".to_owned(), |end| end.to_string())
    }

    #[test]
    fn what_ends_a_boot_ends_the_wait() {
        let ends = [
            ("[    3.1] Kernel panic - not syncing: VFS: Unable to mount root fs", "the kernel panicked: [    3.1] K"),
            ("[   61.2] PANIC at range_tree.c:503:zfs_range_tree_remove_impl()", "the kernel panicked: [   61.2] P"),
            ("ALERT!  UUID=1234 does not exist.  Dropping to a shell!", "stopped in the initramfs: ALERT!"),
            ("(initramfs) ", "stopped in the initramfs: (initramfs)"),
            ("Manually import the pool and exit.", "stopped in the initramfs: Manually"),
            ("Entering emergency mode. Exit the shell to continue.", "stopped in the initramfs: Entering"),
            ("You are in emergency mode. After logging in, type", "stopped in emergency mode: You are"),
            (
                "[\u{1b}[0;32m  OK  \u{1b}[0m] Reached target \u{1b}[0;1;39mrescue.target\u{1b}[0m - Rescue Mode.",
                "stopped in emergency mode: [  OK  ]",
            ),
            ("\u{1b}[2J\u{1b}[01;01HUEFI Interactive Shell v2.2", "nothing to boot: UEFI Interactive Shell"),
            ("BdsDxe: No bootable option or device was found.", "nothing to boot: BdsDxe"),
        ];
        for (line, says) in ends {
            assert!(end(line).starts_with(says), "{line}: {}", end(line));
        }
    }

    #[test]
    fn what_a_boot_survives_does_not() {
        for line in [
            ">>Start PXE over IPv4.",
            "BdsDxe: failed to load Boot0001 \"UEFI Misc Device\" from PciRoot(0x0)/Pci(0x3,0x0): Not Found",
            "Kernel command line: root=zfs:AUTO panic=1 errors=remount-ro rescue emergency",
            "[  OK  ] Started systemd-journald.service - Journal Service.",
            "[   12.1] BUG: kernel NULL pointer dereference, address: 0000000000000000",
            "Begin: Running /scripts/init-premount ... done.",
        ] {
            assert_eq!(fatal(line), None, "{line}");
        }
    }

    #[test]
    fn the_line_is_kept_without_its_escapes() {
        assert_eq!(fatal("\u{1b}[31m(initramfs) \r"), Some(BootEnd::InitramfsShell { line: "(initramfs)".to_owned() }));
    }
}
