//! Files that a command is given: texts, none of them longer than what it is can be.

use std::{fs, path::Path};

use anyhow::{Context as _, bail};

/// The text of a file that is `what`, which has at most so many bytes; `shown` is what a complaint calls it.
pub(super) fn text(path: &Path, shown: &str, what: &str, limit: u64) -> anyhow::Result<String> {
    let named = || shown.to_owned();
    let length = fs::metadata(path).with_context(named)?.len();
    if length > limit {
        bail!("{shown}: {length} bytes are no {what}; the limit is {limit}");
    }
    fs::read_to_string(path).with_context(named)
}
