//! Digests that tell whether two reports asked the same and wanted the same.

use kverify_checks::{Expectation, all, seal::WALK};
use sha2::{Digest, Sha256};

use crate::image::hex;

/// SHA-256 over the ID and the probes of every built-in check, and the program that walks disks.
pub(crate) fn check_set() -> String {
    let mut hash = Sha256::new();
    for check in all() {
        hash.update(check.about().id);
        for probe in (check.fact().probes)() {
            hash.update([0]);
            hash.update(format!("{:?}", probe.source));
        }
        hash.update([1]);
    }
    hash.update(WALK);
    format!("sha256:{}", hex(&hash.finalize()))
}

/// SHA-256 over the merged values of an expectation.
pub(crate) fn expectation_digest(expectation: &Expectation) -> String {
    let mut hash = Sha256::new();
    // Keys in the order of the struct, so that the same values always give the same text.
    hash.update(serde_json::to_vec(expectation).unwrap_or_default());
    format!("sha256:{}", hex(&hash.finalize()))
}

#[cfg(test)]
mod tests {
    use kverify_checks::Expectation;

    use super::expectation_digest;

    #[test]
    fn another_value_is_another_digest() {
        let mut one = Expectation::default();
        let before = expectation_digest(&one);
        one.zfs.pool = Some("rpool".to_owned());
        assert_ne!(before, expectation_digest(&one));
        assert_eq!(before.len(), "sha256:".len() + 64);
    }
}
