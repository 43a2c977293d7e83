//! Exports of small disks.

mod faults;

use std::{
    fs,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::{Compression, Export, ExportError, ExportRequest, Exported, RECORD, SUMS, Target, export, room};
use crate::{
    gate::Firmware,
    image::{Digest, Image, allocated},
};

const ALL: [Target; 7] =
    [Target::Qcow2, Target::Vmdk, Target::Vhd, Target::Vhdx, Target::Ova, Target::Raw, Target::Gce];
/// Size of the disk of the tests, in bytes: no whole MiB, and no whole grain of 64 KiB.
const DISK: u64 = (12 << 20) + 1536;
/// A sector with content, in the middle.
const PLACE: u64 = 9 << 20;

struct Place(TempDir);

impl Place {
    /// A folder with `golden.qcow2`, plain, in clusters of 8 KiB as `kverify seal` writes them.
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let raw = fs::File::create(place.path("golden.raw")).unwrap();
        raw.set_len(DISK).unwrap();
        let noise: Vec<u8> = (0..700_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
        raw.write_all_at(&noise, 1 << 20).unwrap();
        raw.write_all_at(&[0x55, 0xaa], 510).unwrap();
        raw.write_all_at(&[7; 512], PLACE).unwrap();
        raw.write_all_at(b"the end", DISK - 7).unwrap();
        place.qemu_img("convert -f raw -O qcow2 -S 4k -o cluster_size=8k golden.raw golden.qcow2");
        fs::create_dir(place.path("out")).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn out(&self, ending: &str) -> PathBuf {
        self.path(&format!("out/golden.{ending}"))
    }

    fn qemu_img(&self, words: &str) {
        let run = Command::new("qemu-img").args(words.split(' ')).current_dir(self.0.path()).output().unwrap();
        assert!(run.status.success(), "qemu-img {words}: {}", String::from_utf8_lossy(&run.stderr));
    }

    fn request(&self, targets: &[Target]) -> ExportRequest {
        ExportRequest {
            image: self.path("golden.qcow2"),
            targets: targets.to_vec(),
            folder: self.path("out"),
            compression: Compression::Zlib,
        }
    }

    async fn export(&self, targets: &[Target]) -> Result<Export, ExportError> {
        export(&self.request(targets), &|_| ()).await
    }

    fn left(&self) -> Vec<String> {
        let names = fs::read_dir(self.path("out")).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[tokio::test]
async fn every_format_is_written_proven_and_believed_by_other_programs() {
    let place = Place::new();
    let Export { exported, seconds } = place.export(&ALL).await.unwrap();
    assert_eq!(seconds.len(), ALL.len());
    let mut expected: Vec<_> = ALL.iter().map(|target| format!("golden.{}", target.ending())).collect();
    expected.extend([SUMS.to_owned(), RECORD.to_owned()]);
    expected.sort();
    assert_eq!(place.left(), expected);
    let written: Exported = serde_json::from_slice(&fs::read(place.path("out/export.json")).unwrap()).unwrap();
    assert_eq!(written, exported);
    assert_eq!(exported.digest, Digest::of(&fs::read(place.path("golden.qcow2")).unwrap()));
    let formats: Vec<_> = exported.files.iter().map(|file| file.format).collect();
    assert_eq!(formats, ALL);
    for file in &exported.files {
        let rounded = match file.format {
            Target::Vhd => 13 << 20,
            Target::Gce => 1 << 30,
            _ => DISK,
        };
        assert_eq!(file.virtual_bytes, rounded, "{}", file.format);
        assert_eq!((file.proof.equal_bytes, file.proof.zero_bytes), (DISK, rounded - DISK));
        let efi = file.format == Target::Ova;
        assert_eq!(file.firmware == Firmware::Efi, efi);
        let metadata = fs::metadata(place.path("out").join(&file.file)).unwrap();
        assert_eq!(metadata.len(), file.bytes);
        // 700 KB of noise and a few clusters: holes stay holes. VHDX has a log and tables of 4 MiB.
        assert!(metadata.blocks() * 512 < 6 << 20, "{}: {} blocks", file.format, metadata.blocks());
    }
    let sums = Command::new("sha256sum").args(["-c", SUMS]).current_dir(place.path("out")).output().unwrap();
    assert!(sums.status.success(), "{}", String::from_utf8_lossy(&sums.stdout));
    assert_eq!(String::from_utf8_lossy(&sums.stdout).lines().count(), ALL.len());
    for (format, ending) in [("qcow2", "qcow2"), ("vmdk", "vmdk"), ("vpc", "vhd"), ("vhdx", "vhdx"), ("raw", "raw")] {
        // Without --strict, zeros behind the shorter disk are equal.
        place.qemu_img(&format!("compare -f qcow2 -F {format} golden.qcow2 out/golden.{ending}"));
    }
    let tar = |words: &[&str]| {
        let run = Command::new("tar").args(words).current_dir(place.path("out")).env("LC_ALL", "C").output().unwrap();
        assert!(run.status.success(), "tar {words:?}: {}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).unwrap()
    };
    assert_eq!(tar(&["-tf", "golden.ova"]), "golden.ovf\ngolden.mf\ngolden.vmdk\n");
    tar(&["-xf", "golden.ova", "-C", "..", "golden.vmdk"]);
    place.qemu_img("compare -f qcow2 -F vmdk golden.qcow2 golden.vmdk");
    assert_eq!(tar(&["-tzf", "golden.tar.gz"]), "disk.raw\n");
    tar(&["-xzf", "golden.tar.gz", "-C", ".."]);
    assert_eq!(fs::metadata(place.path("disk.raw")).unwrap().len(), 1 << 30);
    place.qemu_img("compare -f qcow2 -F raw golden.qcow2 disk.raw");
}

#[tokio::test]
async fn zstd_a_raw_image_and_an_ova_alone_are_exported_too() {
    let place = Place::new();
    let request = ExportRequest {
        image: place.path("golden.raw"),
        compression: Compression::Zstd,
        ..place.request(&[Target::Ova, Target::Qcow2, Target::Ova])
    };
    let Export { exported, .. } = export(&request, &|_| ()).await.unwrap();
    assert_eq!(place.left(), ["SHA256SUMS", "export.json", "golden.ova", "golden.qcow2"]);
    assert_eq!(exported.files[1].proof.reader, "kverify's qcow2");
    place.qemu_img("compare -f raw -F qcow2 golden.raw out/golden.qcow2");
}

#[tokio::test]
async fn what_is_in_the_way_is_told_before_anything_is_written() {
    let place = Place::new();
    let refusal = async |request: &ExportRequest| match export(request, &|_| ()).await {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it was exported"),
    };
    for name in ["golden.vhd", SUMS, RECORD] {
        fs::write(place.path("out").join(name), "mine").unwrap();
        let said = refusal(&place.request(&[Target::Raw, Target::Vhd])).await;
        assert!(said.ends_with("there is something already; remove it or choose another name"), "{said}");
        assert_eq!(place.left(), [name]);
        fs::remove_file(place.path("out").join(name)).unwrap();
    }
    let request = ExportRequest { folder: place.path("none"), ..place.request(&[Target::Raw]) };
    assert_eq!(refusal(&request).await, format!("{}: no such folder; make it first", place.path("none").display()));
    let request = ExportRequest { image: place.path("none.qcow2"), ..place.request(&[Target::Raw]) };
    assert!(refusal(&request).await.ends_with("none.qcow2: no such file"));
    fs::copy(place.path("golden.qcow2"), place.path("golden image.qcow2")).unwrap();
    let request = ExportRequest { image: place.path("golden image.qcow2"), ..place.request(&[Target::Raw]) };
    assert!(refusal(&request).await.contains("its name becomes that of the files"));
    let huge = place.path("huge.qcow2");
    // A disk that would hold more than any file system has: each cluster is there, as zeros to be read.
    place.qemu_img("create -q -f qcow2 -o preallocation=metadata,cluster_size=2M huge.qcow2 8T");
    let request = ExportRequest { image: huge, ..place.request(&[Target::Raw]) };
    let said = refusal(&request).await;
    assert!(
        said.contains("the files can take ") && said.ends_with("name another --out-dir, or fewer formats"),
        "{said}"
    );
    assert!(place.left().is_empty());
}

#[tokio::test]
async fn no_file_takes_more_room_than_was_asked_for() {
    let place = Place::new();
    let image = Image::open(place.path("golden.qcow2")).unwrap();
    for target in ALL {
        let needed = room::needed(&mut image.disk().unwrap(), &[target]).unwrap();
        place.export(&[target]).await.unwrap();
        let taken = allocated(&fs::File::open(place.out(target.ending())).unwrap()).unwrap();
        assert!(taken <= needed, "{target}: {taken} of {needed}");
        assert!(needed < 32 << 20, "{target}: {needed}");
        fs::remove_dir_all(place.path("out")).unwrap();
        fs::create_dir(place.path("out")).unwrap();
    }
}

#[test]
fn names_that_not_every_platform_takes_are_refused() {
    assert_eq!(
        super::stem(Path::new("/a/golden-debian-13-v20260101-abc.qcow2")).unwrap(),
        "golden-debian-13-v20260101-abc"
    );
    let long = format!("{}.qcow2", "a".repeat(91));
    for name in ["a b.qcow2", ".qcow2", "-a.qcow2", "a\"b.raw", "a&b.raw", "ä.raw", "", "a\n.raw", &long] {
        assert!(super::stem(Path::new(name)).is_err(), "{name}");
    }
}
