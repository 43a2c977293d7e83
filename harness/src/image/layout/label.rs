//! ZFS labels: what a pool says of itself on each of its devices, in four copies with a checksum each.
//!
//! Only here can be seen whether a pool was exported, before anything imports it.

use std::io;

use kverify_checks::image::Label;
use sha2::{Digest, Sha256};

use super::{nvlist::NvList, volume::Volume};
use crate::image::escaped;

/// Size of one label, two of which stand at the beginning of a device and two at its end.
pub(super) const LABEL_BYTES: u64 = 256 << 10;

/// Where in a label its list stands, and its size with the checksum at its end.
const LIST_AT: u64 = 16 << 10;
const LIST_BYTES: usize = 112 << 10;

/// A magic number and a checksum of 256 bits.
const TRAILER_BYTES: usize = 40;
const TRAILER_MAGIC: u64 = 0x0210_da7a_b10c_7a11;

/// The newest label of a device, or `None` if it has no readable one.
pub(super) fn read(volume: &mut Volume<'_, '_>, partition: u32) -> io::Result<Option<Label>> {
    let whole = volume.bytes() / LABEL_BYTES;
    if whole < 4 {
        return Ok(None);
    }
    let mut labels = Vec::new();
    for number in [0, 1, whole - 2, whole - 1] {
        let mut list = vec![0; LIST_BYTES];
        let at = number * LABEL_BYTES + LIST_AT;
        volume.read_at(at, &mut list)?;
        labels.extend(label(&list, at, partition));
    }
    let copies = u32::try_from(labels.len()).unwrap_or(0);
    let newest = labels.into_iter().max_by_key(|label| label.txg);
    Ok(newest.map(|label| Label { copies, ..label }))
}

/// The label in `list`, which stands at byte `at` of its device.
fn label(list: &[u8], at: u64, partition: u32) -> Option<Label> {
    if !sealed(list, at) {
        return None;
    }
    let list = NvList::unpack(list)?;
    let text = |name| list.text(name).map(escaped);
    let state = state(list.number("state")?);
    Some(Label {
        partition,
        // Spares and cache devices belong to no pool.
        pool: text("name").unwrap_or_default(),
        state,
        hostid: list.number("hostid"),
        hostname: text("hostname"),
        txg: list.number("txg").unwrap_or(0),
        guid: list.number("pool_guid").unwrap_or(0),
        ashift: list.list("vdev_tree").and_then(|tree| tree.number("ashift")),
        copies: 0,
    })
}

/// Whether the checksum at the end of `list` is that of its content at its place, in the byte order of its writer.
fn sealed(list: &[u8], at: u64) -> bool {
    let (content, trailer) = list.split_at(list.len() - TRAILER_BYTES);
    let words: Vec<[u8; 8]> = trailer.as_chunks::<8>().0.to_vec();
    let little = words[0] == TRAILER_MAGIC.to_le_bytes();
    if !little && words[0] != TRAILER_MAGIC.to_be_bytes() {
        return false;
    }
    let written = |number: u64| if little { number.to_le_bytes() } else { number.to_be_bytes() };
    // The sum is taken with the place of the block where the sum will stand: a label copied elsewhere is no label.
    let hash =
        Sha256::new().chain_update(content).chain_update(words[0]).chain_update(written(at)).chain_update([0; 24]);
    let hash: [u8; 32] = hash.finalize().into();
    hash.as_chunks::<8>().0.iter().zip(&words[1..]).all(|(hash, word)| written(u64::from_be_bytes(*hash)) == *word)
}

/// The names of `pool_state_t`.
fn state(number: u64) -> String {
    let names =
        ["ACTIVE", "EXPORTED", "DESTROYED", "SPARE", "L2CACHE", "UNINITIALIZED", "UNAVAIL", "POTENTIALLY_ACTIVE"];
    let name = usize::try_from(number).ok().and_then(|number| names.get(number));
    name.map_or_else(|| format!("UNKNOWN {number}"), |name| (*name).to_owned())
}
