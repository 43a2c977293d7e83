//! Why a store did not do what it was asked for.

use std::{error::Error as _, io};

use crate::image::Digest;

/// How much of a server's own words is shown, in characters.
const SHOWN: usize = 800;

/// Why a store did not do what it was asked for. One line that names the store and the key.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No store can be there.
    #[error("store {location}: {why}")]
    Location {
        /// As given, without what may be a secret.
        location: String,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// A key that no store takes.
    #[error("`{key}` is no name in a store: {why}")]
    Key {
        /// As given, cut to a length that can be shown.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// The store refused, did not answer in time, or is out of reach.
    #[error(
        "store {store}: cannot {doing} {key}; see that it is reachable, has room, and lets these credentials in: {why}"
    )]
    Failed {
        /// The store.
        store: String,
        /// What was being done.
        doing: &'static str,
        /// With which object.
        key: String,
        /// What it said.
        why: String,
    },
    /// There is no such object.
    #[error("store {store}: there is no {key}; see that this is the store it was put into")]
    Missing {
        /// The store.
        store: String,
        /// The object.
        key: String,
    },
    /// An object is larger than is allowed.
    #[error("store {store}: {key} has {bytes} bytes, over the limit of {limit}; look at who wrote it")]
    TooLarge {
        /// The store.
        store: String,
        /// The object.
        key: String,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// More objects than anybody lists.
    #[error("store {store}: more than {limit} objects under {prefix}; give the store a prefix of its own")]
    TooMany {
        /// The store.
        store: String,
        /// Where they are.
        prefix: String,
        /// The limit.
        limit: usize,
    },
    /// The file is not the one that was tested.
    #[error("the file has {got}, not {want}: it changed since its test; verify it again")]
    Changed {
        /// What it has to be.
        want: Digest,
        /// What it is.
        got: Digest,
    },
    /// The file cannot be read.
    #[error("the image cannot be read from its file")]
    Unreadable {
        /// What the system said.
        source: io::Error,
    },
    /// What was fetched cannot be written.
    #[error("store {store}: {key} cannot be written to its file; see that there is room")]
    Unwritable {
        /// The store.
        store: String,
        /// The object.
        key: String,
        /// What the system said.
        source: io::Error,
    },
    /// An object does not hold what it has to.
    #[error(
        "store {store}: {key} holds {got}, not {want}; somebody or something altered it: find out who, and remove it"
    )]
    Altered {
        /// The store.
        store: String,
        /// The object.
        key: String,
        /// What it has to hold.
        want: String,
        /// What it holds.
        got: String,
    },
    /// A name stands for another image.
    #[error("store {store}: the name {name} stands for {holds}, so not for {wanted}; choose another name")]
    Taken {
        /// The store.
        store: String,
        /// The name.
        name: String,
        /// The image that has it.
        holds: Digest,
        /// The image that was to have it.
        wanted: Digest,
    },
    /// A record is missing between others.
    #[error(
        "store {store}: record {missing} of row {row} is missing, and {highest} is there; records are never removed, so \
         somebody did: restore it before the row is used"
    )]
    Gap {
        /// The store.
        store: String,
        /// The row.
        row: String,
        /// The first number that is missing.
        missing: u64,
        /// The highest number that is there.
        highest: u64,
    },
    /// Others were faster, again and again.
    #[error("store {store}: {key} was not created in {tries} tries: others were faster; try again")]
    Contended {
        /// The store.
        store: String,
        /// What was to be created.
        key: String,
        /// How often it was tried.
        tries: u32,
    },
}

/// What the objects' crate says and why, on one line: its text holds some of its causes, among them whole answers of servers.
pub(super) fn shown(error: &object_store::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let why = error.to_string();
        if !text.contains(&why) {
            text = format!("{text}: {why}");
        }
        cause = error.source();
    }
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").chars().take(SHOWN).collect()
}
