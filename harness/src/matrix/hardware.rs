//! What a row says of its machine, and the rows that several values of it make.

use std::time::Duration;

use kverify_checks::scenarios::Bus;
use serde::{Deserialize, Serialize};

use crate::machine::{FirmwareChoice, Spec};

/// What a row says of its machine; what it does not say is as the caller has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Hardware {
    /// What it begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<FirmwareChoice>,
    /// How its disk is attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bus: Option<Bus>,
    /// Memory in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Virtual CPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<u32>,
}

/// The values of which each makes a row, with each of the others.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Axes {
    #[serde(default)]
    firmware: Vec<FirmwareChoice>,
    #[serde(default)]
    bus: Vec<Bus>,
    #[serde(default)]
    memory: Vec<u64>,
    #[serde(default)]
    cpus: Vec<u32>,
}

impl Hardware {
    /// What is wrong with it, if anything is.
    pub(super) fn wrong(&self) -> Option<String> {
        if let Some(memory) = self.memory.filter(|memory| !Spec::MEMORY_MIB.contains(memory)) {
            return Some(format!(
                "memory of {memory} MiB; a machine has {} to {}",
                Spec::MEMORY_MIB.start(),
                Spec::MEMORY_MIB.end()
            ));
        }
        let cpus = self.cpus.filter(|cpus| !Spec::CPUS.contains(cpus))?;
        Some(format!("{cpus} cpus; a machine has {} to {}", Spec::CPUS.start(), Spec::CPUS.end()))
    }

    /// What the other says, and where that says nothing, this.
    pub(super) fn with(self, other: Self) -> Self {
        Self {
            firmware: other.firmware.or(self.firmware),
            bus: other.bus.or(self.bus),
            memory: other.memory.or(self.memory),
            cpus: other.cpus.or(self.cpus),
        }
    }

    /// Whether it is all that the other says.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.with(*other) == *self
    }

    /// The caller's machine with what is said here.
    #[must_use]
    pub fn of(&self, spec: &Spec, deadline: Option<Duration>) -> Spec {
        Spec {
            firmware: self.firmware.unwrap_or(spec.firmware),
            bus: self.bus.unwrap_or(spec.bus),
            memory_mib: self.memory.unwrap_or(spec.memory_mib),
            cpus: self.cpus.unwrap_or(spec.cpus),
            deadline: deadline.or(spec.deadline),
            ..spec.clone()
        }
    }

    /// What the name of a row ends with that stands for these values: `.uefi-secure-boot.scsi.1024M.2cpu`.
    pub(super) fn ending(&self) -> String {
        let firmware = self.firmware.map(|firmware| format!(".{}", firmware.word()));
        let bus = self.bus.map(|bus| format!(".{}", bus.word()));
        let memory = self.memory.map(|memory| format!(".{memory}M"));
        let cpus = self.cpus.map(|cpus| format!(".{cpus}cpu"));
        [firmware, bus, memory, cpus].into_iter().flatten().collect()
    }
}

impl Axes {
    /// Each value with each of the others; one of nothing where there are none.
    pub(super) fn each(&self) -> Vec<Hardware> {
        let mut all = vec![Hardware::default()];
        if !self.firmware.is_empty() {
            all = crossed(&all, &self.firmware, |one, firmware| Hardware { firmware: Some(firmware), ..one });
        }
        if !self.bus.is_empty() {
            all = crossed(&all, &self.bus, |one, bus| Hardware { bus: Some(bus), ..one });
        }
        if !self.memory.is_empty() {
            all = crossed(&all, &self.memory, |one, memory| Hardware { memory: Some(memory), ..one });
        }
        if !self.cpus.is_empty() {
            all = crossed(&all, &self.cpus, |one, cpus| Hardware { cpus: Some(cpus), ..one });
        }
        all
    }
}

fn crossed<T: Copy>(all: &[Hardware], values: &[T], set: impl Fn(Hardware, T) -> Hardware) -> Vec<Hardware> {
    all.iter().flat_map(|one| values.iter().map(|value| set(*one, *value))).collect()
}
