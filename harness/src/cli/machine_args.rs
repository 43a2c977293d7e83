//! The options that say what a machine is made of.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use jiff::civil::DateTime;
use kverify_checks::scenarios::Bus;

use crate::machine::{AccelChoice, FirmwareChoice, Network, Spec};

/// Hardware options.
#[derive(Debug, Args)]
pub(crate) struct MachineArgs {
    /// Memory of the machine in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 2048, value_parser = clap::value_parser!(u64).range(Spec::MEMORY_MIB))]
    memory: u64,
    /// Virtual CPUs of the machine.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(i64::from(*Spec::CPUS.start())..=i64::from(*Spec::CPUS.end())))]
    cpus: u32,
    /// How instructions are run: auto (kvm if a guest really runs on it, else tcg), kvm or tcg.
    #[arg(long, value_name = "ACCEL", default_value = "auto")]
    accel: AccelChoice,
    /// What its network card is plugged into: lab (kverify's own, the same on every host) or slirp (QEMU's, closed).
    #[arg(long, value_name = "NETWORK", default_value = "lab")]
    network: Network,
    /// What it begins with: uefi, which starts anything, or uefi-secure-boot, which starts only what is signed.
    #[arg(long, value_name = "FIRMWARE", default_value = "uefi")]
    firmware: FirmwareChoice,
    /// The firmware's variables, whose keys say what is signed; never written [default: those that come with the host's
    /// firmware].
    #[arg(long, value_name = "FILE")]
    firmware_vars: Option<PathBuf>,
    /// Seconds that the machine may take [default: verify 120 on kvm, 600 on tcg; build 1800].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: Option<u64>,
    /// What the machine's clock says when it is switched on, in UTC, as in 2030-01-01T00:00:00 [default: the host's].
    #[arg(long, value_name = "TIME")]
    clock: Option<DateTime>,
    /// The folder for overlays and other files that have no name and vanish with kverify [default: the temporary
    /// folder].
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
}

impl MachineArgs {
    pub(crate) fn spec(&self) -> Spec {
        Spec {
            memory_mib: self.memory,
            cpus: self.cpus,
            accel: self.accel,
            bus: Bus::Virtio,
            clock: self.clock,
            network: self.network,
            firmware: self.firmware,
            firmware_vars: self.firmware_vars.clone(),
            deadline: self.timeout.map(Duration::from_secs),
        }
    }

    /// What was said of them, as it was said; what was not is the default there too.
    pub(crate) fn words(&self) -> Vec<String> {
        let Self { memory, cpus, accel, network, firmware, firmware_vars, timeout, clock, scratch } = self;
        let mut words = vec![
            ("--memory", memory.to_string()),
            ("--cpus", cpus.to_string()),
            ("--accel", accel.word().to_owned()),
            ("--network", network.word().to_owned()),
            ("--firmware", firmware.word().to_owned()),
        ];
        words.extend(firmware_vars.as_ref().map(|file| ("--firmware-vars", file.display().to_string())));
        words.extend(timeout.map(|seconds| ("--timeout", seconds.to_string())));
        words.extend(clock.map(|clock| ("--clock", clock.to_string())));
        words.extend(scratch.as_ref().map(|folder| ("--scratch", folder.display().to_string())));
        words.into_iter().flat_map(|(option, value)| [option.to_owned(), value]).collect()
    }

    pub(crate) fn scratch(&self) -> PathBuf {
        self.scratch.clone().unwrap_or_else(std::env::temp_dir)
    }
}
