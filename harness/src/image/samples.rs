//! Disk images for the tests of this room, made by qemu-img and by changing single bytes of what it made.

use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// A folder of images that goes with it.
pub(super) struct Samples(TempDir);

/// Size of the disk that all samples hold, in bytes: no whole number of 64 KiB.
pub(super) const DISK_BYTES: usize = (6 << 20) + 1536;

impl Samples {
    pub(super) fn new() -> Self {
        let samples = Self(tempfile::tempdir().unwrap());
        fs::write(samples.path("disk.raw"), disk()).unwrap();
        samples
    }

    pub(super) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file.
    pub(super) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    /// Runs `qemu-img` in the folder, with words parted by blanks.
    pub(super) fn qemu_img(&self, words: &str) {
        let run = Command::new("qemu-img").args(words.split(' ')).current_dir(self.folder()).output().unwrap();
        assert!(run.status.success(), "qemu-img {words}: {}", String::from_utf8_lossy(&run.stderr));
    }

    /// The disk converted to `format` with these words of options.
    pub(super) fn converted(&self, name: &str, format: &str, options: &str) -> PathBuf {
        self.qemu_img(format!("convert -f raw -O {format} {options} disk.raw {name}").replace("  ", " ").as_str());
        self.path(name)
    }

    /// The disk as plain qcow2, with these bytes put over it.
    pub(super) fn patched(&self, name: &str, patches: &[(u64, &[u8])]) -> PathBuf {
        let path = self.converted(name, "qcow2", "");
        patch(&path, patches);
        path
    }
}

/// Puts bytes over those of a file.
pub(super) fn patch(path: &Path, patches: &[(u64, &[u8])]) {
    let file = fs::File::options().write(true).open(path).unwrap();
    for (at, bytes) in patches {
        file.write_all_at(bytes, *at).unwrap();
    }
}

/// A disk with an MBR, text that compresses, bytes that do not, and a hole.
fn disk() -> Vec<u8> {
    let mut disk = vec![0; DISK_BYTES];
    let mut state = 1_u32;
    for byte in &mut disk[..1 << 20] {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = state.to_be_bytes()[0];
    }
    for (at, byte) in disk[1 << 20..3 << 20].iter_mut().enumerate() {
        *byte = b"all work and no play "[at % 21];
    }
    disk[(6 << 20) - 100..].fill(0x5a);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk
}
