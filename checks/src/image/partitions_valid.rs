//! The partition table: firmware, resizing tools and the root file system all start from it.

use super::layout::{Layout, Partition};
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
                    let over = |other: &&Partition| {
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
