//! What an export left, and what was proven of it: the record that a signed statement can carry.

use serde::{Deserialize, Serialize};

use super::Target;
use crate::image::Digest;

/// The files that were made of one image. Each was read back and found equal to it before it had a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exported {
    /// Version of kverify that did.
    pub kverify: String,
    /// The name of the image's file, which proves nothing.
    pub image: String,
    /// The image's digest: what all of this is bound to.
    pub digest: Digest,
    /// Size of the image's disk, in bytes.
    pub virtual_bytes: u64,
    /// The files, in the order in which they were asked for.
    pub files: Vec<ExportedFile>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedFile {
    /// Its format.
    pub format: Target,
    /// Its name.
    pub file: String,
    /// Its size, in bytes; holes count.
    pub bytes: u64,
    /// Its digest.
    pub sha256: Digest,
    /// Size of the disk inside, in bytes: the image's, or that rounded up to what the platform counts in.
    pub virtual_bytes: u64,
    /// What is declared of the firmware.
    pub firmware: Firmware,
    /// What was proven.
    pub proof: Proof,
}

/// What a file says of the firmware that its disk boots by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Firmware {
    /// EFI, in the file itself.
    Efi,
    /// Nothing: the format has no place for it, and whoever imports it has to say EFI.
    Undeclared,
}

/// What a reader that is not the writer found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// Who read it.
    pub reader: String,
    /// How many bytes from the beginning of the disk are equal to the image's: all that the image has.
    pub equal_bytes: u64,
    /// How many zeros follow those, where the platform wants a longer disk.
    pub zero_bytes: u64,
    /// What was found right beside the content, for people.
    pub found: Vec<String>,
}
