//! The formats that an image is exported to, and what each of them wants of a disk.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{gce, vhd};

/// A format that clouds or hypervisors take. Displayed as `--format` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Compressed qcow2: KVM, Proxmox, OpenStack.
    Qcow2,
    /// Stream-optimized VMDK: vSphere, AWS.
    Vmdk,
    /// Fixed VHD of whole MiB: Azure.
    Vhd,
    /// Dynamic VHDX: Hyper-V.
    Vhdx,
    /// VMDK with a descriptor and a manifest in one archive: vSphere, VirtualBox.
    Ova,
    /// The bytes of the disk themselves, with holes: AWS.
    Raw,
    /// `disk.raw` of whole GiB in a gzipped archive: Google Compute Engine.
    Gce,
}

/// How the clusters of a qcow2 file are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Deflate, which every QEMU reads.
    #[default]
    Zlib,
    /// Zstandard, which QEMU reads since 5.1: faster, and no larger.
    Zstd,
}

impl Target {
    /// What the file's name ends with.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Self::Qcow2 => "qcow2",
            Self::Vmdk => "vmdk",
            Self::Vhd => "vhd",
            Self::Vhdx => "vhdx",
            Self::Ova => "ova",
            Self::Raw => "raw",
            Self::Gce => "tar.gz",
        }
    }

    /// The size that the disk of an image of `bytes` bytes has to have in this format, in bytes.
    #[must_use]
    pub fn disk_bytes(self, bytes: u64) -> u64 {
        match self {
            Self::Vhd => bytes.next_multiple_of(vhd::UNIT),
            Self::Gce => bytes.next_multiple_of(gce::UNIT),
            Self::Qcow2 | Self::Vmdk | Self::Vhdx | Self::Ova | Self::Raw => bytes,
        }
    }

    /// QEMU's name of the format and the options that it is written with; `None` for what is put together here.
    pub(super) fn driver(self, compression: Compression) -> Option<(&'static str, &'static str)> {
        match (self, compression) {
            (Self::Qcow2, Compression::Zlib) => Some(("qcow2", "compression_type=zlib")),
            (Self::Qcow2, Compression::Zstd) => Some(("qcow2", "compression_type=zstd")),
            // What is not IDE is called lsilogic, whatever the disk is attached to.
            (Self::Vmdk, _) => Some(("vmdk", "subformat=streamOptimized,adapter_type=lsilogic,hwversion=13")),
            // Without force_size the size is rounded to a geometry of 1990, which Azure refuses.
            (Self::Vhd, _) => Some(("vpc", "subformat=fixed,force_size=on")),
            (Self::Vhdx, _) => Some(("vhdx", "subformat=dynamic")),
            (Self::Raw, _) => Some(("raw", "")),
            (Self::Ova | Self::Gce, _) => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gce => "gce",
            other => other.ending(),
        })
    }
}
