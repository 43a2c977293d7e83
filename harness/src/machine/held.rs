//! What is held open for a machine: QEMU knows these files by descriptor only.

use std::{path::PathBuf, sync::Arc};

use super::{
    argv::{Disk, Memory, Parts, Pflash},
    firmware::Firmware,
    memfd::Memfd,
    process::path_of,
    snapshot::Frozen,
    start::layer,
};
use crate::image::{Digest, Image, Overlay, Unnamed};

/// The files of one machine.
pub(super) enum Held {
    /// On a disk of the caller's, which outlives the machine.
    Written { _vars: Unnamed, _volumes: Vec<Unnamed> },
    /// On an overlay of an image, begun with its firmware.
    Cold(Box<Cold>),
    /// Of a fork: its own, and those of the machine that was captured.
    Fork { overlay: Overlay, vars: Unnamed, frozen: Arc<Frozen> },
}

/// The files of a machine on an overlay of an image.
pub(super) struct Cold {
    /// The image under the overlay.
    pub(super) image: Arc<Image>,
    pub(super) overlay: Overlay,
    /// Firmware variables.
    pub(super) vars: Unnamed,
    /// What they were at first, where they say what is started.
    pub(super) first_vars: Option<Digest>,
    /// Read-only volumes.
    pub(super) volumes: Vec<Unnamed>,
    /// The guest's memory, where it is a file: only then can the machine be captured.
    pub(super) memory: Option<Memfd>,
    /// Whether it has a network card.
    pub(super) network: bool,
    /// The folder for files without names.
    pub(super) scratch: PathBuf,
}

impl Held {
    /// What a machine is started from that has these files; nothing for a disk of the caller's.
    pub(super) fn parts<'a>(&self, firmware: &'a Firmware, memory: Memory) -> Option<Parts<'a>> {
        let (overlay, below) = self.layers()?;
        let (vars, volumes) = match self {
            Self::Written { .. } => return None,
            Self::Cold(cold) => (&cold.vars, cold.volumes.iter().map(|volume| path_of(volume.file())).collect()),
            Self::Fork { vars, frozen, .. } => (vars, frozen.files.volumes.iter().map(path_of).collect()),
        };
        Some(Parts {
            pflash: Pflash { code: &firmware.code, vars: path_of(vars.file()), guarded: firmware.guarded },
            console: String::new(),
            typed: None,
            disk: Disk { overlay, below, durable: true, drops_zeros: false },
            beside: None,
            volumes,
            cdrom: None,
            network: self.network(),
            machine: 0,
            reset_ends: false,
            memory,
            smbios: Vec::new(),
            kernel: None,
        })
    }

    /// Path of the overlay, and path and format of what is under it, the lowest first; nothing for a disk of the caller's.
    pub(super) fn layers(&self) -> Option<(String, Vec<(String, String)>)> {
        match self {
            Self::Written { .. } => None,
            Self::Cold(cold) => Some((path_of(cold.overlay.file()), vec![layer(&cold.image)])),
            Self::Fork { overlay, frozen, .. } => Some((path_of(overlay.file()), frozen.below())),
        }
    }

    /// Size of its disk when it started, in bytes; nothing is known of a disk of the caller's.
    pub(super) fn disk_bytes(&self) -> u64 {
        match self {
            Self::Written { .. } => 0,
            Self::Cold(cold) => cold.overlay.virtual_size(),
            Self::Fork { overlay, .. } => overlay.virtual_size(),
        }
    }

    /// Whether the machine has a network card.
    pub(super) fn network(&self) -> bool {
        match self {
            Self::Written { .. } => false,
            Self::Cold(cold) => cold.network,
            Self::Fork { frozen, .. } => frozen.kept.network,
        }
    }
}
