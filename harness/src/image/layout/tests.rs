//! Layouts made by sgdisk and mkfs.vfat, with the labels of a real pool, and what single wrong bytes make of them.

use std::{
    fs,
    io::Read,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
};

use kverify_checks::{
    image::{Esp, Label, Layout},
    seal::PartContent,
};

use super::{
    super::{
        Image,
        samples::{Samples, patch},
    },
    label::LABEL_BYTES,
};

/// As in the image that the labels are from.
const DISK_BYTES: u64 = 10 << 30;
const ESP_AT: u64 = 2048 * 512;
const POOL_AT: u64 = 1_050_624 * 512;
const POOL_BYTES: u64 = (20_971_486 - 1_050_624 + 1) * 512;

fn run(program: &str, words: &[&str], path: &Path) {
    let run = Command::new(program).args(words).arg(path).output().unwrap();
    assert!(run.status.success(), "{program} {words:?}: {}", String::from_utf8_lossy(&run.stderr));
}

/// A disk with an ESP and a partition for the pool.
fn partitioned(samples: &Samples, name: &str) -> PathBuf {
    let path = samples.file(name, "");
    fs::File::options().write(true).open(&path).unwrap().set_len(DISK_BYTES).unwrap();
    let esp = ["-n1:2048:1050623", "-t1:EF00", "-c1:esp"];
    let pool = ["-n2:1050624:20971486", "-t2:BF00", "-c2:rpool"];
    run("/usr/sbin/sgdisk", &[esp, pool].concat(), &path);
    path
}

/// Bytes to put over those of a disk, and where.
type Patches<'a> = &'a [(u64, &'a [u8])];

/// A part of a file: the disks here are sparse and large.
fn part(path: &Path, at: u64, bytes: usize) -> Vec<u8> {
    let mut part = vec![0; bytes];
    fs::File::open(path).unwrap().read_exact_at(&mut part, at).unwrap();
    part
}

fn layout(path: &Path) -> Layout {
    Image::open(path).unwrap().layout().unwrap()
}

/// A FAT volume with these files, made by mkfs.vfat and mcopy.
fn fat(samples: &Samples, options: &[&str], bytes: u64, files: &[(&str, &[u8])]) -> Vec<u8> {
    let volume = samples.file("volume.fat", "");
    fs::File::options().write(true).open(&volume).unwrap().set_len(bytes).unwrap();
    run("/usr/sbin/mkfs.vfat", options, &volume);
    fs::create_dir_all(samples.path("tree")).unwrap();
    for (name, content) in files {
        let path = samples.path("tree").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let copy = format!("mcopy -s -i {} {}/* ::", volume.display(), samples.path("tree").display());
    run("sh", &["-c", &copy], Path::new(""));
    fs::remove_dir_all(samples.path("tree")).unwrap();
    fs::read(volume).unwrap()
}

fn esp_of(samples: &Samples, volume: &[u8]) -> Esp {
    let path = partitioned(samples, "esp.raw");
    patch(&path, &[(ESP_AT, volume)]);
    layout(&path).esp.unwrap()
}

/// The beginning of a PE file for a machine, with its header at byte `at`.
fn pe(machine: u16, at: u32) -> Vec<u8> {
    let mut file = vec![0; at as usize + 200];
    file[..2].copy_from_slice(b"MZ");
    file[60..64].copy_from_slice(&at.to_le_bytes());
    file[at as usize..][..4].copy_from_slice(b"PE\0\0");
    file[at as usize + 4..][..2].copy_from_slice(&machine.to_le_bytes());
    file
}

/// The four labels of the pool in `fixtures/image/NAME`.
fn labels(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/image").join(name);
    let mut labels = Vec::new();
    let packed = fs::read(path).unwrap();
    ruzstd::decoding::StreamingDecoder::new(packed.as_slice()).unwrap().read_to_end(&mut labels).unwrap();
    assert_eq!(labels.len() as u64, 4 * LABEL_BYTES);
    labels
}

/// Where the labels stand on the disk.
fn places() -> [u64; 4] {
    let whole = POOL_BYTES / LABEL_BYTES;
    [0, 1, whole - 2, whole - 1].map(|number| POOL_AT + number * LABEL_BYTES)
}

fn labelled(samples: &Samples, labels: &[u8]) -> PathBuf {
    let path = partitioned(samples, "labelled.raw");
    for (at, label) in places().iter().zip(labels.chunks(LABEL_BYTES.try_into().unwrap())) {
        patch(&path, &[(*at, label)]);
    }
    path
}

#[test]
fn a_disk_without_anything_has_no_layout() {
    let samples = Samples::new();
    let path = samples.file("blank.raw", vec![0; 4 << 20]);
    assert_eq!(layout(&path), Layout { disk_bytes: 4 << 20, ..Layout::default() });
}

#[test]
fn a_table_of_sgdisk_is_read_without_a_problem() {
    let samples = Samples::new();
    let path = partitioned(&samples, "a.raw");
    let read = layout(&path);
    assert_eq!(read.gpt_problems, Vec::<String>::new());
    let partitions = read.gpt.unwrap();
    let seen: Vec<_> = partitions.iter().map(|one| (one.number, one.name.as_str(), one.start, one.bytes)).collect();
    assert_eq!(seen, [(1, "esp", ESP_AT, 512 << 20), (2, "rpool", POOL_AT, POOL_BYTES)]);
    assert_eq!(partitions[0].type_guid, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B");
    assert_eq!(partitions[1].type_guid, "6A85CF4D-1DD2-11B2-99A6-080020736631");
}

#[test]
fn each_fault_of_a_table_is_named() {
    let samples = Samples::new();
    let path = partitioned(&samples, "a.raw");
    let last = DISK_BYTES / 512 - 1;
    let whole = part(&path, 0, 2048 * 512);
    let end = part(&path, DISK_BYTES - 33 * 512, 33 * 512);
    let cases: &[(Patches<'_>, bool, &str)] = &[
        (&[(510, &[0])], true, "no protective MBR"),
        (&[(512 + 60, &[1])], true, "the first header: its checksum is wrong"),
        (&[(512, &[0])], true, "no first header, only the backup at the end of the disk"),
        (&[(1024 + 8, &[1])], true, "the first header: the checksum of its table is wrong"),
        (&[(last * 512 + 60, &[1])], true, "the backup header: its checksum is wrong"),
        (&[(last * 512, &[0; 512])], true, "no backup header in sector 20971519"),
        (&[((last - 32) * 512 + 8, &[1])], true, "the backup header: the checksum of its table is wrong"),
        (&[(512 + 60, &[1]), (last * 512, &[0])], false, "the first header: its checksum is wrong; no sound backup"),
        (&[(512 + 12, &[255; 4])], true, "the first header: a header of 4294967295 bytes"),
    ];
    for (patches, found, problem) in cases {
        patch(&path, patches);
        let read = layout(&path);
        assert_eq!((read.gpt.is_some(), read.gpt_problems), (*found, vec![(*problem).to_owned()]), "{patches:?}");
        patch(&path, &[(0, &whole), (DISK_BYTES - 33 * 512, &end)]);
    }
    fs::File::options().write(true).open(&path).unwrap().set_len(DISK_BYTES + 512).unwrap();
    let moved = "the backup header is in sector 20971519, the disk ends with sector 20971520";
    assert_eq!(layout(&path).gpt_problems, [moved]);
    fs::File::options().write(true).open(&path).unwrap().set_len(DISK_BYTES / 2).unwrap();
    let cut = [
        "no backup header in sector 20971519",
        "the backup header is in sector 20971519, the disk ends with sector 10485759",
    ];
    assert_eq!(layout(&path).gpt_problems, cut);
}

#[test]
fn hostile_tables_with_right_checksums_are_bounded() {
    let samples = Samples::new();
    let path = partitioned(&samples, "a.raw");
    let header = part(&path, 512, 92);
    let cases: &[(usize, &[u8], &str)] = &[
        (80, &[255; 4], "the first header: 4294967295 entries of 128 bytes"),
        (84, &[0; 4], "the first header: 128 entries of 0 bytes"),
        (84, &[0, 16, 0, 0], "the first header: the checksum of its table is wrong"),
        (72, &[255; 8], "the first header: its table is not on the disk"),
        (24, &[2], "the first header: says it is in sector 2, is in sector 1"),
        (10, &[7], "the first header: revision 0x70000"),
    ];
    for (at, bytes, problem) in cases {
        let mut header = header.clone();
        header[*at..at + bytes.len()].copy_from_slice(bytes);
        header[16..20].fill(0);
        let sum = crc32fast::hash(&header).to_le_bytes();
        header[16..20].copy_from_slice(&sum);
        patch(&path, &[(512, &header)]);
        let read = layout(&path);
        assert!(read.gpt.is_some(), "the backup is sound");
        assert!(read.gpt_problems[0].starts_with(problem), "{:?}", read.gpt_problems);
    }
}

#[test]
fn files_of_every_width_of_fat_are_listed() {
    let samples = Samples::new();
    let long = "kldload/6.12.117+deb13-amd64/initrd.img";
    let files: &[(&str, &[u8])] = &[
        ("EFI/BOOT/BOOTX64.EFI", &pe(0x8664, 128)),
        ("EFI/systemd/systemd-bootx64.efi", &pe(0x8664, 200)),
        (long, &vec![7; 70_000]),
        ("loader/entries/ümlaut und Leerzeichen.conf", b"title Debian\n"),
        ("loader/loader.conf", b""),
    ];
    // Enough for a folder of many clusters.
    let many: Vec<_> = (10..99).map(|number| format!("many/entry-with-a-long-name-{number}.conf")).collect();
    let files: Vec<(&str, &[u8])> =
        files.iter().copied().chain(many.iter().map(|name| (name.as_str(), &b"x"[..]))).collect();
    let mut expected: Vec<_> = files.iter().map(|(name, content)| ((*name).to_owned(), content.len() as u64)).collect();
    expected.sort();
    let kinds: [(&[&str], u64); 5] = [
        (&["-F12", "-s1"], 1 << 20),
        (&["-F16"], 64 << 20),
        (&["-F32"], 512 << 20),
        (&["-F32", "-s1"], 40 << 20),
        (&["-F32", "-S4096"], 300 << 20),
    ];
    for (options, bytes) in kinds {
        let esp = esp_of(&samples, &fat(&samples, options, bytes, &files));
        assert_eq!(esp.unreadable, None, "{options:?}");
        assert_eq!(esp.files, expected, "{options:?}");
        assert_eq!(esp.fallback_machine.as_deref(), Some("x86-64"), "{options:?}");
    }
}

#[test]
fn the_machine_of_a_loader_is_that_of_its_header() {
    let samples = Samples::new();
    let none: Option<&str> = None;
    let mut unmarked = pe(0x8664, 128);
    unmarked[..2].fill(b'x');
    let cases: [(&str, Vec<u8>, Option<&str>); 9] = [
        ("EFI/BOOT/BOOTX64.EFI", unmarked, none),
        ("EFI/BOOT/BOOTAA64.EFI", pe(0xaa64, 64), Some("arm64")),
        ("efi/boot/bootx64.efi", pe(0x8664, 5000), Some("x86-64")),
        // The header lies across two clusters of 512 bytes.
        ("EFI/BOOT/BOOTX64.EFI", pe(0x014c, 509), Some("x86")),
        ("EFI/BOOT/BOOTX64.EFI", pe(0x1234, 128), Some("0x1234")),
        ("EFI/BOOT/BOOTX64.EFI", b"#!/bin/sh\n".repeat(20), none),
        ("EFI/BOOT/BOOTX64.EFI", pe(0x8664, 128)[..130].to_vec(), none),
        ("EFI/BOOT/BOOTX64.EFI", Vec::new(), none),
        ("EFI/debian/shimx64.efi", pe(0x8664, 128), none),
    ];
    for (name, content, machine) in cases {
        let esp = esp_of(&samples, &fat(&samples, &["-F12", "-s1"], 1 << 20, &[(name, &content)]));
        assert_eq!((esp.fallback_machine.as_deref(), esp.unreadable), (machine, None), "{name}");
    }
}

#[test]
fn an_esp_that_cannot_be_read_says_why() {
    let samples = Samples::new();
    let why = |volume: &[u8]| esp_of(&samples, volume).unreadable.unwrap();
    assert_eq!(why(&[0; 512]), "no FAT file system");
    let files: &[(&str, &[u8])] = &[("EFI/BOOT/BOOTX64.EFI", &pe(0x8664, 5000))];
    let sound = fat(&samples, &["-F12", "-s1", "-f1", "-r32"], 1 << 20, files);
    let patched = |at: usize, bytes: &[u8]| {
        let mut volume = sound.clone();
        volume[at..at + bytes.len()].copy_from_slice(bytes);
        volume
    };
    assert!(why(&patched(13, &[0])).starts_with("a FAT file system of 2048 sectors"));
    assert!(why(&patched(13, &[3])).starts_with("a FAT file system of 2048 sectors"));
    assert!(why(&patched(19, &[0; 2])).starts_with("a FAT file system of 0 sectors"));
    assert_eq!(why(&patched(22, &[1, 0])), "2044 clusters, more than its table holds");
    // The root folder stands behind one table of six sectors; EFI is its first entry, its first cluster at byte 26.
    let root = 512 * 7;
    assert_eq!(&sound[root..root + 3], b"EFI");
    assert_eq!(why(&patched(root + 26, &[0, 0])), "cluster 0 of 2039");
    assert_eq!(why(&patched(root + 26, &[255, 15])), "cluster 4095 of 2039");
    // Cluster 2, the folder EFI, followed by itself.
    assert_eq!(why(&patched(512 + 3, &[2, 0xf0])), "folders of more than 8388608 bytes");
    // The folder BOOT, second entry but two of EFI, is EFI again.
    let boot = 512 * 9 + 64;
    assert_eq!(&sound[boot..boot + 4], b"BOOT");
    assert_eq!(why(&patched(boot + 26, &[2, 0])), "folders more than 16 deep");
}

#[test]
fn no_byte_of_a_fat_volume_ends_in_a_panic() {
    let samples = Samples::new();
    let files: &[(&str, &[u8])] = &[("EFI/BOOT/BOOTX64.EFI", &pe(0x8664, 700)), ("a long name.conf", b"x")];
    for (options, bytes) in [(["-F12", "-s1"], 1 << 20), (["-F32", "-s1"], 40 << 20)] {
        let volume = fat(&samples, &options, bytes, files);
        let path = partitioned(&samples, "fuzzed.raw");
        patch(&path, &[(ESP_AT, &volume)]);
        let interesting = volume.iter().enumerate().filter(|(at, byte)| *at < 90 || **byte != 0).map(|(at, _)| at);
        for at in interesting {
            for value in [0x00, 0x01, 0x80, 0xff] {
                patch(&path, &[(ESP_AT + at as u64, &[value])]);
                let _ = layout(&path);
            }
            patch(&path, &[(ESP_AT + at as u64, &volume[at..=at])]);
        }
    }
}

#[test]
fn the_labels_of_a_pool_in_use_say_whose_it_is() {
    let samples = Samples::new();
    let read = layout(&labelled(&samples, &labels("active-labels.zst"))).labels;
    let expected = Label {
        partition: 2,
        pool: "rpool".to_owned(),
        state: "ACTIVE".to_owned(),
        hostid: Some(3_962_639_223),
        hostname: Some("(none)".to_owned()),
        txg: 130,
        guid: 9_287_024_146_525_723_107,
        ashift: Some(12),
        copies: 4,
    };
    assert_eq!(read, [expected]);
}

#[test]
fn what_is_not_zero_is_counted_without_labels_and_boot_area() {
    let samples = Samples::new();
    let path = labelled(&samples, &labels("exported-labels.zst"));
    let first = POOL_AT + (4 << 20);
    patch(&path, &[(first - 1, b"x"), (ESP_AT + 9, b"x")]);
    patch(&path, &[(first, b"x"), (first + 4095, b"x"), (first + 8192, b"x"), (places()[2] - 1, b"x")]);
    samples.qemu_img("convert -f raw -O qcow2 labelled.raw content.qcow2");
    let read = Image::open(samples.path("content.qcow2")).unwrap().content().unwrap();
    assert_eq!(read.0, [PartContent { partition: 2, pool: "rpool".to_owned(), bytes: 3 * 4096 }]);
}

#[test]
fn the_labels_of_an_exported_pool_are_read() {
    let samples = Samples::new();
    let path = labelled(&samples, &labels("exported-labels.zst"));
    let expected = Label {
        partition: 2,
        pool: "rpool".to_owned(),
        state: "EXPORTED".to_owned(),
        hostid: Some(3_962_639_223),
        hostname: Some("(none)".to_owned()),
        txg: 126,
        guid: 9_287_024_146_525_723_107,
        ashift: Some(12),
        copies: 4,
    };
    assert_eq!(layout(&path).labels, std::slice::from_ref(&expected));

    // A wrong byte in the list, in its checksum, and a label that belongs elsewhere: none of them counts.
    let [first, second, third, _] = places();
    patch(&path, &[(first + 16_500, &[0xff]), (second + (128 << 10) - 1, &[0xff])]);
    assert_eq!(layout(&path).labels, [Label { copies: 2, ..expected.clone() }]);
    patch(&path, &[(third, &labels("exported-labels.zst")[..LABEL_BYTES.try_into().unwrap()])]);
    assert_eq!(layout(&path).labels, [Label { copies: 1, ..expected }]);
    patch(&path, &[(places()[3] + 16_384, &[0; 64])]);
    assert_eq!(layout(&path).labels, []);
}
