//! SHA-256 of a written file, or of a part of one. Holes are hashed, and not read.

use std::{fs::File, os::unix::fs::FileExt, sync::atomic::AtomicBool};

use sha2::{Digest as _, Sha256};

use super::{
    compare::{ZEROS, go_on, step},
    flaw::Flaw,
};
use crate::image::{Digest, run_of_file};

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
        let run = run_of_file(file, at, end)?;
        let length = step(run.bytes);
        if run.hole {
            hash.update(&ZEROS[..length]);
        } else {
            let part = &mut buffer[..length];
            file.read_exact_at(part, at)?;
            hash.update(&*part);
        }
        at += length as u64;
    }
    Ok(Digest::finished(hash))
}
