//! The promise of a store that all else stands on, and how it is found out whether it is kept.

use object_store::Error;

use super::{Key, Store, StoreError, object::LARGEST};
use crate::session::nonce;

impl Store {
    /// Whether this store keeps the promise that everything else stands on: of two who create a key, the second is
    /// refused, and what the first one wrote stays. It is asked by trying, with a key that nobody else uses.
    ///
    /// A server that looks first and then writes passes: two that are really at once would have to meet in between.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be found out.
    pub async fn keeps_the_first(&self) -> Result<bool, StoreError> {
        let name = nonce().map(|nonce| format!("{nonce:032x}"));
        let name = name.map_err(|error| self.unusable("draw a name for", "a probe", &error))?;
        let key = Key::within("probes", &name)?;
        let first = format!("first {name}\n");
        let answer = self.second_is_refused(&key, first.as_bytes()).await;
        let removed = self.delete_at(&key).await;
        let refused = answer?;
        removed?;
        Ok(refused)
    }

    async fn second_is_refused(&self, key: &Key, first: &[u8]) -> Result<bool, StoreError> {
        let mut created = Vec::new();
        for bytes in [first, b"second\n"] {
            match self.put_if_absent(key, bytes).await {
                Ok(put) => created.push(put),
                // It says itself that it cannot.
                Err(Error::NotImplemented { .. } | Error::NotSupported { .. }) => return Ok(false),
                Err(error) => return Err(self.failed("create", key)(error)),
            }
        }
        // The first may count as refused: where its answer was lost, a second attempt found what it had left.
        let held = self.read_at(key, LARGEST).await?;
        Ok(!created[1] && held.is_some_and(|held| held == first))
    }
}
