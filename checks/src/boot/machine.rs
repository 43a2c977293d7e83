//! The machine as the guest sees it, beside what it was given: kernel, firmware, memory, processors.
//!
//! Four small files of the kernel, read by one process.

use crate::{
    boot::BootRecord,
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    files::Files,
    outcome::Verdict,
    pattern::Pattern,
    probe::{MachineAspect, Output, Probe},
};

const VERSION: &str = "/proc/version";
const FIRMWARE: &str = "/sys/firmware/efi/fw_platform_size";
const MEMORY: &str = "/proc/meminfo";
const PROCESSORS: &str = "/sys/devices/system/cpu/online";

/// What the guest sees, and what it was given.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// `/proc/version`, one line: release, builder, compiler, version.
    pub kernel: String,
    /// Whether UEFI started it, and of which width, in bits; `None` for anything else.
    pub uefi: Option<u32>,
    /// Memory that the kernel has to give away, in MiB.
    pub memory_mib: u64,
    /// Processors that run.
    pub cpus: u32,
    /// What the machine was given.
    pub given: BootRecord,
}

impl Fact for Machine {
    const ID: &'static str = "boot.machine";

    fn probes() -> Vec<Probe> {
        vec![
            Probe::machine(MachineAspect::Boot),
            Probe::root(["grep", "-aH", "", VERSION, FIRMWARE, MEMORY, PROCESSORS]),
        ]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let given = BootRecord::parse(&out[..1])?;
        let files = Files::parse(&out[1], &[VERSION, FIRMWARE, MEMORY, PROCESSORS])?;
        let line = |path: &str| {
            let first = files.lines(path).and_then(<[String]>::first);
            first.ok_or_else(|| Unreadable::new(format!("{path} is not there or empty")))
        };
        let uefi = files.lines(FIRMWARE).map(|_| {
            let bits = line(FIRMWARE)?;
            bits.parse().map_err(|_| Unreadable::new(format!("{FIRMWARE} is no number: {bits}")))
        });
        Ok(Self {
            kernel: line(VERSION)?.clone(),
            uefi: uefi.transpose()?,
            memory_mib: total_mib(files.lines(MEMORY).unwrap_or_default())?,
            cpus: count(line(PROCESSORS)?)?,
            given,
        })
    }
}

fn total_mib(meminfo: &[String]) -> Result<u64, Unreadable> {
    let total = meminfo.iter().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
    let kib = total.and_then(|kib| kib.parse::<u64>().ok());
    kib.map(|kib| kib / 1024).ok_or_else(|| Unreadable::new(format!("{MEMORY} has no MemTotal in kB")))
}

/// Counts a list such as `0-3,6`.
fn count(list: &str) -> Result<u32, Unreadable> {
    let unreadable = || Unreadable::new(format!("{PROCESSORS} is no list of numbers: {list}"));
    let mut all = 0;
    for range in list.split(',') {
        let (low, high) = range.split_once('-').unwrap_or((range, range));
        let (low, high) = (low.parse::<u32>(), high.parse::<u32>());
        let (Ok(low), Ok(high)) = (low, high) else { return Err(unreadable()) };
        all += high.checked_sub(low).ok_or_else(unreadable)? + 1;
    }
    Ok(all)
}

/// The kernel is of the family that the image is meant to run.
pub struct KernelExpected;

impl Check for KernelExpected {
    type Fact = Machine;
    type Want = Pattern;

    fn about(&self) -> &About {
        &About {
            id: "boot.kernel-expected",
            demand: "the running kernel, as /proc/version tells it, is of the expected family",
            remedy: "make the boot loader's default entry the distro's own kernel",
            key: "boot.kernel",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Pattern> {
        image.boot.kernel.clone()
    }

    fn judge(&self, got: &Machine, want: &Pattern) -> Verdict {
        Verdict::of(want.matches(&got.kernel), want, &got.kernel)
    }
}

/// The machine was started by UEFI.
pub struct Uefi;

impl Check for Uefi {
    type Fact = Machine;
    /// Whether it has to be.
    type Want = bool;

    fn about(&self) -> &About {
        &About {
            id: "boot.uefi",
            demand: "UEFI firmware started the system (or did not, if so expected)",
            remedy: "install a loader on the EFI system partition, also at the fallback path EFI/BOOT",
            key: "boot.uefi",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<bool> {
        image.boot.uefi
    }

    fn judge(&self, got: &Machine, want: &bool) -> Verdict {
        let said = got.uefi.map_or_else(|| "no UEFI".to_owned(), |bits| format!("UEFI, {bits} bits"));
        Verdict::of(got.uefi.is_some() == *want, if *want { "UEFI" } else { "no UEFI" }, said)
    }
}

/// The kernel sees the memory that the machine was given.
pub struct MemoryAsGiven;

impl Check for MemoryAsGiven {
    type Fact = Machine;
    /// Least share of the memory given, in percent: the kernel keeps some for itself.
    type Want = u32;

    fn about(&self) -> &About {
        &About {
            id: "boot.memory-as-given",
            demand: "the system has the memory that the machine was given, less what the kernel keeps",
            remedy: "take mem=, memmap= and an oversized crashkernel= off the kernel's command line",
            key: "boot.memory_percent",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<u32> {
        image.boot.memory_percent
    }

    fn judge(&self, got: &Machine, percent: &u32) -> Verdict {
        let given = got.given.memory_mib;
        let least = given * u64::from(*percent) / 100;
        Verdict::of(
            (least..=given).contains(&got.memory_mib),
            format_args!("{least} to {given} MiB"),
            format_args!("{} MiB", got.memory_mib),
        )
    }
}

/// Every processor that the machine was given runs.
pub struct CpusAsGiven;

impl Check for CpusAsGiven {
    type Fact = Machine;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "boot.cpus-as-given",
            demand: "every processor that the machine was given runs",
            remedy: "take maxcpus=, nosmp and the like off the kernel's command line",
            key: "boot.cpus_as_given",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.boot.cpus_as_given == Some(true)).then_some(())
    }

    fn judge(&self, got: &Machine, (): &()) -> Verdict {
        Verdict::of(got.cpus == got.given.cpus, got.given.cpus, got.cpus)
    }
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn lists_of_processors_are_counted() {
        assert_eq!(count("0"), Ok(1));
        assert_eq!(count("0-3,6,8-9"), Ok(7));
        assert!(count("").is_err() && count("3-1").is_err() && count("0-x").is_err());
    }
}
