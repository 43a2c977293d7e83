//! What is held open for a machine: QEMU knows these files by descriptor only.

use std::{path::PathBuf, sync::Arc};

use super::{memfd::Memfd, snapshot::Frozen};
use crate::image::{Image, Overlay, Unnamed};

/// The files of one machine.
pub(super) enum Held {
    /// On a disk of the caller's, which outlives the machine.
    Written { _vars: Unnamed, _volumes: Vec<Unnamed> },
    /// On an overlay of an image, begun with its firmware.
    Cold(Box<Cold>),
    /// Of a fork: its own, and those of the machine that was captured.
    Fork { _overlay: Overlay, _vars: Unnamed, _frozen: Arc<Frozen> },
}

/// The files of a machine that can be captured.
pub(super) struct Cold {
    /// The image under the overlay.
    pub(super) image: Arc<Image>,
    pub(super) overlay: Overlay,
    /// Firmware variables.
    pub(super) vars: Unnamed,
    /// Read-only volumes.
    pub(super) volumes: Vec<Unnamed>,
    /// The guest's memory.
    pub(super) memory: Memfd,
    /// Whether it has a network card.
    pub(super) network: bool,
    /// The folder for files without names.
    pub(super) scratch: PathBuf,
}
