//! Reading a written file back, by a reader that is not its writer, and holding its disk against the image's.

use std::{fs::File, sync::atomic::AtomicBool};

use super::{
    Compression, Target,
    compare::{Plain, equal},
    flaw::Flaw,
    gce, ova,
    qcow2::Imago,
    vhd,
    vhdx::Vhdx,
    vmdk::Vmdk,
    vmdk_text,
};
use crate::{
    gate::{Firmware, Proof},
    image::{Format, Image, Unnamed},
};

/// What is proven, and of what.
pub(super) struct Claim<'a> {
    pub(super) target: Target,
    pub(super) compression: Compression,
    /// The names of its files, without their endings.
    pub(super) stem: &'a str,
}

/// Reads `written` as what it claims to be.
///
/// # Errors
/// [`Flaw`] says what is wrong with it; then it must not get a name.
pub(super) fn prove(
    claim: &Claim<'_>,
    image: &Image,
    written: &Unnamed,
    cancel: &AtomicBool,
) -> Result<(Proof, Firmware), Flaw> {
    let source = &mut image.disk()?;
    let file: &File = written.file();
    let want = claim.target.disk_bytes(image.virtual_size());
    let (reader, found) = match claim.target {
        Target::Qcow2 => {
            let own = Image::open(written.fd_path()).map_err(|error| Flaw::metadata(error.to_string()))?;
            if own.format() != Format::Qcow2 {
                return Err(Flaw::metadata("it is no qcow2 file"));
            }
            let found = format!("it stands alone; {}", claim.compression.found());
            match claim.compression {
                Compression::Zlib => {
                    equal(source, &mut Imago::open(file)?, want, cancel)?;
                    ("imago", found)
                }
                Compression::Zstd => {
                    equal(source, &mut own.disk()?, want, cancel)?;
                    ("kverify's qcow2", found)
                }
            }
        }
        Target::Vmdk => {
            let mut vmdk = Vmdk::open(file, 0, file.metadata()?.len())?;
            vmdk_text::prove(&vmdk, &format!("{}.vmdk", claim.stem))?;
            equal(source, &mut vmdk, want, cancel)?;
            ("kverify's vmdk", "stream-optimized; its descriptor names its file and its size".to_owned())
        }
        Target::Vhd => {
            equal(source, &mut vhd::open(file)?, want, cancel)?;
            ("kverify's vhd", "fixed; the footer's checksum is right; whole MiB".to_owned())
        }
        Target::Vhdx => {
            equal(source, &mut Vhdx::open(file)?, want, cancel)?;
            ("kverify's vhdx", "no parent; no log to replay; the checksums of header and regions are right".to_owned())
        }
        Target::Ova => {
            ova::prove(source, claim.stem, file, cancel)?;
            (
                "tar, quick-xml and kverify's vmdk",
                "OVF, manifest, VMDK in this order; digests right; EFI declared".to_owned(),
            )
        }
        Target::Raw => {
            equal(source, &mut Plain { file, bytes: file.metadata()?.len() }, want, cancel)?;
            ("the system", "no more and no less than the disk".to_owned())
        }
        Target::Gce => {
            gce::prove(source, file, want, cancel)?;
            ("flate2 and tar", "one sparse member disk.raw of GNU tar's old format; whole GiB".to_owned())
        }
    };
    let firmware = if claim.target == Target::Ova { Firmware::Efi } else { Firmware::Undeclared };
    let proof = Proof {
        reader: reader.to_owned(),
        equal_bytes: image.virtual_size(),
        zero_bytes: want - image.virtual_size(),
        found: found.split("; ").map(str::to_owned).collect(),
    };
    Ok((proof, firmware))
}
