//! Rows of numbered records, each created once: the highest is the one that counts, and none is ever missing.
//!
//! Not every kind of store can replace an object only if it is still the one that was read, but all can create one only if
//! it is absent. So nothing is replaced: who writes takes the number behind the highest, and who loses it tries again.

use std::collections::BTreeSet;

use object_store::{Error, ObjectStoreExt};

use super::{Creation, Key, Store, StoreError, object::pause};

/// The folder of the rows.
const FOLDER: &str = "channels";
/// How many digits a number has.
const DIGITS: usize = 8;
/// How a record's name ends.
const ENDING: &str = ".json";
/// The largest record, in bytes.
const LARGEST: u64 = 256 << 10;
/// How often a record is tried to be written. Each lost try means that another one was written.
const TRIES: u32 = 100;

impl Store {
    /// Writes the next record of a row, and gives its number, from 1 on, and its bytes.
    ///
    /// `make` is given that number and the latest record, and is asked anew each time another one was written meanwhile; its
    /// bytes have to differ from those of anybody else, or two who write at once count the one record as theirs.
    ///
    /// # Errors
    /// What `make` says, or [`StoreError`] if the store cannot be used, a record is missing, or others were faster in a
    /// hundred tries. Then nothing was written, unless the answer to a write was lost.
    pub async fn append<E: From<StoreError>>(
        &self,
        row: &str,
        mut make: impl FnMut(u64, Option<&[u8]>) -> Result<Vec<u8>, E>,
    ) -> Result<(u64, Vec<u8>), E> {
        for tries in 1..=TRIES {
            let latest = self.latest(row).await?;
            let number = latest.as_ref().map_or(1, |(number, _)| number + 1);
            let bytes = make(number, latest.as_ref().map(|(_, bytes)| &bytes[..]))?;
            let key = key(row, number)?;
            self.fits(&key, bytes.len() as u64, LARGEST)?;
            match self.create_at(&key, &bytes).await? {
                // What holds these very bytes is of this call: the answer to its first attempt was lost.
                Creation::AlreadyThere(held) if held != bytes => pause(tries).await,
                Creation::Created | Creation::AlreadyThere(_) => return Ok((number, bytes)),
            }
        }
        Err(self.contended(&Key::within(FOLDER, row)?, TRIES).into())
    }

    /// The names of all rows that have a record, sorted.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be listed.
    pub async fn rows(&self) -> Result<Vec<String>, StoreError> {
        let keys = self.list(FOLDER).await?;
        let rows: BTreeSet<_> = keys.iter().filter_map(|key| parts(key)).map(|(row, _)| row.to_owned()).collect();
        Ok(rows.into_iter().collect())
    }

    /// All records of a row in order; the first is number 1.
    ///
    /// # Errors
    /// [`StoreError::Gap`] if one is missing, and others if they cannot be read.
    pub async fn records(&self, row: &str) -> Result<Vec<Vec<u8>>, StoreError> {
        let highest = self.highest(row).await?;
        let mut records = Vec::new();
        for number in 1..=highest {
            records.push(self.record(row, number, highest).await?);
        }
        Ok(records)
    }

    /// The latest record of a row and its number, `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError::Gap`] if one before it is missing, and others if they cannot be read.
    pub async fn latest(&self, row: &str) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        match self.highest(row).await? {
            0 => Ok(None),
            highest => Ok(Some((highest, self.record(row, highest, highest).await?))),
        }
    }

    async fn record(&self, row: &str, number: u64, highest: u64) -> Result<Vec<u8>, StoreError> {
        let record = self.read_at(&key(row, number)?, LARGEST).await?;
        record.ok_or_else(|| self.gap(row, number, highest))
    }

    /// The number of the latest record, 0 if there is none.
    async fn highest(&self, row: &str) -> Result<u64, StoreError> {
        let folder = Key::within(FOLDER, row)?;
        let keys = self.list(folder.as_str()).await?;
        let numbers: BTreeSet<_> = keys.iter().filter_map(|key| parts(key)).map(|(_, number)| number).collect();
        let highest = numbers.last().copied().unwrap_or(0);
        for number in (1..highest).filter(|number| !numbers.contains(number)) {
            let key = key(row, number)?;
            // A list that is made while others write may have the later one and not the earlier one.
            match self.objects.head(&key.path()).await {
                Ok(_) => {}
                Err(Error::NotFound { .. }) => return Err(self.gap(row, number, highest)),
                Err(error) => return Err(self.failed("look for", &key)(error)),
            }
        }
        Ok(highest)
    }

    fn gap(&self, row: &str, missing: u64, highest: u64) -> StoreError {
        StoreError::Gap { store: self.to_string(), row: row.to_owned(), missing, highest }
    }
}

fn key(row: &str, number: u64) -> Result<Key, StoreError> {
    Key::within(&format!("{FOLDER}/{row}"), &format!("{number:0DIGITS$}{ENDING}"))
}

/// The row and the number in a record's key, `None` if it is no record's.
fn parts(key: &str) -> Option<(&str, u64)> {
    let (row, name) = key.strip_prefix(FOLDER)?.strip_prefix('/')?.split_once('/')?;
    let digits = name.strip_suffix(ENDING)?;
    let numbered = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    Some((row, digits.parse().ok().filter(|number| numbered && *number > 0)?))
}

#[cfg(test)]
mod tests {
    use super::{key, parts};

    #[test]
    fn a_key_and_its_parts_are_each_other_s_inverse() {
        let key = key("stable", 42).unwrap();
        assert_eq!(key.as_str(), "channels/stable/00000042.json");
        assert_eq!(parts(key.as_str()), Some(("stable", 42)));
        for other in ["channels/stable/42.json", "channels/stable/+0000042.json", "channels/stable/00000000.json"] {
            assert_eq!(parts(other), None, "{other}");
        }
        for other in ["names/stable/00000042.json", "channels/00000042.json", "channels/a/b/00000042.json"] {
            assert_eq!(parts(other), None, "{other}");
        }
    }
}
