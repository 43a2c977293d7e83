//! The digest of the image, made while the machine boots.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::task::{JoinHandle, spawn_blocking};

use super::RunError;
use crate::image::{Digest, DigestError, Image};

/// A digest that is known, or will be. Dropping it ends the hashing.
pub(super) struct Hashing {
    runs: Option<JoinHandle<Result<Digest, DigestError>>>,
    known: Option<Digest>,
    stop: Arc<AtomicBool>,
}

impl Hashing {
    pub(super) fn begin(image: &Arc<Image>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (image, stopped) = (Arc::clone(image), Arc::clone(&stop));
        let runs = spawn_blocking(move || image.digest(|_| (), &stopped));
        Self { runs: Some(runs), known: None, stop }
    }

    /// Waits until it is known.
    pub(super) async fn digest(&mut self) -> Result<Digest, RunError> {
        if let Some(runs) = self.runs.take() {
            self.known = Some(runs.await.map_err(|error| RunError::Host(error.to_string()))??);
        }
        self.known.ok_or_else(|| RunError::Host("the image could not be hashed before".to_owned()))
    }
}

impl Drop for Hashing {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
