//! What each format wants of a disk, and how QEMU is told to write it.

use super::{gce, vhd};
use crate::gate::Target;

/// How the clusters of a qcow2 file are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Deflate, which every QEMU reads.
    #[default]
    Zlib,
    /// Zstandard, which QEMU reads since 5.1: faster, and no larger.
    Zstd,
}

impl Compression {
    /// What a proof says of it.
    pub(super) fn found(self) -> &'static str {
        match self {
            Self::Zlib => "clusters compressed by deflate",
            Self::Zstd => "clusters compressed by Zstandard",
        }
    }
}

impl Target {
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
