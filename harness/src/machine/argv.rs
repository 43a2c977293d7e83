//! The QEMU command line of a machine. Pure: everything that is opened is named by the caller.
//!
//! No device is there that is not named here. Files are given as `/proc/PID/fd/N`, so that QEMU opens the inode that
//! was looked at before, and names can be gone from the disk already.

use std::path::Path;

use serde_json::json;

use super::spec::{Accel, Spec};

/// A disk by the paths to open it by.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    /// Path of the writable qcow2 overlay, or of the writable qcow2 disk itself.
    pub(crate) overlay: String,
    /// Path and format of the read-only image under it.
    pub(crate) golden: Option<(String, String)>,
}

/// What the firmware is read from.
#[derive(Clone, Debug)]
pub(crate) struct Pflash<'a> {
    /// The code, read-only.
    pub(crate) code: &'a Path,
    /// This machine's own variables.
    pub(crate) vars: String,
}

/// What a machine is started from.
#[derive(Clone, Debug)]
pub(crate) struct Parts<'a> {
    /// The firmware.
    pub(crate) pflash: Pflash<'a>,
    /// Where the serial console is written.
    pub(crate) console: String,
    /// The disk that it boots from.
    pub(crate) disk: Disk,
    /// Paths of read-only raw volumes, attached after the network card.
    pub(crate) volumes: Vec<String>,
    /// Path of a bootable read-only CD.
    pub(crate) cdrom: Option<String>,
    /// Whether there is a network card.
    pub(crate) network: bool,
    /// Whether a reset by the guest ends the machine.
    pub(crate) reset_ends: bool,
}

/// The arguments of `qemu-system-x86_64`.
pub(crate) fn argv(spec: &Spec, accel: Accel, parts: &Parts<'_>) -> Vec<String> {
    let mut args = Args(Vec::new());
    args.flag("-nodefaults").flag("-no-user-config");
    args.pair("-name", "kverify");
    args.pair("-machine", "q35").pair("-accel", accel.argument());
    args.pair("-cpu", if accel == Accel::Kvm { "host" } else { "max" });
    args.pair("-smp", spec.cpus.to_string()).pair("-m", format!("{}M", spec.memory_mib));
    args.pair("-rtc", "base=utc").pair("-display", "none");
    // A guest that powers off or panics stays, stopped, until its screen has been seen.
    let reset = if parts.reset_ends { "shutdown" } else { "reset" };
    args.pair("-action", format!("reboot={reset},shutdown=pause,panic=pause"));
    args.pair("-chardev", "stdio,id=qmp,signal=off").pair("-mon", "chardev=qmp,mode=control");
    args.pair("-chardev", format!("file,id=console,path={}", parts.console)).pair("-serial", "chardev:console");
    let code = parts.pflash.code.display();
    args.pair("-drive", format!("if=pflash,unit=0,format=raw,readonly=on,file={code}"));
    args.pair("-drive", format!("if=pflash,unit=1,format=raw,file={}", parts.pflash.vars));
    args.device("VGA").device("virtio-rng-pci").device("pvpanic-pci");
    disk(&mut args, &parts.disk, parts.cdrom.is_none());
    if let Some(path) = &parts.cdrom {
        args.read_only("cdrom", path);
        args.device("virtio-scsi-pci,id=scsi").device("scsi-cd,bus=scsi.0,drive=cdrom,bootindex=0");
    }
    if parts.network {
        // The guest reaches nothing; the kernel of the host chooses the port that reaches the guest.
        args.pair("-netdev", "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:22");
        args.device("virtio-net-pci,netdev=net,romfile=");
    }
    for (number, path) in parts.volumes.iter().enumerate() {
        let node = format!("volume{number}");
        args.read_only(&node, path);
        args.device(&format!("virtio-blk-pci,drive={node}"));
    }
    args.0
}

fn disk(args: &mut Args, disk: &Disk, boots_first: bool) {
    let mut top = json!({ "node-name": "disk", "driver": "qcow2", "file": "overlay-file", "discard": "unmap" });
    if let Some((path, format)) = &disk.golden {
        args.blockdev(&json!({ "node-name": "golden-file", "driver": "file", "filename": path, "read-only": true }));
        args.blockdev(&json!({ "node-name": "golden", "driver": format, "file": "golden-file", "read-only": true }));
        top["backing"] = json!("golden");
    }
    args.blockdev(&json!({
        "node-name": "overlay-file", "driver": "file", "filename": disk.overlay, "discard": "unmap",
        "cache": { "no-flush": disk.golden.is_some() },
    }));
    args.blockdev(&top);
    args.device(&format!("virtio-blk-pci,drive=disk,bootindex={}", u8::from(!boots_first)));
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
