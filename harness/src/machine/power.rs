//! The power of a machine: its button, its failure, and its coming back on the same disk; and a disk that grows.

use kverify_checks::{boot::BootEnd, scenarios::Bus};
use qapi::qmp as command;
use serde_json::{Value, json};

use super::{
    Accel, Kernel, Machine, MachineError, Spec, StartError, argv::Memory, firmware::Firmware, held::Held, keys::Typist,
    launch::launch, process::path_of, start::alone,
};
use crate::{
    image::Overlay,
    lab::{Origin, Plug},
};

/// A machine whose power is off. Its disk is as it was left.
pub struct Off {
    held: Held,
    spec: Spec,
    accel: (Accel, String),
    /// Size of its disk, which may have grown.
    disk_bytes: u64,
    /// Where it is plugged in, on a network of several machines.
    shared: Option<Plug>,
}

impl Machine {
    /// Presses the power button.
    ///
    /// # Errors
    /// [`MachineError::Monitor`] where QEMU does not take it.
    pub async fn press_power_button(&self) -> Result<(), MachineError> {
        self.monitor(command::system_powerdown {}).await
    }

    /// Makes its disk larger by `bytes`, as the guest sees at once.
    ///
    /// # Errors
    /// [`MachineError::Monitor`] where QEMU does not take it.
    pub async fn grow_disk(&mut self, bytes: u64) -> Result<(), MachineError> {
        self.disk_bytes += bytes;
        let size = i64::try_from(self.disk_bytes).unwrap_or(i64::MAX);
        self.monitor(command::block_resize { device: None, node_name: Some("disk".to_owned()), size }).await
    }

    /// Switches off a machine whose guest has powered itself off.
    pub async fn switch_off(self) -> Off {
        let off = self.stays();
        off(self.end().await)
    }

    /// Cuts its power: QEMU is killed, and with it all that the guest did not flush.
    pub async fn cut_power(self) -> Off {
        let off = self.stays();
        off(self.kill().await)
    }

    /// The same machine when it is off, once QEMU has let go of what is held for it.
    fn stays(&self) -> impl FnOnce(Held) -> Off + use<> {
        let (spec, accel, disk_bytes) = (self.spec.clone(), (self.accel, self.accel_why.clone()), self.disk_bytes);
        let shared = self.plug.clone().filter(Plug::is_shared);
        move |held| Off { held, spec, accel, disk_bytes, shared }
    }

    /// Waits until the guest has reset itself more often than `before`, or gives how it ended instead.
    ///
    /// # Errors
    /// [`MachineError::Qemu`] where it was QEMU that ended.
    pub async fn reset_after(&self, before: u32) -> Result<Option<BootEnd>, MachineError> {
        tokio::select! {
            () = self.life.reset_after(before) => {
                self.console.begins_again();
                Ok(None)
            }
            end = self.over() => Ok(Some(end?)),
        }
    }

    /// How often the guest has reset itself.
    #[must_use]
    pub fn resets(&self) -> u32 {
        self.life.resets()
    }
}

impl Off {
    /// Attaches its disk by this bus from now on.
    pub fn attach_disk(&mut self, bus: Bus) {
        self.spec.bus = bus;
    }

    /// Switches it on: it boots from the disk that it had, begun with its firmware.
    ///
    /// # Errors
    /// [`StartError`] where no machine can be started from it.
    pub async fn start(self) -> Result<Machine, StartError> {
        self.start_with(None).await
    }

    /// Switches it on with a kernel of the caller's, with neither network nor volumes; beside its disk is another one,
    /// where the caller has one, which outlives the machine.
    ///
    /// # Errors
    /// [`StartError`] where no machine can be started from it.
    pub async fn start_kernel(mut self, kernel: &Kernel, beside: Option<&Overlay>) -> Result<Machine, StartError> {
        if let Held::Cold(cold) = &mut self.held {
            cold.network = false;
            cold.volumes.clear();
        }
        self.start_with(Some((kernel, beside))).await
    }

    /// Its disk, for `qemu-img`: all layers by descriptor, valid as long as `self` lives. Nothing for a disk of the
    /// caller's.
    #[must_use]
    pub(crate) fn disk(&self) -> Option<String> {
        let layer = |(path, format): &(String, String), backing: Option<Value>| {
            let mut node = json!({ "driver": format, "file": { "driver": "file", "filename": path } });
            if let Some(backing) = backing {
                node["backing"] = backing;
            }
            node
        };
        let (top, below) = self.held.layers()?;
        let below = below.iter().fold(None, |backing, one| Some(layer(one, backing)));
        Some(layer(&(top, "qcow2".to_owned()), below).to_string())
    }

    async fn start_with(self, kernel: Option<(&Kernel, Option<&Overlay>)>) -> Result<Machine, StartError> {
        let Self { mut held, spec, accel, disk_bytes, shared } = self;
        if let Held::Cold(cold) = &mut held {
            // It begins with memory of QEMU's own.
            cold.memory = None;
        }
        let firmware = Firmware::find(spec.firmware, spec.firmware_vars.is_some())?;
        let none = || StartError::Restore("the caller's own disk is not started again".to_owned());
        let mut parts = held.parts(&firmware, Memory::Own).ok_or_else(none)?;
        if let Some((kernel, beside)) = kernel {
            parts.beside = beside.map(|disk| path_of(disk.file()));
            parts.kernel = Some(kernel.booted());
            parts.disk.drops_zeros = true;
            // A panic of its kernel ends in a reset, and nothing is served by another try.
            parts.reset_ends = true;
        }
        let plug = match shared {
            _ if !parts.network => None,
            Some(plug) => Some(plug),
            None => alone(&spec, Origin::at(spec.switched_on()), None)?,
        };
        let running = launch(&spec, accel.0, parts, plug.as_ref(), Typist::Keyboard).await?;
        let machine = Machine::assemble(running, &spec, accel, held, plug).await?;
        Ok(Machine { disk_bytes, ..machine })
    }
}
