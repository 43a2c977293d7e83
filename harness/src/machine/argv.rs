//! The QEMU command line of a machine. Pure: everything that is opened is named by the caller.
//!
//! No device is there that is not named here. Files are given as `/proc/PID/fd/N`, so that QEMU opens the inode that
//! was looked at before, and names can be gone from the disk already.

use std::path::Path;

use kverify_checks::scenarios::Bus;
use serde_json::json;

use crate::lab::card_of;

use super::{
    kernel::Booted,
    spec::{Accel, Network, Spec},
};

/// The descriptor on which QEMU finds its end of the port.
pub(crate) const PORT_FD: i32 = 10;
/// The descriptor on which QEMU finds its end of the lab's cable.
pub(crate) const CABLE_FD: i32 = 11;
/// The name by which the guest knows the port.
pub(crate) const PORT_NAME: &str = "org.kverify.shell";

/// A disk by the paths to open it by.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    /// Path of the writable qcow2 overlay, or of the writable qcow2 disk itself.
    pub(crate) overlay: String,
    /// Path and format of each read-only file under it, the lowest first.
    pub(crate) below: Vec<(String, String)>,
    /// Whether what the guest flushes is in the file at once: a QEMU that is killed then loses no more than a disk
    /// whose power fails.
    pub(crate) durable: bool,
    /// Whether zeros that the guest writes take no room in it.
    pub(crate) drops_zeros: bool,
}

/// Where the guest's memory is.
#[derive(Clone, Debug)]
pub(crate) enum Memory {
    /// QEMU's own; the machine cannot be captured.
    Own,
    /// A file at this path, which is the memory: what is left in it when the machine stops can be forked.
    Shared(String),
    /// A private mapping of such a file: its pages are shared until they are written.
    PrivateOf {
        /// The file.
        path: String,
        /// Whether QEMU can be told to open it for reading only.
        rom: bool,
    },
    /// Filled from the stream that a machine with [`Memory::Shared`] wrote, memory included.
    Streamed,
}

/// What the firmware is read from.
#[derive(Clone, Debug)]
pub(crate) struct Pflash<'a> {
    /// The code, read-only.
    pub(crate) code: &'a Path,
    /// This machine's own variables.
    pub(crate) vars: String,
    /// Whether only code in System Management Mode may write them.
    pub(crate) guarded: bool,
}

impl Memory {
    fn can_be_captured(&self) -> bool {
        !matches!(self, Self::Own)
    }

    /// Whether it waits for the state of another machine instead of starting its firmware.
    fn is_of_another(&self) -> bool {
        matches!(self, Self::PrivateOf { .. } | Self::Streamed)
    }
}

/// What a machine is started from.
#[derive(Clone, Debug)]
pub(crate) struct Parts<'a> {
    /// The firmware.
    pub(crate) pflash: Pflash<'a>,
    /// Where the serial console is written.
    pub(crate) console: String,
    /// Where what is typed on it is read, if it can be.
    pub(crate) typed: Option<String>,
    /// The disk that it boots from.
    pub(crate) disk: Disk,
    /// Path of a second, writable qcow2 disk behind the first.
    pub(crate) beside: Option<String>,
    /// Paths of read-only raw volumes, attached after the network card.
    pub(crate) volumes: Vec<String>,
    /// Path of a bootable read-only CD.
    pub(crate) cdrom: Option<String>,
    /// Whether there is a network card.
    pub(crate) network: bool,
    /// Its number among the machines of its network, from 0: each has a card of its own.
    pub(crate) machine: u8,
    /// Whether a reset by the guest ends the machine.
    pub(crate) reset_ends: bool,
    /// Where its memory is; what can be captured, or was, also has a port for a root shell, on [`PORT_FD`].
    pub(crate) memory: Memory,
    /// What its firmware says of it, each as QEMU's `-smbios` is told it.
    pub(crate) smbios: Vec<String>,
    /// A kernel that it is started with, by a BIOS and not by the firmware; its port is the second serial one.
    pub(super) kernel: Option<Booted>,
}

impl Parts<'_> {
    /// Whether there is a port for a root shell.
    pub(crate) fn has_port(&self) -> bool {
        self.kernel.is_some() || self.memory.can_be_captured()
    }
}

/// The arguments of `qemu-system-x86_64`.
pub(crate) fn argv(spec: &Spec, accel: Accel, parts: &Parts<'_>) -> Vec<String> {
    let mut args = Args(Vec::new());
    args.flag("-nodefaults").flag("-no-user-config");
    args.pair("-name", "kverify");
    // A kernel of the caller's is started without the firmware, and so without its variables.
    let guarded = parts.pflash.guarded && parts.kernel.is_none();
    let machine = if guarded { "q35,smm=on" } else { "q35" };
    memory(&mut args, spec, &parts.memory, machine);
    args.pair("-accel", accel.argument());
    args.pair("-cpu", if accel == Accel::Kvm { "host" } else { "max" });
    args.pair("-smp", spec.cpus.to_string()).pair("-m", format!("{}M", spec.memory_mib));
    let clock = spec.clock.map_or_else(|| "utc".to_owned(), |clock| clock.strftime("%Y-%m-%dT%H:%M:%S").to_string());
    args.pair("-rtc", format!("base={clock}")).pair("-display", "none");
    // A guest that powers off or panics stays, stopped, until its screen has been seen.
    let reset = if parts.reset_ends { "shutdown" } else { "reset" };
    args.pair("-action", format!("reboot={reset},shutdown=pause,panic=pause"));
    args.pair("-chardev", "stdio,id=qmp,signal=off").pair("-mon", "chardev=qmp,mode=control");
    let typed = parts.typed.as_ref().map(|path| format!(",input-path={path}")).unwrap_or_default();
    args.pair("-chardev", format!("file,id=console,path={}{typed}", parts.console)).pair("-serial", "chardev:console");
    for table in &parts.smbios {
        args.pair("-smbios", table);
    }
    if parts.has_port() {
        args.pair("-chardev", format!("socket,id=port,fd={PORT_FD}"));
    }
    if let Some(kernel) = &parts.kernel {
        // Every kernel knows this kind of port; the other kind may need a module that a medium does not carry.
        args.pair("-serial", "chardev:port");
        args.pair("-kernel", &kernel.image).pair("-initrd", &kernel.initramfs).pair("-append", &kernel.words);
    } else {
        let code = parts.pflash.code.display();
        args.pair("-drive", format!("if=pflash,unit=0,format=raw,readonly=on,file={code}"));
        args.pair("-drive", format!("if=pflash,unit=1,format=raw,file={}", parts.pflash.vars));
        if guarded {
            args.pair("-global", "driver=cfi.pflash01,property=secure,value=on");
        }
    }
    args.device("VGA").device("virtio-rng-pci").device("pvpanic-pci");
    let order = match (&parts.kernel, &parts.cdrom) {
        // A kernel of the caller's is what boots first.
        (Some(_), _) => "",
        (None, Some(_)) => ",bootindex=1",
        (None, None) => ",bootindex=0",
    };
    disk(&mut args, spec.bus, &parts.disk, order);
    if let Some(path) = &parts.beside {
        args.blockdev(&json!({
            "node-name": "beside", "driver": "qcow2", "discard": "unmap", "detect-zeroes": "unmap",
            "file": { "driver": "file", "filename": path, "discard": "unmap" },
        }));
        args.device("virtio-blk-pci,drive=beside");
    }
    if let Some(path) = &parts.cdrom {
        args.read_only("cdrom", path);
        args.device("virtio-scsi-pci,id=scsi").device("scsi-cd,bus=scsi.0,drive=cdrom,bootindex=0");
    }
    if parts.network {
        match spec.network {
            Network::Lab => {
                args.pair("-netdev", format!("stream,id=net,server=off,addr.type=fd,addr.str={CABLE_FD}"));
            }
            // The guest reaches nothing; the kernel of the host chooses the port that reaches the guest.
            Network::Slirp => {
                args.pair("-netdev", "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:22");
            }
        }
        let card = card_of(parts.machine).map(|byte| format!("{byte:02x}")).join(":");
        args.device(&format!("virtio-net-pci,netdev=net,romfile=,mac={card}"));
    }
    for (number, path) in parts.volumes.iter().enumerate() {
        let node = format!("volume{number}");
        args.read_only(&node, path);
        args.device(&format!("virtio-blk-pci,drive={node}"));
    }
    if parts.memory.can_be_captured() {
        // A new ID in each fork makes its kernel seed its random numbers anew.
        args.device("vmgenid,guid=auto").device("virtio-serial-pci,id=ports");
        args.device(&format!("virtserialport,bus=ports.0,chardev=port,name={PORT_NAME}"));
    }
    if parts.memory.is_of_another() {
        args.pair("-incoming", "defer");
    }
    args.0
}

fn memory(args: &mut Args, spec: &Spec, memory: &Memory, machine: &str) {
    let file = |path: &str, how: &str| format!("memory-backend-file,mem-path={path},{how}");
    let backend = match memory {
        Memory::Own => {
            args.pair("-machine", machine);
            return;
        }
        Memory::Shared(path) => file(path, "share=on"),
        Memory::PrivateOf { path, rom: true } => file(path, "share=off,readonly=on,rom=off"),
        Memory::PrivateOf { path, rom: false } => file(path, "share=off"),
        Memory::Streamed => "memory-backend-ram".to_owned(),
    };
    args.pair("-object", format!("{backend},id=memory,size={}M", spec.memory_mib));
    args.pair("-machine", format!("{machine},memory-backend=memory"));
}

fn disk(args: &mut Args, bus: Bus, disk: &Disk, order: &str) {
    let mut top = json!({ "node-name": "disk", "driver": "qcow2", "file": "overlay-file", "discard": "unmap" });
    for (depth, (path, format)) in disk.below.iter().enumerate() {
        let node = format!("below{depth}");
        args.blockdev(
            &json!({ "node-name": format!("{node}-file"), "driver": "file", "filename": path, "read-only": true }),
        );
        let mut layer =
            json!({ "node-name": node, "driver": format, "file": format!("{node}-file"), "read-only": true });
        if let Some(depth) = depth.checked_sub(1) {
            layer["backing"] = json!(format!("below{depth}"));
        }
        args.blockdev(&layer);
        top["backing"] = json!(node);
    }
    if disk.drops_zeros {
        top["detect-zeroes"] = json!("unmap");
    }
    args.blockdev(&json!({
        "node-name": "overlay-file", "driver": "file", "filename": disk.overlay, "discard": "unmap",
        "cache": { "no-flush": !disk.durable },
    }));
    args.blockdev(&top);
    let device = match bus {
        Bus::Virtio => "virtio-blk-pci",
        Bus::Scsi => {
            args.device("virtio-scsi-pci,id=disk-bus");
            "scsi-hd,bus=disk-bus.0"
        }
        // The machine type brings an AHCI controller.
        Bus::Sata => "ide-hd,bus=ide.0",
        Bus::Nvme => "nvme,serial=kverify",
    };
    args.device(&format!("{device},drive=disk{order}"));
}

struct Args(Vec<String>);

impl Args {
    fn flag(&mut self, flag: &str) -> &mut Self {
        self.0.push(flag.to_owned());
        self
    }

    fn pair(&mut self, flag: &str, value: impl Into<String>) -> &mut Self {
        self.0.push(flag.to_owned());
        self.0.push(value.into());
        self
    }

    fn device(&mut self, device: &str) -> &mut Self {
        self.pair("-device", device)
    }

    fn blockdev(&mut self, node: &serde_json::Value) {
        self.pair("-blockdev", node.to_string());
    }

    fn read_only(&mut self, node: &str, path: &str) {
        self.blockdev(
            &json!({ "node-name": format!("{node}-file"), "driver": "file", "filename": path, "read-only": true }),
        );
        self.blockdev(
            &json!({ "node-name": node, "driver": "raw", "file": format!("{node}-file"), "read-only": true }),
        );
    }
}
