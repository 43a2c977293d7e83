//! What an export left, and what was proven of it: bound to the image's digest, and signed.
//!
//! The record is the payload itself, so it needs no other paper.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Envelope, EnvelopeError, PayloadType, PublicKey, SigningKey};
use crate::image::Digest;

/// A format that clouds or hypervisors take. Displayed as `--format` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Compressed qcow2: KVM, Proxmox, OpenStack.
    Qcow2,
    /// Stream-optimized VMDK: vSphere, AWS.
    Vmdk,
    /// Fixed VHD of whole MiB: Azure.
    Vhd,
    /// Dynamic VHDX: Hyper-V.
    Vhdx,
    /// VMDK with a descriptor and a manifest in one archive: vSphere, VirtualBox.
    Ova,
    /// The bytes of the disk themselves, with holes: AWS.
    Raw,
    /// `disk.raw` of whole GiB in a gzipped archive: Google Compute Engine.
    Gce,
}

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

/// A record that a trusted key has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedExport {
    /// The record.
    pub exported: Exported,
    /// Fingerprint of the key.
    pub signed_by: String,
}

/// Why a record of an export does not count.
#[derive(Debug, thiserror::Error)]
pub enum ExportedError {
    /// Its signature does not hold.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// It cannot be read.
    #[error("no record of an export by this version of kverify: {0}")]
    Json(#[from] serde_json::Error),
    /// A file in it was not held against all of the image.
    #[error("{file}: {equal} bytes were found equal, and the image has {all}")]
    InPart {
        /// The file.
        file: String,
        /// How many bytes were compared.
        equal: u64,
        /// How many there are.
        all: u64,
    },
}

impl Target {
    /// What the file's name ends with.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Self::Qcow2 => "qcow2",
            Self::Vmdk => "vmdk",
            Self::Vhd => "vhd",
            Self::Vhdx => "vhdx",
            Self::Ova => "ova",
            Self::Raw => "raw",
            Self::Gce => "tar.gz",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Gce => "gce",
            other => other.ending(),
        })
    }
}

impl Exported {
    /// A record that says of each file that all of the image is in it.
    ///
    /// # Errors
    /// [`ExportedError`] where it is none, or says of a file that it was not held against all of the image.
    pub fn read(text: &[u8]) -> Result<Self, ExportedError> {
        let exported: Self = serde_json::from_slice(text)?;
        let all = exported.virtual_bytes;
        match exported.files.iter().find(|file| file.proof.equal_bytes != all) {
            Some(ExportedFile { file, proof, .. }) => {
                Err(ExportedError::InPart { file: file.clone(), equal: proof.equal_bytes, all })
            }
            None => Ok(exported),
        }
    }
}

impl SignedExport {
    /// Signs the record whose text this is.
    ///
    /// # Errors
    /// [`ExportedError`] where it is none, or says that something was not proven.
    pub fn sign(record: &[u8], key: &SigningKey) -> Result<Envelope, ExportedError> {
        Exported::read(record)?;
        Ok(Envelope::sign(PayloadType::Export, record, key))
    }

    /// The record in an envelope, if a trusted key has signed it.
    ///
    /// # Errors
    /// [`ExportedError`] says why it does not count.
    pub fn open(envelope: &Envelope, trusted: &[PublicKey]) -> Result<Self, ExportedError> {
        let (payload, key) = envelope.open(PayloadType::Export, trusted)?;
        Ok(Self { exported: Exported::read(&payload)?, signed_by: key.fingerprint() })
    }
}

#[cfg(test)]
pub(crate) fn sample(image: Digest, formats: &[Target]) -> Exported {
    let file = |format: &Target| ExportedFile {
        format: *format,
        file: format!("golden.{}", format.ending()),
        bytes: 3,
        sha256: Digest::of(format.ending().as_bytes()),
        virtual_bytes: 1 << 20,
        firmware: Firmware::Undeclared,
        proof: Proof { reader: "a test".to_owned(), equal_bytes: 1 << 20, zero_bytes: 0, found: Vec::new() },
    };
    Exported {
        kverify: "0.0.0".to_owned(),
        image: "golden.qcow2".to_owned(),
        digest: image,
        virtual_bytes: 1 << 20,
        files: formats.iter().map(file).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::{ExportedError, SignedExport, Target, sample};
    use crate::{
        gate::{EnvelopeError, SigningKey},
        image::Digest,
    };

    #[test]
    fn what_was_signed_is_opened_and_nothing_else() {
        let key = SigningKey::generate().unwrap();
        let exported = sample(Digest::of(b"image"), &[Target::Vhd, Target::Gce]);
        let envelope = SignedExport::sign(&serde_json::to_vec(&exported).unwrap(), &key).unwrap();
        let opened = SignedExport::open(&envelope, &[key.public()]).unwrap();
        assert_eq!(opened, SignedExport { exported, signed_by: key.public().fingerprint() });
        let stranger = SigningKey::generate().unwrap().public();
        let error = SignedExport::open(&envelope, &[stranger]).unwrap_err();
        assert!(matches!(error, ExportedError::Envelope(EnvelopeError::Untrusted { .. })), "{error}");
    }

    #[test]
    fn what_was_not_proven_whole_is_not_signed() {
        let key = SigningKey::generate().unwrap();
        let mut exported = sample(Digest::of(b"image"), &[Target::Ova]);
        exported.files[0].proof.equal_bytes -= 512;
        let error = SignedExport::sign(&serde_json::to_vec(&exported).unwrap(), &key).unwrap_err();
        assert_eq!(error.to_string(), "golden.ova: 1048064 bytes were found equal, and the image has 1048576");
        assert!(matches!(SignedExport::sign(b"{}", &key), Err(ExportedError::Json(_))));
    }
}
