//! What firmware needs of a disk: a sound partition table, and a loader where it looks without being told.

use super::layout::{Esp, Layout};
use crate::{
    check::{About, Check, Cost},
    expect::Expectation,
    outcome::Verdict,
};

const ESP_TYPE: &str = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";

/// The disk has a GPT without fault, with an EFI system partition.
pub struct PartitionsValid;

impl Check for PartitionsValid {
    type Fact = Layout;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "image.partitions-valid",
            demand: "the disk has a GPT without fault, whose partitions lie on the disk and apart, one of them for EFI",
            remedy: "`sgdisk --verify`; after a disk is grown or cut, `sgdisk -e` moves the backup table to its end",
            key: "image.gpt",
            cost: Cost::Quick,
            needs: &[],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.image.gpt == Some(true)).then_some(())
    }

    fn judge(&self, got: &Layout, (): &()) -> Verdict {
        let mut amiss = got.gpt_problems.clone();
        match &got.gpt {
            None => amiss.insert(0, "no GPT".to_owned()),
            Some(partitions) => {
                if !partitions.iter().any(|partition| partition.type_guid == ESP_TYPE) {
                    amiss.push("no EFI system partition".to_owned());
                }
                for one in partitions {
                    let end = one.start.saturating_add(one.bytes);
                    if one.bytes == 0 || end > got.disk_bytes {
                        amiss.push(format!("partition {} ends at {end} of {} bytes", one.number, got.disk_bytes));
                    }
                    let over = |other: &&super::Partition| {
                        one.number < other.number
                            && one.start < other.start.saturating_add(other.bytes)
                            && other.start < end
                    };
                    let over = partitions.iter().filter(over);
                    amiss.extend(over.map(|other| format!("partitions {} and {} overlap", one.number, other.number)));
                }
            }
        }
        let count = got.gpt.as_ref().map_or(0, Vec::len);
        let said = if amiss.is_empty() { format!("GPT, {count} partitions") } else { amiss.join(", ") };
        Verdict::of(amiss.is_empty(), "a GPT without fault, with an EFI system partition", said)
    }
}

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
