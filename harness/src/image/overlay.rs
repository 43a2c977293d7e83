//! The overlay of one boot: an empty qcow2 file without a name that takes all writes of the guest.
//!
//! Its header is written here, without the name of a backing file: QEMU is given the chain by `-blockdev`, and opens
//! nothing by a name that stands in a file.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{Unnamed, UnnamedError, qcow2::MAGIC};

/// How much must be free where an overlay is made, in bytes: a boot writes some hundred MiB.
pub const RESERVE_BYTES: u64 = 1 << 30;

const WHAT: &str = "an overlay";
const CLUSTER_BITS: u32 = 16;
/// The smallest block of the file systems at hand.
const FINE_BITS: u32 = 12;
const HEADER_BYTES: u32 = 104;

/// An empty qcow2 overlay, gone with the last process that has it open.
#[derive(Debug)]
pub struct Overlay {
    unnamed: Unnamed,
    virtual_bytes: u64,
}

impl Overlay {
    /// An overlay for a disk of `virtual_bytes` bytes, on the file system of `folder`.
    ///
    /// A size over that of the golden disk grows it for the guest.
    ///
    /// # Errors
    /// [`UnnamedError`] if less than [`RESERVE_BYTES`] (or the disk's size, if that is less) is free, or nothing can be written.
    pub fn create(folder: &Path, virtual_bytes: u64) -> Result<Self, UnnamedError> {
        Self::of_clusters(folder, virtual_bytes, CLUSTER_BITS)
    }

    /// The same in clusters of 4 KiB: QEMU ignores a discard of less than a cluster, and what lay there would stay.
    ///
    /// # Errors
    /// As those of [`Overlay::create`].
    pub fn create_fine(folder: &Path, virtual_bytes: u64) -> Result<Self, UnnamedError> {
        Self::of_clusters(folder, virtual_bytes, FINE_BITS)
    }

    fn of_clusters(folder: &Path, virtual_bytes: u64, bits: u32) -> Result<Self, UnnamedError> {
        let unnamed = Unnamed::create(folder, WHAT, RESERVE_BYTES.min(virtual_bytes))?;
        write_empty(unnamed.file(), virtual_bytes, bits).map_err(|source| UnnamedError::Folder {
            folder: folder.to_owned(),
            what: WHAT,
            source,
        })?;
        Ok(Self { unnamed, virtual_bytes })
    }

    /// A path by which QEMU, run by the same user, opens it; valid as long as `self` lives.
    #[must_use]
    pub fn fd_path(&self) -> PathBuf {
        self.unnamed.fd_path()
    }

    /// It alone, for `qemu-img` (without the `json:` in front), valid as long as `self` lives.
    #[must_use]
    pub(crate) fn for_qemu_img(&self) -> String {
        let path = self.fd_path();
        serde_json::json!({ "driver": "qcow2", "file": { "driver": "file", "filename": path } }).to_string()
    }

    /// The open file.
    #[must_use]
    pub fn file(&self) -> &File {
        self.unnamed.file()
    }

    /// The open file alone.
    #[must_use]
    pub fn into_file(self) -> File {
        self.unnamed.into_file()
    }

    /// Size of the disk, in bytes.
    #[must_use]
    pub fn virtual_size(&self) -> u64 {
        self.virtual_bytes
    }
}

/// Header, refcount table, one refcount block and an L1 table without entries, in whole clusters.
fn write_empty(file: &File, virtual_bytes: u64, bits: u32) -> io::Result<()> {
    let cluster = 1 << bits;
    // One entry for each L2 table, which has as many as fit into a cluster.
    let l1_entries = virtual_bytes.div_ceil(cluster / 8 * cluster).max(1);
    let too_large = || io::Error::new(io::ErrorKind::InvalidInput, format!("a disk of {virtual_bytes} bytes"));
    let l1_size = u32::try_from(l1_entries).ok().filter(|size| *size <= 32 << 17).ok_or_else(too_large)?;
    let clusters = 3 + (l1_entries * 8).div_ceil(cluster);
    // One block of refcounts, of two bytes each, is all that is written here.
    if clusters > cluster / 2 {
        return Err(too_large());
    }

    let mut header = Vec::with_capacity(112);
    header.extend_from_slice(MAGIC);
    put32(&mut header, &[3]);
    put64(&mut header, &[0]); // no backing file
    put32(&mut header, &[0, bits]);
    put64(&mut header, &[virtual_bytes]);
    put32(&mut header, &[0, l1_size]); // no encryption
    put64(&mut header, &[3 * cluster, cluster]); // L1 table, refcount table
    put32(&mut header, &[1, 0]); // of one cluster; no snapshots
    put64(&mut header, &[0, 0, 0, 0]); // no features of any kind
    put32(&mut header, &[4, HEADER_BYTES]); // refcounts of 16 bits
    put64(&mut header, &[0]); // end of extensions

    let refcounts: Vec<u8> = (0..clusters).flat_map(|_| 1_u16.to_be_bytes()).collect();
    file.set_len(clusters * cluster)?;
    file.write_all_at(&header, 0)?;
    file.write_all_at(&(2 * cluster).to_be_bytes(), cluster)?;
    file.write_all_at(&refcounts, 2 * cluster)
}

fn put32(header: &mut Vec<u8>, fields: &[u32]) {
    header.extend(fields.iter().flat_map(|field| field.to_be_bytes()));
}

fn put64(header: &mut Vec<u8>, fields: &[u64]) {
    header.extend(fields.iter().flat_map(|field| field.to_be_bytes()));
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::{super::samples::Samples, Overlay};

    fn qemu_img(words: &[&str]) -> String {
        let run = Command::new("qemu-img").args(words).output().unwrap();
        assert!(run.status.success(), "{words:?}: {}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).unwrap()
    }

    #[test]
    fn qemu_finds_it_sound_empty_and_alone() {
        let folder = tempfile::tempdir().unwrap();
        let coarse = [512, 1 << 20, 10 << 30, 64 << 40].map(|bytes| (bytes, Overlay::create(folder.path(), bytes)));
        let fine = [512, 10 << 30, 1 << 40].map(|bytes| (bytes, Overlay::create_fine(folder.path(), bytes)));
        for (bytes, overlay) in coarse.into_iter().chain(fine) {
            let overlay = overlay.unwrap();
            let path = overlay.fd_path().display().to_string();
            let check = qemu_img(&["check", "-f", "qcow2", &path]);
            assert!(check.contains("No errors were found on the image."), "{check}");
            let info: serde_json::Value =
                serde_json::from_str(&qemu_img(&["info", "--output=json", "-f", "qcow2", &path])).unwrap();
            assert_eq!(info["virtual-size"], bytes);
            assert_eq!(info.get("backing-filename"), None);
            assert!(info["actual-size"].as_u64().unwrap() < 1 << 21, "{info}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "it has a name");
    }

    #[test]
    fn a_chain_given_by_name_of_the_node_reads_through_and_writes_beside() {
        let samples = Samples::new();
        let golden = samples.converted("golden.qcow2", "qcow2", "-c");
        let before = fs::read(&golden).unwrap();
        let grown = 64 << 20;
        let overlay = Overlay::create(samples.folder(), grown).unwrap();
        let chain = format!(
            r#"json:{{"driver":"qcow2","file":{{"driver":"file","filename":"{}"}},"backing":{{"driver":"qcow2","read-only":true,"file":{{"driver":"file","filename":"{}"}}}}}}"#,
            overlay.fd_path().display(),
            golden.display()
        );
        let out = samples.path("out.raw").display().to_string();
        let write = Command::new("qemu-io").args(["-c", "write -P 7 1M 4k", &chain]).output().unwrap();
        assert!(write.status.success(), "{}", String::from_utf8_lossy(&write.stderr));
        qemu_img(&["convert", "-O", "raw", &chain, &out]);
        let mut expected = fs::read(samples.path("disk.raw")).unwrap();
        expected[1 << 20..(1 << 20) + 4096].fill(7);
        expected.resize(64 << 20, 0);
        assert!(fs::read(out).unwrap() == expected);
        assert!(fs::read(golden).unwrap() == before, "the golden file was written");
    }

    #[test]
    fn a_disk_that_qcow2_cannot_map_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Overlay::create(folder.path(), u64::MAX).is_err());
        assert!(Overlay::create_fine(folder.path(), 4 << 40).is_err());
    }
}
