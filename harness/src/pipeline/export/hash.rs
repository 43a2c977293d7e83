//! SHA-256 of a written file, or of a part of one.

use std::{fs::File, os::unix::fs::FileExt, sync::atomic::AtomicBool};

use sha2::{Digest as _, Sha256};

use super::{
    compare::{go_on, step},
    flaw::Flaw,
};
use crate::image::Digest;

/// The digest of `bytes` bytes of a file from byte `at` on.
///
/// # Errors
/// What the system says, or [`Flaw::Cancelled`].
pub(super) fn digest_of(file: &File, mut at: u64, bytes: u64, cancel: &AtomicBool) -> Result<Digest, Flaw> {
    let end = at.saturating_add(bytes);
    let mut hash = Sha256::new();
    let mut buffer = vec![0; step(u64::MAX)];
    while at < end {
        go_on(cancel)?;
        let part = &mut buffer[..step(end - at)];
        file.read_exact_at(part, at)?;
        hash.update(&*part);
        at += part.len() as u64;
    }
    Ok(Digest::finished(hash))
}
