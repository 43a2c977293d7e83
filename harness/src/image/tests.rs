//! What is opened, what is refused, and in which words.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::Path,
};

use super::{
    Format, Image, ImageError, Refusal,
    samples::{DISK_BYTES, Samples},
};

fn refusal(path: &Path) -> Refusal {
    match Image::open(path) {
        Err(ImageError::Refused { why, .. }) => why,
        other => panic!("{}: {other:?}", path.display()),
    }
}

fn message(path: &Path) -> String {
    let error = Image::open(path).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    let start = format!("{}: ", path.display());
    error.strip_prefix(&start).unwrap_or_else(|| panic!("{error} does not begin with {start}")).to_owned()
}

#[test]
fn qcow2_of_every_option_is_opened() {
    let samples = Samples::new();
    let plain = ["", "-c", "-o compat=0.10", "-c -o compat=0.10", "-o compression_type=zstd -c", "-o extended_l2=on"];
    let layouts = [
        "-o lazy_refcounts=on",
        "-o cluster_size=512",
        "-o cluster_size=2M",
        "-o cluster_size=2M,extended_l2=on -c",
        "-o preallocation=metadata",
        "-o preallocation=falloc",
        "-o preallocation=full",
        "-o refcount_bits=1",
        "-o refcount_bits=64",
    ];
    for (number, options) in plain.iter().chain(&layouts).enumerate() {
        let image = Image::open(samples.converted(&format!("{number}.qcow2"), "qcow2", options));
        let image = image.unwrap_or_else(|error| panic!("{options}: {error}"));
        assert_eq!((image.format(), image.virtual_size()), (Format::Qcow2, DISK_BYTES as u64), "{options}");
        image.unchanged().unwrap();
    }
}

#[test]
fn snapshots_and_bitmaps_inside_are_no_obstacle() {
    let samples = Samples::new();
    let path = samples.converted("a.qcow2", "qcow2", "");
    samples.qemu_img("snapshot -c before a.qcow2");
    samples.qemu_img("snapshot -c later a.qcow2");
    samples.qemu_img("bitmap --add a.qcow2 changes");
    assert_eq!(Image::open(path).unwrap().format(), Format::Qcow2);
}

#[test]
fn raw_disks_are_known_by_their_partition_table_or_by_being_blank() {
    let samples = Samples::new();
    let image = Image::open(samples.path("disk.raw")).unwrap();
    assert_eq!(
        (image.format(), image.virtual_size(), image.file_size()),
        (Format::Raw, DISK_BYTES as u64, DISK_BYTES as u64)
    );
    assert_eq!(image.name(), "disk.raw");
    let blank = Image::open(samples.file("blank.raw", vec![0; 1 << 20])).unwrap();
    assert_eq!(blank.format(), Format::Raw);
    let sparse = samples.file("sparse.raw", "");
    fs::File::options().write(true).open(&sparse).unwrap().set_len(10 << 30).unwrap();
    assert_eq!(Image::open(&sparse).unwrap().virtual_size(), 10 << 30);
    for (at, size) in [(512, 1 << 20), (4096, 2 << 20)] {
        let mut disk = vec![0; size];
        disk[at..at + 8].copy_from_slice(b"EFI PART");
        assert_eq!(Image::open(samples.file("gpt.raw", disk)).unwrap().format(), Format::Raw);
    }
}

#[test]
fn a_link_to_an_image_is_followed() {
    let samples = Samples::new();
    std::os::unix::fs::symlink(samples.path("disk.raw"), samples.path("golden.img")).unwrap();
    let image = Image::open(samples.path("golden.img")).unwrap();
    assert_eq!(image.name(), "golden.img");
    image.unchanged().unwrap();
}

#[test]
fn what_is_not_a_regular_file_is_called_what_it_is() {
    let samples = Samples::new();
    assert_eq!(message(&samples.path("none.qcow2")), "no such file");
    assert_eq!(message(samples.folder()), "a directory, not a disk image in a file");
    rustix::fs::mknodat(rustix::fs::CWD, samples.path("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert_eq!(message(&samples.path("pipe")), "a pipe, not a disk image in a file");
    let _listener = UnixListener::bind(samples.path("socket")).unwrap();
    assert_eq!(message(&samples.path("socket")), "a socket, not a disk image in a file");
    assert_eq!(message(Path::new("/dev/zero")), "a character device, not a disk image in a file");
}

#[test]
fn a_file_that_may_not_be_read_is_an_error_of_the_system() {
    if rustix::process::geteuid().is_root() {
        // Root may read everything; a folder in place of a file's folder is refused to root too.
        let samples = Samples::new();
        let error = Image::open(samples.path("disk.raw").join("inside")).unwrap_err();
        assert!(
            matches!(&error, ImageError::Unreadable { source, .. } if source.kind() == std::io::ErrorKind::NotADirectory)
        );
        return;
    }
    let samples = Samples::new();
    fs::set_permissions(samples.path("disk.raw"), fs::Permissions::from_mode(0o0)).unwrap();
    assert_eq!(message(&samples.path("disk.raw")), "cannot be read");
}

#[test]
fn what_is_no_disk_is_refused_in_words() {
    let samples = Samples::new();
    let give = "give the qcow2 or raw file of an installed disk";
    assert_eq!(message(&samples.file("empty", "")), "an empty file; copy or build it again");
    assert_eq!(
        message(&samples.file("text", "distro = \"debian\"\n".repeat(9000))),
        format!("a text file, not a disk image; {give}")
    );
    assert_eq!(message(&samples.file("one", "x")), format!("a text file, not a disk image; {give}"));
    assert_eq!(
        message(&samples.file("noise", [7, 200, 3].repeat(1 << 19))),
        format!("not a disk image: no qcow2 header, and neither a partition table nor a blank disk; {give}")
    );
    assert_eq!(
        message(&samples.file("small", [0; 512])),
        "a raw disk of 512 bytes, less than 1048576; copy or build it again"
    );
    let cut = fs::read(samples.path("disk.raw")).unwrap();
    assert_eq!(refusal(&samples.file("cut", &cut[..2_000_000])), Refusal::OddSize { bytes: 2_000_000 });
    assert!(matches!(refusal(&samples.file("magic", b"QFI\xfb")), Refusal::Truncated { what: "the header", .. }));
}

#[test]
fn other_formats_are_named_with_the_command_that_converts_them() {
    let samples = Samples::new();
    let formats = [
        ("vmdk", "", "vmdk", "a VMDK disk"),
        ("vmdk", "-o subformat=streamOptimized", "vmdk", "a VMDK disk"),
        ("vmdk", "-o subformat=monolithicFlat", "vmdk", "the descriptor of a VMDK disk"),
        ("vpc", "", "vpc", "a VHD disk"),
        ("vpc", "-o subformat=fixed,force_size=on", "vpc", "a VHD disk"),
        ("vhdx", "", "vhdx", "a VHDX disk"),
        ("vdi", "", "vdi", "a VDI disk"),
        ("qed", "", "qed", "a QED disk"),
        ("qcow", "", "qcow", "a qcow disk of version 1"),
        ("parallels", "", "parallels", "a Parallels disk"),
    ];
    for (format, options, driver, what) in formats {
        let path = samples.converted("other.img", format, options);
        let text = message(&path);
        let target = path.with_extension("qcow2");
        let convert =
            format!("convert it: qemu-img convert -f {driver} -O qcow2 {} {}", path.display(), target.display());
        assert_eq!(text, format!("{what}; {convert}"), "{format} {options}");
        samples.qemu_img(&format!("convert -f {driver} -O qcow2 other.img other.qcow2"));
        assert_eq!(Image::open(target).unwrap().format(), Format::Qcow2);
    }
}

#[test]
fn a_command_given_as_advice_survives_odd_names() {
    let samples = Samples::new();
    fs::rename(samples.converted("other", "vdi", ""), samples.path("it's \x1b[31mred.img")).unwrap();
    let error = Image::open(samples.path("it's \x1b[31mred.img")).unwrap_err().to_string();
    assert!(!error.contains('\x1b'), "{error}");
    assert!(error.contains(r"/it'\''s \u{1b}[31mred.img' '"), "{error}");
}

#[test]
fn encrypted_disks_are_refused() {
    let samples = Samples::new();
    samples.file("key", "secret");
    let secret = "--object secret,id=k,file=key";
    samples.qemu_img(&format!("create -f luks {secret} -o key-secret=k,iter-time=10 a.luks 2M"));
    assert!(message(&samples.path("a.luks")).starts_with("a LUKS-encrypted disk; "));
    let options = "encrypt.format=luks,encrypt.key-secret=k,encrypt.iter-time=10";
    samples.qemu_img(&format!("create -f qcow2 {secret} -o {options} luks.qcow2 2M"));
    assert_eq!(refusal(&samples.path("luks.qcow2")), Refusal::Encrypted("LUKS"));
    assert_eq!(refusal(&samples.patched("aes.qcow2", &[(32, &[0, 0, 0, 1])])), Refusal::Encrypted("AES"));
}

#[test]
fn an_installer_medium_is_sent_to_where_it_belongs() {
    let samples = Samples::new();
    let mut medium = vec![0; 1 << 20];
    medium[510..512].copy_from_slice(&[0x55, 0xaa]);
    medium[0x8000..0x8006].copy_from_slice(b"\x01CD001");
    let text = message(&samples.file("installer.iso", medium));
    assert_eq!(text, "an ISO 9660 medium, not an installed disk; an installer's medium goes to `kverify build`");
}

#[test]
fn what_depends_on_another_file_is_refused_with_that_files_name() {
    let samples = Samples::new();
    samples.converted("base.qcow2", "qcow2", "");
    for (name, options) in [("new.qcow2", "-f qcow2"), ("old.qcow2", "-f qcow2 -o compat=0.10")] {
        samples.qemu_img(&format!("create {options} -F qcow2 -b base.qcow2 {name}"));
        assert_eq!(refusal(&samples.path(name)), Refusal::Backing("base.qcow2".to_owned()));
    }
    samples.qemu_img("create -f qcow2 -o data_file=content.raw,data_file_raw=on data.qcow2 2M");
    assert_eq!(refusal(&samples.path("data.qcow2")), Refusal::ExternalData("content.raw".to_owned()));
    // A name that is there without the feature bit is one that QEMU would still read.
    super::samples::patch(&samples.path("data.qcow2"), &[(72, &[0; 8])]);
    assert_eq!(refusal(&samples.path("data.qcow2")), Refusal::ExternalData("content.raw".to_owned()));
    let hostile =
        samples.patched("hostile.qcow2", &[(8, &[0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 9]), (512, b"/etc/\x1b[1m")]);
    assert_eq!(refusal(&hostile), Refusal::Backing("/etc/\\u{1b}[1m".to_owned()));
    let beyond =
        samples.patched("beyond.qcow2", &[(8, &[0x7f, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255])]);
    assert_eq!(refusal(&beyond), Refusal::Backing(String::new()));
}

#[test]
fn malformed_headers_are_refused() {
    let samples = Samples::new();
    let cases: &[(u64, &[u8], &str)] = &[
        (4, &[0, 0, 0, 4], "qcow2 of version 4; known are 2 and 3"),
        (79, &[1], "qcow2 marked as dirty: not closed after writing"),
        (79, &[2], "qcow2 marked as corrupt"),
        (79, &[0x20], "qcow2 with unknown incompatible features 0x20"),
        (72, &[0x80], "qcow2 with unknown incompatible features 0x8000000000000000"),
        (79, &[8], "malformed qcow2: compression type 0 with its feature bit set"),
        (104, &[1], "malformed qcow2: compression type 1 with its feature bit not set"),
        (20, &[0, 0, 0, 8], "malformed qcow2: cluster_bits 8 is not within 9 to 21"),
        (20, &[0, 0, 0, 22], "malformed qcow2: cluster_bits 22 is not within 9 to 21"),
        (20, &[255, 255, 255, 255], "malformed qcow2: cluster_bits 4294967295 is not within 9 to 21"),
        (24, &[0; 8], "malformed qcow2: a disk of 0 bytes"),
        (24, &[0, 0, 0, 0, 0, 0, 0, 3], "malformed qcow2: a disk of 3 bytes, which is not a multiple of 512"),
        (24, &[255, 255, 255, 255, 255, 255, 254, 0], "a disk of 18446744073709551104 bytes, more than 70368744177664"),
        (24, &[0, 0, 16, 0, 0, 0, 0, 0], "malformed qcow2: an L1 table of 1 entries where the disk needs 32768"),
        (36, &[255, 255, 255, 255], "malformed qcow2: the L1 table of 34359738360 bytes, more than 33554432"),
        (36, &[0, 64, 0, 0], "truncated qcow2: the L1 table ends at byte 33751040"),
        (47, &[1], "malformed qcow2: the L1 table of 8 bytes at byte 196609"),
        (40, &[255, 255, 255, 255, 255, 255, 0, 0], "truncated qcow2: the L1 table ends at byte 18446744073709486088"),
        (48, &[0; 8], "malformed qcow2: the refcount table of 65536 bytes at byte 0"),
        (48, &[0, 0, 0, 1, 0, 0, 0, 0], "truncated qcow2: the refcount table ends at byte 4295032832"),
        (56, &[0, 0, 0, 0], "malformed qcow2: the refcount table of 0 bytes"),
        (56, &[255, 255, 255, 255], "malformed qcow2: the refcount table of 281474976645120 bytes, more than 8388608"),
        (60, &[0, 1, 0, 1], "malformed qcow2: 65537 snapshots, more than 65536"),
        (60, &[0, 0, 0, 1], "malformed qcow2: the snapshot table of 40 bytes at byte 0"),
        (96, &[0, 0, 0, 7], "malformed qcow2: refcount_order 7 is not within 0 to 6"),
        (100, &[0, 0, 0, 72], "malformed qcow2: header_length 72 is not within 104 to 65536"),
        (100, &[0, 2, 0, 0], "malformed qcow2: header_length 131072 is not within 104 to 65536"),
        (112, &[1, 2, 3, 4, 0, 1, 0, 0], "malformed qcow2: header extension 0x1020304 of 65536 bytes at byte 120"),
        (112, &[1, 2, 3, 4, 255, 255, 255, 255], "malformed qcow2: header extension 0x1020304 of 4294967295 bytes"),
    ];
    for (at, bytes, text) in cases {
        let said = message(&samples.patched("bad.qcow2", &[(*at, bytes)]));
        assert!(said.starts_with(text), "{bytes:?} at {at}: {said}");
    }
    let endless: Vec<u8> = [1, 2, 3, 4, 0, 0, 0, 0].repeat(70);
    let said = message(&samples.patched("bad.qcow2", &[(112, &endless)]));
    assert!(said.starts_with("malformed qcow2: more than 64 header extensions"), "{said}");
}

#[test]
fn tables_that_point_outside_are_refused() {
    let samples = Samples::new();
    let cases: &[(u64, &[u8], &str)] = &[
        (0x3_0000, &[0x80, 0, 1, 0, 0, 0, 0, 0], "truncated qcow2: an L2 table ends at byte"),
        (
            0x3_0000,
            &[0x80, 0, 0, 0, 0, 4, 2, 0],
            "malformed qcow2: an L2 table begins inside a cluster, at byte 262656",
        ),
        (0x4_0000, &[0x80, 0, 0, 0x10, 0, 0, 0, 0], "truncated qcow2: a cluster ends at byte 68719476737"),
        (0x4_0000, &[0x80, 0, 0, 0, 0, 5, 2, 0], "malformed qcow2: a cluster begins inside a cluster, at byte 328192"),
        (0x4_0000, &[0x40, 0, 0x10, 0, 0, 0, 0, 0], "truncated qcow2: a compressed cluster ends at byte"),
        (0x4_0000, &[0x7f; 8], "truncated qcow2: a compressed cluster ends at byte"),
        (0x1_0000, &[0, 0, 1, 0, 0, 0, 0, 0], "truncated qcow2: a refcount block ends at byte"),
    ];
    for (at, bytes, text) in cases {
        let said = message(&samples.patched("bad.qcow2", &[(*at, bytes)]));
        assert!(said.starts_with(text), "{bytes:?} at {at}: {said}");
    }
}

#[test]
fn a_cut_file_is_refused_wherever_it_is_cut() {
    let samples = Samples::new();
    for options in ["", "-c", "-o compat=0.10", "-o compression_type=zstd -c", "-o extended_l2=on"] {
        let whole = fs::read(samples.converted("whole.qcow2", "qcow2", options)).unwrap();
        for part in 1..32 {
            let path = samples.file("cut.qcow2", &whole[..whole.len() * part / 32]);
            assert!(matches!(refusal(&path), Refusal::Truncated { .. }), "{options} cut to {part}/32");
        }
    }
}

#[test]
fn a_change_after_opening_is_seen() {
    let samples = Samples::new();
    let path = samples.path("disk.raw");
    let words = |image: &Image| image.unchanged().unwrap_err().to_string();

    let image = Image::open(&path).unwrap();
    fs::File::options().append(true).open(&path).unwrap().set_len(DISK_BYTES as u64 + 512).unwrap();
    assert!(words(&image).ends_with("changed while it was verified: 6292992 bytes at first, 6293504 at the end"));

    let image = Image::open(&path).unwrap();
    super::samples::patch(&path, &[(0, b"x")]);
    assert!(words(&image).ends_with("it was written to"));

    let image = Image::open(&path).unwrap();
    let content = fs::read(&path).unwrap();
    fs::rename(&path, samples.path("old.raw")).unwrap();
    fs::write(&path, content).unwrap();
    assert!(words(&image).ends_with("its name is that of another file now"));

    fs::remove_file(&path).unwrap();
    assert!(words(&image).contains("No such file"));
}
