//! The fallback loader: what firmware starts on a machine that has never seen the disk.

use super::layout::{Esp, Layout};
use crate::{
    check::{About, Check, Cost},
    expect::Expectation,
    outcome::Verdict,
};

/// Firmware without a boot entry finds a loader of its own kind.
pub struct FallbackLoader;

impl Check for FallbackLoader {
    type Fact = Layout;
    type Want = String;

    fn about(&self) -> &About {
        &About {
            id: "image.fallback-loader",
            demand: "the EFI system partition has a loader for the machine at the path that every firmware tries",
            remedy: "copy the loader to EFI/BOOT/BOOTX64.EFI (`bootctl install` and shim's packages do)",
            key: "image.fallback_loader",
            cost: Cost::Quick,
            needs: &[],
        }
    }

    fn want(&self, image: &Expectation) -> Option<String> {
        image.image.fallback_loader.clone()
    }

    fn judge(&self, got: &Layout, want: &String) -> Verdict {
        let said = match &got.esp {
            None => "no EFI system partition".to_owned(),
            Some(Esp { unreadable: Some(why), .. }) => format!("EFI system partition not readable: {why}"),
            Some(Esp { fallback_machine: Some(machine), .. }) => machine.clone(),
            Some(Esp { files, .. }) => format!("no loader at the fallback path among {} files", files.len()),
        };
        Verdict::of(said == *want, want, said)
    }
}
