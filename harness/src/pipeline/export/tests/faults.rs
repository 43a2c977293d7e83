//! Exporters that do something wrong, and files that were changed after they were written: each is noticed, and none has
//! a name.

use std::{
    fs,
    os::unix::fs::{FileExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::AtomicBool,
};

use super::{
    super::{
        Compression, Export, ExportError, ExportRequest, Prepared, Target,
        prove::{Claim, prove},
    },
    DISK, PLACE, Place,
};
use crate::image::{Digest, Image, Unnamed};

static NEVER: AtomicBool = AtomicBool::new(false);

impl Place {
    /// What a reader says of an exported file whose bytes were changed.
    fn flaw(&self, target: Target, change: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut bytes = fs::read(self.out(target.ending())).unwrap();
        change(&mut bytes);
        let file = Unnamed::holding(self.0.path(), "a test", &bytes).unwrap();
        let image = Image::open(self.path("golden.qcow2")).unwrap();
        let claim = Claim { target, compression: Compression::Zlib, stem: "golden" };
        prove(&claim, &image, &file, &NEVER).unwrap_err().to_string()
    }
}

/// Where these bytes stand in others.
fn find(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).position(|window| window == wanted).unwrap()
}

/// A `qemu-img` that does something to each file once it is written.
fn tampering(place: &Place, then: &str) -> PathBuf {
    let path = place.path("qemu-img");
    fs::write(
        &path,
        format!("#!/bin/bash\nset -e\nqemu-img \"$@\"\n[[ $1 == convert ]] || exit 0\nfile=${{@: -1}}\n{then}\n"),
    )
    .unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

async fn exported(program: &Path, request: &ExportRequest) -> Result<Export, ExportError> {
    Prepared::of(request).await?.export_by(program, &|_| ()).await
}

async fn tampered(place: &Place, target: Target, then: &str) -> String {
    let program = tampering(place, then);
    let Err(error) = exported(&program, &place.request(&[Target::Raw, target])).await else {
        panic!("{target}: nobody noticed {then}")
    };
    assert!(place.left().is_empty(), "{:?}", place.left());
    std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

#[tokio::test]
async fn an_exporter_that_drops_a_sector_or_shortens_the_disk_leaves_nothing() {
    let place = Place::new();
    let drop = format!("[[ $* == *'-O $FORMAT '* ]] || exit 0; qemu-io -f $FORMAT -c 'write -z {PLACE} 512' $file");
    let not = "the file that was written is not the image:";
    for (target, format) in [(Target::Raw, "raw"), (Target::Vhd, "vpc"), (Target::Vhdx, "vhdx")] {
        let said = tampered(&place, target, &drop.replace("$FORMAT", format)).await;
        assert_eq!(said, format!("{target}: {not} its disk differs from the image at byte {PLACE}"));
    }
    // QEMU writes a compressed cluster once: another disk is converted in its place.
    place.qemu_img("convert -f qcow2 -O raw golden.qcow2 other.raw");
    let other = fs::File::options().write(true).open(place.path("other.raw")).unwrap();
    other.write_all_at(&[0; 512], PLACE).unwrap();
    for (target, driver) in [(Target::Qcow2, "qcow2"), (Target::Vmdk, "vmdk"), (Target::Ova, "vmdk")] {
        let options = if driver == "vmdk" { "-o subformat=streamOptimized" } else { "-c" };
        let other = place.path("other.raw");
        let then = format!(
            "[[ $* == *'-O {driver} '* ]] || exit 0; qemu-img convert -f raw -O {driver} {options} {} $file",
            other.display()
        );
        let said = tampered(&place, target, &then).await;
        assert_eq!(said, format!("{target}: {not} its disk differs from the image at byte {PLACE}"));
    }
    let said = tampered(&place, Target::Raw, &format!("truncate -s {} $file", DISK - 512)).await;
    assert_eq!(said, format!("raw: {not} its disk has {} bytes, and {DISK} are wanted", DISK - 512));
    let said = tampered(&place, Target::Raw, &format!("truncate -s {} $file", DISK + 512)).await;
    assert_eq!(said, format!("raw: {not} its disk has {} bytes, and {DISK} are wanted", DISK + 512));
}

#[tokio::test]
async fn an_exporter_that_fails_or_a_source_that_changes_leaves_nothing() {
    let place = Place::new();
    let said = tampered(&place, Target::Vhdx, "echo no >&2; exit 3").await;
    assert!(said.contains(": it was not written: qemu-img ended with exit status: 3: no"), "{said}");
    let said = tampered(&place, Target::Vhdx, &format!("touch {}", place.path("golden.qcow2").display())).await;
    assert!(said.ends_with("golden.qcow2: changed while it was verified: it was written to"), "{said}");
}

#[tokio::test]
async fn a_name_that_is_taken_meanwhile_stays_its_owner_s_and_no_other_is_given() {
    let place = Place::new();
    let program = tampering(&place, &format!("echo mine >{}", place.out("vhdx").display()));
    let error = exported(&program, &place.request(&[Target::Raw, Target::Vhdx])).await.err().unwrap();
    assert_eq!(error.to_string(), format!("{}: File exists (os error 17)", place.out("vhdx").display()));
    assert_eq!(place.left(), ["golden.vhdx"]);
    assert_eq!(fs::read_to_string(place.out("vhdx")).unwrap(), "mine\n");
}

#[tokio::test]
async fn a_footer_that_lies_is_noticed() {
    let place = Place::new();
    place.export(&[Target::Vhd]).await.unwrap();
    let footer = 13 << 20;
    let said = place.flaw(Target::Vhd, |bytes| bytes[footer + 64] ^= 0xff);
    assert!(said.starts_with("its footer's checksum is 0x"), "{said}");
    let summed = |bytes: &mut Vec<u8>| {
        bytes[footer + 64..footer + 68].fill(0);
        let sum: u32 = bytes[footer..].iter().map(|byte| u32::from(*byte)).sum();
        bytes[footer + 64..footer + 68].copy_from_slice(&(!sum).to_be_bytes());
    };
    let said = place.flaw(Target::Vhd, |bytes| {
        bytes[footer + 63] = 3;
        summed(bytes);
    });
    assert_eq!(said, "it is a VHD of type 3, not a fixed one (type 2)");
    let said = place.flaw(Target::Vhd, |bytes| {
        bytes[footer + 48..footer + 56].copy_from_slice(&DISK.to_be_bytes());
        summed(bytes);
    });
    assert_eq!(said, format!("its footer says {DISK} bytes, and {footer} stand before it"));
    let said = place.flaw(Target::Vhd, |bytes| {
        let footer = bytes[footer..].to_vec();
        bytes.truncate(usize::try_from(DISK).unwrap());
        bytes.extend(footer);
        let end = bytes.len() - 512;
        bytes[end + 48..end + 56].copy_from_slice(&DISK.to_be_bytes());
        bytes[end + 64..end + 68].fill(0);
        let sum: u32 = bytes[end..].iter().map(|byte| u32::from(*byte)).sum();
        bytes[end + 64..end + 68].copy_from_slice(&(!sum).to_be_bytes());
    });
    assert_eq!(said, format!("its disk of {DISK} bytes is no whole number of MiB"));
    assert_eq!(place.flaw(Target::Vhd, |bytes| bytes.truncate(footer)), "its last sector is no footer of a VHD");
    let said = place.flaw(Target::Vhd, |bytes| bytes[footer - 100] = 1);
    assert_eq!(said, format!("its disk goes on behind the image's end, and is not zero at byte {}", footer - 100));
}

#[tokio::test]
async fn an_archive_that_lies_is_noticed() {
    let place = Place::new();
    place.export(&[Target::Ova]).await.unwrap();
    let change = |from: &'static [u8], to: &'static [u8]| {
        move |bytes: &mut Vec<u8>| {
            let at = find(bytes, from);
            bytes[at..at + to.len()].copy_from_slice(to);
        }
    };
    let said = place.flaw(Target::Ova, change(b"vmw:value=\"efi\"", b"vmw:value=\"bio\""));
    assert!(said.starts_with("its manifest says golden.ovf is "), "{said}");
    let manifest = |bytes: &mut Vec<u8>| {
        // The digest of the descriptor, put right.
        let size = find(&bytes[512..], b"</Envelope>\n") + 12;
        let digest = Digest::of(&bytes[512..512 + size]).hex();
        let at = find(bytes, b"SHA256(golden.ovf)= ") + 20;
        bytes[at..at + 64].copy_from_slice(digest.as_bytes());
    };
    let said = place.flaw(Target::Ova, |bytes| {
        change(b"vmw:key=\"firmware\"", b"vmw:key=\"softness\"")(bytes);
        manifest(bytes);
    });
    assert!(said.starts_with("its OVF declares no firmware"), "{said}");
    let said = place.flaw(Target::Ova, |bytes| {
        change(b"ovf:capacity=\"1", b"ovf:capacity=\"2")(bytes);
        manifest(bytes);
    });
    assert_eq!(said, "its OVF says capacity `22584448`, and `12584448` is wanted");
    let said = place.flaw(Target::Ova, |bytes| {
        let at = find(bytes, b"SHA256(golden.vmdk)= ") + 21;
        bytes[at..at + 64].fill(b'0');
    });
    assert!(said.starts_with(&format!("its manifest says golden.vmdk is {}, and it is ", "0".repeat(64))), "{said}");
    let said = place.flaw(Target::Ova, change(b"golden.mf\0", b"golden.mg\0"));
    assert!(said.starts_with("it cannot be read back"), "the header's sum: {said}");
    let said = place.flaw(Target::Ova, |bytes| {
        // The descriptor behind the manifest.
        let manifest_at = 512 + (find(&bytes[512..], b"</Envelope>\n") + 12).next_multiple_of(512);
        let manifest: Vec<_> = bytes.drain(manifest_at..manifest_at + 1024).collect();
        bytes.splice(0..0, manifest);
    });
    assert_eq!(said, "it holds golden.mf, golden.ovf, golden.vmdk; wanted are golden.ovf, golden.mf, golden.vmdk");
}

#[tokio::test]
async fn an_archive_for_google_that_lies_is_noticed() {
    let place = Place::new();
    place.export(&[Target::Gce]).await.unwrap();
    let repacked = |words: &str, name: &str, bytes: u64| {
        let file = fs::File::create(place.path(name)).unwrap();
        file.set_len(bytes).unwrap();
        fs::remove_file(place.out("tar.gz")).unwrap();
        let archive = place.out("tar.gz").display().to_string();
        let words = words.split(' ').chain(["-czf", &archive, name]);
        assert!(Command::new("tar").args(words).current_dir(place.0.path()).status().unwrap().success());
        place.flaw(Target::Gce, |_| ())
    };
    let said = repacked("--format=oldgnu -S", "disk.img", 1 << 30);
    assert_eq!(said, "its archive's member is `disk.img`, not `disk.raw`");
    let said = repacked("--format=oldgnu -S", "disk.raw", DISK);
    assert_eq!(said, format!("its disk.raw of {DISK} bytes is no whole number of GiB"));
    let said = repacked("--format=oldgnu -S", "disk.raw", 2 << 30);
    assert_eq!(said, format!("its disk has {} bytes, and {} are wanted", 2_u64 << 30, 1_u64 << 30));
    let said = repacked("--format=posix -S", "disk.raw", 1 << 20);
    assert!(
        said.contains("no sparse member of GNU tar's old format") || said.contains("its archive's member"),
        "{said}"
    );
    let said = repacked("--format=oldgnu -S", "disk.raw", 1 << 30);
    assert_eq!(said, "its disk differs from the image at byte 510");
    drop(fs::remove_file(place.out("tar.gz")));
    fs::remove_file(place.path("out/SHA256SUMS")).unwrap();
    fs::remove_file(place.path("out/export.json")).unwrap();
    place.export(&[Target::Gce]).await.unwrap();
    assert!(place.flaw(Target::Gce, |bytes| bytes.extend(b"more")).contains("something follows"));
    assert!(place.flaw(Target::Gce, |bytes| bytes.truncate(bytes.len() - 8)).starts_with("it cannot be read back"));
}

#[tokio::test]
async fn a_damaged_vmdk_or_vhdx_is_noticed() {
    let place = Place::new();
    place.export(&[Target::Vmdk, Target::Vhdx]).await.unwrap();
    let said = place.flaw(Target::Vmdk, |bytes| {
        let at = find(bytes, b"SPARSE \"golden.vmdk\"");
        bytes[at + 8..at + 14].copy_from_slice(b"silver");
    });
    assert!(said.starts_with("its descriptor says `RW 24579 SPARSE \"silver.vmdk\"`"), "{said}");
    let said = place.flaw(Target::Vmdk, |bytes| bytes[12..20].copy_from_slice(&(DISK / 512 - 1).to_le_bytes()));
    assert!(said.contains("`RW 24578 SPARSE \"golden.vmdk\"` is wanted"), "{said}");
    // The first grain: its marker, its content.
    let said = place.flaw(Target::Vmdk, |bytes| bytes[128 * 512] ^= 1);
    assert_eq!(said, "it cannot be read back: malformed vmdk: the grain of sector 0 says that it is of sector 1");
    let said = place.flaw(Target::Vmdk, |bytes| bytes[128 * 512 + 20] ^= 0xff);
    assert!(said.contains("does not inflate") || said.contains("differs from the image"), "{said}");
    let said = place.flaw(Target::Vmdk, |bytes| bytes[73] = b'\r');
    assert!(said.ends_with("its line ends were changed on the way, as by a transfer as text"), "{said}");

    let said = place.flaw(Target::Vhdx, |bytes| {
        bytes[64 << 10] ^= 1;
        bytes[128 << 10] ^= 1;
    });
    assert_eq!(said, "it cannot be read back: malformed vhdx: no header with a right checksum");
    let said = place.flaw(Target::Vhdx, |bytes| {
        bytes[(192 << 10) + 20] ^= 1;
        bytes[(256 << 10) + 20] ^= 1;
    });
    assert_eq!(said, "it cannot be read back: malformed vhdx: no table of regions with a right checksum");
    assert!(place.flaw(Target::Vhdx, |bytes| bytes.truncate(1 << 20)).starts_with("it cannot be read back"));
}

/// Bytes changed in turn: an error or none, and no panic.
#[tokio::test]
async fn no_change_of_a_byte_ends_in_a_panic() {
    let place = Place::new();
    place.export(&[Target::Vmdk, Target::Vhdx, Target::Ova, Target::Qcow2, Target::Vhd]).await.unwrap();
    let image = Image::open(place.path("golden.qcow2")).unwrap();
    for (target, places) in [
        (Target::Vmdk, (0..100).chain((512..24_000).step_by(997)).collect::<Vec<_>>()),
        (Target::Vhdx, [64 << 10, 192 << 10, 2 << 20, 3 << 20].map(|at| at..at + 80).into_iter().flatten().collect()),
        (Target::Ova, (0..9_000).step_by(151).collect()),
        (Target::Qcow2, (0..112).collect()),
        (Target::Vhd, ((13 << 20)..(13 << 20) + 90).collect()),
    ] {
        let mut bytes = fs::read(place.out(target.ending())).unwrap();
        let file = Unnamed::holding(place.0.path(), "a test", &bytes).unwrap();
        let claim = Claim { target, compression: Compression::Zlib, stem: "golden" };
        prove(&claim, &image, &file, &NEVER).unwrap();
        for at in places {
            for value in [0xff, 0x01] {
                let before = std::mem::replace(&mut bytes[at], value);
                file.file().write_all_at(&[value], at as u64).unwrap();
                let _ = prove(&claim, &image, &file, &NEVER);
                file.file().write_all_at(&[before], at as u64).unwrap();
                bytes[at] = before;
            }
        }
    }
}
