//! One check per kind of trouble: the console tells of none.

use crate::{
    check::{About, Check, Cost, Need},
    console::{ConsoleLog, Trouble, log::Sighting},
    expect::Expectation,
    outcome::Verdict,
    pattern::Pattern,
};

/// How much of a line stands in a verdict; the whole console is its evidence.
const SHOWN: usize = 160;

/// The console does not tell of one kind of trouble.
pub struct FreeOf {
    trouble: Trouble,
    about: About,
}

impl FreeOf {
    const fn new(trouble: Trouble, id: &'static str, demand: &'static str, remedy: &'static str) -> Self {
        Self { trouble, about: About { id, demand, remedy, key: "console.free_of", cost: Cost::Quick, needs: &[] } }
    }

    /// What a guest says too whose processors are given no time.
    const fn of_time(mut self) -> Self {
        self.about.needs = &[Need::Processors];
        self
    }
}

impl Check for FreeOf {
    type Fact = ConsoleLog;
    /// The lines that are known and do not count.
    type Want = Vec<Pattern>;

    fn about(&self) -> &About {
        &self.about
    }

    fn want(&self, image: &Expectation) -> Option<Vec<Pattern>> {
        image.console.free_of.contains(&self.trouble).then(|| image.console.known.clone())
    }

    fn judge(&self, got: &ConsoleLog, known: &Vec<Pattern>) -> Verdict {
        let of_kind: Vec<_> = got.troubles.iter().filter(|sighting| sighting.trouble == self.trouble).collect();
        let is_known = |sighting: &&&Sighting| known.iter().any(|pattern| pattern.matches(&sighting.text));
        let passed_over = of_kind.iter().filter(is_known).count();
        let mut counted = of_kind.iter().filter(|sighting| !is_known(sighting));
        let first = counted.next();
        let verdict = Verdict::of(
            first.is_none(),
            format_args!("no {}", self.trouble),
            match first {
                None => format!("none in {} lines", got.lines),
                Some(first) => described(first, counted.count()),
            },
        );
        match passed_over {
            0 => verdict,
            lines => verdict.note(format!("{lines} known lines passed over")),
        }
    }
}

fn described(first: &Sighting, more: usize) -> String {
    let text: String = first.text.chars().take(SHOWN).collect();
    match more {
        0 => format!("line {}: {text}", first.line),
        more => format!("line {}: {text} (and {more} lines more)", first.line),
    }
}

pub(super) static CRASHED_PROGRAMS: FreeOf = FreeOf::new(
    Trouble::CrashedProgram,
    "console.no-crashed-programs",
    "no program died of a fault of its own while the machine booted",
    "the line names the program; look at its core dump (coredumpctl) and at the CPU features it wants",
);

pub(super) static EMERGENCY_MODE: FreeOf = FreeOf::new(
    Trouble::EmergencyMode,
    "console.no-emergency-mode",
    "systemd did not go to its emergency or rescue mode, and did not freeze",
    "mend what the lines before it name, often a mount in /etc/fstab that is not there",
);

pub(super) static HUNG_TASKS: FreeOf = FreeOf::new(
    Trouble::HungTask,
    "console.no-hung-tasks",
    "no task was blocked for minutes",
    "the trace below the line says what the task waits for: a disk that does not answer, or a deadlock",
)
.of_time();

pub(super) static INITRAMFS_SHELL: FreeOf = FreeOf::new(
    Trouble::InitramfsShell,
    "console.no-initramfs-shell",
    "the initramfs found the root file system and did not open its shell",
    "look at root= on the kernel command line, and that the initramfs has the disk's driver, zfs, and the hostid that \
     imported the pool last",
);

pub(super) static KERNEL_OOPS: FreeOf = FreeOf::new(
    Trouble::KernelOops,
    "console.no-kernel-oops",
    "the kernel met no bug of its own: no oops, no BUG",
    "the trace names the module; a module that was built outside the kernel has to fit that very kernel",
);

pub(super) static KERNEL_PANIC: FreeOf = FreeOf::new(
    Trouble::KernelPanic,
    "console.no-kernel-panic",
    "the kernel did not panic",
    "the line says why: no root (root=, initramfs), no init, or a bug with its trace before it",
);

pub(super) static KERNEL_WARNING: FreeOf = FreeOf::new(
    Trouble::KernelWarning,
    "console.no-kernel-warning",
    "the kernel warned of no impossible state",
    "the line names file and function; take a kernel where it is mended, or list it as console.known",
);

pub(super) static LOCKUPS: FreeOf = FreeOf::new(
    Trouble::Lockup,
    "console.no-lockups",
    "no CPU was stuck: no soft or hard lockup, no RCU stall",
    "the trace says where; on a host with too little CPU time, boot it again elsewhere before looking into the image",
)
.of_time();

pub(super) static REFUSED_MODULES: FreeOf = FreeOf::new(
    Trouble::ModuleRefused,
    "console.no-refused-modules",
    "the kernel refused no module for want of a signature that it knows",
    "sign the image's own modules (kmodsign, sign-file), and have the key where the machine starts: in the firmware's db, or \
     in shim's list (mokutil)",
);

pub(super) static ORDERING_CYCLES: FreeOf = FreeOf::new(
    Trouble::OrderingCycle,
    "console.no-ordering-cycle",
    "systemd dropped no job to break an ordering cycle",
    "the line names the units; take away one After= or Before= (systemd-analyze verify default.target shows the circle)",
);

pub(super) static OUT_OF_MEMORY: FreeOf = FreeOf::new(
    Trouble::OutOfMemory,
    "console.no-out-of-memory",
    "no process was killed because memory ran out",
    "the line names the process; give the machine the memory that the image is meant for, or bound the ARC",
);

pub(super) static STORAGE_ERRORS: FreeOf = FreeOf::new(
    Trouble::StorageError,
    "console.no-storage-errors",
    "no disk and no file system answered with errors",
    "check the image file (image.intact), then scrub the pool",
);

pub(super) static ZFS_PANIC: FreeOf = FreeOf::new(
    Trouble::ZfsPanic,
    "console.no-zfs-panic",
    "ZFS did not stop a thread for ever over an impossible state",
    "the pool is damaged or the module has a bug: build the pool anew, and compare module and kernel versions",
);
