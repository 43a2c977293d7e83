//! What stands in the free space of the pools: deleted files can be read there by whoever has the image.

use serde::{Deserialize, Serialize};

use super::{WALK_NAME, trees::Trees};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{ImageAspect, Output, Probe},
};

/// How much of each device of a pool holds anything but zeros, as the image file has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content(pub Vec<PartContent>);

/// One device of a pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartContent {
    /// The partition; 0 is the whole disk.
    pub partition: u32,
    /// The pool.
    pub pool: String,
    /// Bytes in blocks of 4 KiB that are not all zero, labels and boot area left out.
    pub bytes: u64,
}

/// Allocated, and not zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreeBlocks {
    /// Each pool with the bytes that it has allocated.
    pub allocated: Vec<(String, u64)>,
    /// What is not zero on its devices.
    pub content: Content,
}

impl Fact for FreeBlocks {
    const ID: &'static str = "seal.free-blocks";

    fn probes() -> Vec<Probe> {
        vec![Probe::offline([WALK_NAME, "pools"]), Probe::image(ImageAspect::Content)]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let allocated = Trees::read(&out[0])?.pools;
        let content: Content =
            serde_json::from_str(out[1].ok()?).map_err(|error| Unreadable::new(error.to_string()))?;
        if allocated.is_empty() {
            return Err(Unreadable::new("no pool said what it has allocated"));
        }
        Ok(Self { allocated, content })
    }
}

/// What is free is empty.
pub struct FreeBlocksEmpty;

impl Check for FreeBlocksEmpty {
    type Fact = FreeBlocks;
    type Want = u64;

    fn about(&self) -> &About {
        &About {
            id: "seal.free-blocks-empty",
            demand: "no pool's devices hold more than the pool has allocated: nothing that was deleted can be read",
            remedy: "copy what is in use to an empty disk, as `kverify seal` does; trim and initialize leave some of it",
            key: "seal.free_mib",
            cost: Cost::Deep,
            needs: &[Need::Sealed],
        }
    }

    fn want(&self, image: &Expectation) -> Option<u64> {
        image.seal.free_mib
    }

    fn judge(&self, got: &FreeBlocks, want: &u64) -> Verdict {
        let mut holds = true;
        let mut said = Vec::new();
        for (pool, allocated) in &got.allocated {
            let parts: Vec<_> = got.content.0.iter().filter(|part| part.pool == *pool).collect();
            let bytes: u64 = parts.iter().map(|part| part.bytes).sum();
            let over = bytes.saturating_sub(*allocated);
            holds &= !parts.is_empty() && over <= want << 20;
            said.push(format!(
                "{pool}: {} KiB allocated, {} KiB not zero, so {} KiB of it free at least",
                allocated >> 10,
                bytes >> 10,
                over >> 10
            ));
        }
        Verdict::of(holds, format!("at most {want} MiB not zero in free blocks"), said.join("; "))
    }
}
