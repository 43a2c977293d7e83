//! Compression: that no file system of the image is written without it.

use toml::Value;

use super::datasets::Datasets;
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    outcome::Verdict,
};

/// Every file system has the expected compression.
pub struct CompressionSet;

impl Check for CompressionSet {
    type Fact = Datasets;
    type Want = String;

    fn about(&self) -> &About {
        &About {
            id: "zfs.compression-set",
            demand: "every file system has the expected compression",
            remedy: "set it on the pool's root before data is written, and `zfs inherit -r compression POOL`",
            key: "zfs.compression",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<String> {
        image.zfs.compression.clone()
    }

    fn judge(&self, got: &Datasets, want: &String) -> Verdict {
        let others = got.filesystems().filter(|dataset| dataset.compression != *want);
        let others: Vec<_> = others.map(|dataset| format!("{} {}", dataset.name, dataset.compression)).collect();
        let count = got.filesystems().count();
        let said = if others.is_empty() { format!("{want} on {count} file systems") } else { others.join(", ") };
        Verdict::of(others.is_empty() && count > 0, want, said)
    }

    fn observed(&self, got: &Datasets) -> Option<Value> {
        let first = &got.filesystems().next()?.compression;
        got.filesystems().all(|dataset| dataset.compression == *first).then(|| first.clone().into())
    }
}
