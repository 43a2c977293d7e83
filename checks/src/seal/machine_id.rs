//! The machine ID: what journals, DHCP and much else know a machine by.

use super::trees::Trees;
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    lists::some,
    outcome::Verdict,
};

const FILES: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];
/// What makes systemd take the boot for the first.
const FIRST_BOOT: &str = "uninitialized";

/// The machine ID is made by each machine for itself.
pub struct MachineIdEmpty;

impl Check for MachineIdEmpty {
    type Fact = Trees;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "seal.machine-id-empty",
            demand: "/etc/machine-id is empty or `uninitialized`, and D-Bus has no other",
            remedy: "empty /etc/machine-id and remove /var/lib/dbus/machine-id when the image is sealed, in snapshots too",
            key: "seal.machine_id",
            cost: Cost::Deep,
            needs: &[Need::Sealed],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.seal.machine_id == Some(true)).then_some(())
    }

    fn judge(&self, got: &Trees, (): &()) -> Verdict {
        let mut found = Vec::new();
        for tree in &got.trees {
            for file in FILES {
                let text = tree.text(file).filter(|text| !text.is_empty() && *text != FIRST_BOOT);
                found.extend(text.map(|text| format!("{file} {text} in {}", tree.name)));
            }
        }
        Verdict::of(found.is_empty(), "empty or uninitialized", some(&found, &format!("so in {}", got.count())))
    }
}
