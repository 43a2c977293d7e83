//! A config drive: the documents of `OpenStack` on a disk labelled `config-2`
//! (<https://docs.openstack.org/nova/latest/user/metadata.html#config-drives>).

use super::{Instance, openstack::document};
use crate::image::Seed;

/// The label; FAT keeps it in capitals, and Nova's own FAT drives have it so.
const LABEL: &str = "CONFIG-2";
const FILES: [&str; 4] = ["meta_data.json", "network_data.json", "vendor_data.json", "user_data"];

pub(super) fn volume(instance: &Instance) -> Seed {
    FILES.iter().fold(Seed::new(LABEL), |seed, name| {
        seed.file(format!("openstack/latest/{name}"), document(instance, name).unwrap_or_default())
    })
}
