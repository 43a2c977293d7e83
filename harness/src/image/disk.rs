//! The disk inside an image, read by position, whatever the format of the file.

use std::{fs::File, io, os::unix::fs::FileExt};

use rustix::{
    fs::{SeekFrom, seek},
    io::Errno,
};

use super::{Content, Image, qcow2::Clusters};

/// A piece of a disk that is all of one kind, as the tables of the file have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its length, in bytes; never 0.
    pub bytes: u64,
    /// Whether it reads as zeros without anything being read. What has to be read may be zeros too.
    pub hole: bool,
}

/// The content of an image's disk, read-only.
///
/// It borrows the open file and reads it by position; each reader has its own.
#[derive(Debug)]
pub struct Disk<'a> {
    file: &'a File,
    bytes: u64,
    clusters: Option<Clusters>,
}

impl Image {
    /// A reader of the disk inside.
    ///
    /// # Errors
    /// What the system says if the tables cannot be read.
    pub fn disk(&self) -> io::Result<Disk<'_>> {
        let clusters = match &self.content {
            Content::Qcow2(header) => Some(Clusters::new(&self.file, header)?),
            Content::Raw => None,
        };
        Ok(Disk { file: &self.file, bytes: self.virtual_size(), clusters })
    }
}

impl<'a> Disk<'a> {
    /// The bytes of `file` as a disk.
    pub(super) fn raw(file: &'a File) -> io::Result<Self> {
        Ok(Self { file, bytes: file.metadata()?.len(), clusters: None })
    }

    /// Size of the disk, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Fills `buffer` from byte `offset` of the disk.
    ///
    /// # Errors
    /// `UnexpectedEof` if that is not all inside the disk, `InvalidData` if the file says something impossible, or what
    /// the system says.
    pub fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(buffer.len() as u64).filter(|end| *end <= self.bytes);
        if end.is_none() {
            let what = format!("{} bytes at byte {offset} of a disk of {}", buffer.len(), self.bytes);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
        }
        match &mut self.clusters {
            Some(clusters) => clusters.read(self.file, offset, buffer),
            None => self.file.read_exact_at(buffer, offset),
        }
    }

    /// The piece of one kind that begins at byte `offset`, which may go on behind its end.
    ///
    /// # Errors
    /// `UnexpectedEof` if `offset` is not inside the disk, `InvalidData` if the file says something impossible, or what
    /// the system says.
    pub fn run(&mut self, offset: u64) -> io::Result<Run> {
        if offset >= self.bytes {
            let what = format!("byte {offset} of a disk of {}", self.bytes);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
        }
        match &mut self.clusters {
            Some(clusters) => clusters.run(self.file, offset),
            None => run_of_file(self.file, offset, self.bytes),
        }
    }
}

/// The piece of one kind that begins at byte `at` of a file of which `end` bytes count, as its file system has it.
pub(crate) fn run_of_file(file: &File, at: u64, end: u64) -> io::Result<Run> {
    // Moves the file's cursor, which nobody uses.
    let data = match seek(file, SeekFrom::Data(at)) {
        Ok(data) => data.min(end),
        Err(Errno::NXIO) => end,
        Err(error) => return Err(error.into()),
    };
    if data > at {
        return Ok(Run { bytes: data - at, hole: true });
    }
    let hole = seek(file, SeekFrom::Hole(at))?.min(end);
    Ok(Run { bytes: hole.saturating_sub(at).max(1), hole: false })
}

#[cfg(test)]
mod tests {
    use std::{fs, io, path::Path};

    use super::super::{
        Image,
        samples::{DISK_BYTES, Samples, patch},
    };

    fn content(path: &Path, step: usize) -> io::Result<Vec<u8>> {
        let image = Image::open(path).unwrap();
        let mut disk = image.disk()?;
        let mut content = vec![0xee; usize::try_from(disk.bytes()).unwrap()];
        for (number, part) in content.chunks_mut(step).enumerate() {
            disk.read_at((number * step) as u64, part)?;
        }
        Ok(content)
    }

    #[test]
    fn every_kind_of_qcow2_reads_as_the_disk_it_was_made_of() {
        let samples = Samples::new();
        let expected = fs::read(samples.path("disk.raw")).unwrap();
        assert!(content(&samples.path("disk.raw"), 65_536).unwrap() == expected);
        let kinds = [
            "",
            "-c",
            "-o compat=0.10",
            "-c -o compat=0.10",
            "-c -o compression_type=zstd",
            "-o cluster_size=512",
            "-c -o cluster_size=4k,compression_type=zstd",
            "-c -o cluster_size=2M",
            "-o extended_l2=on",
            "-c -o extended_l2=on,compression_type=zstd",
            "-o extended_l2=on,cluster_size=16k",
            "-o preallocation=metadata",
        ];
        for options in kinds {
            let path = samples.converted("kind.qcow2", "qcow2", options);
            for step in [65_536, 1_000_003] {
                assert!(content(&path, step).unwrap() == expected, "{options} by {step}");
            }
        }
    }

    #[test]
    fn zeros_and_holes_written_by_a_guest_read_as_zeros() {
        let samples = Samples::new();
        for options in ["", "-o compat=0.10", "-o extended_l2=on"] {
            samples.converted("written.qcow2", "qcow2", options);
            let writes =
                ["write -z 1M 128k", "write -z 2050k 6k", "write -P 9 2060k 2k", "discard 0 64k", "write -P 3 4M 512"];
            let mut run = std::process::Command::new("qemu-io");
            for write in writes {
                run.args(["-c", write]);
            }
            let run = run.args(["-f", "qcow2", "-d", "unmap"]).arg(samples.path("written.qcow2")).output().unwrap();
            assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
            samples.qemu_img("convert -f qcow2 -O raw written.qcow2 expected.raw");
            let expected = fs::read(samples.path("expected.raw")).unwrap();
            assert!(expected[1 << 20..(1 << 20) + 1000] == [0; 1000]);
            assert!(content(&samples.path("written.qcow2"), 65_536).unwrap() == expected, "{options}");
        }
    }

    #[test]
    fn runs_cover_the_disk_and_holes_are_zeros() {
        let samples = Samples::new();
        let expected = fs::read(samples.path("disk.raw")).unwrap();
        let sparse = samples.converted("sparse.raw", "raw", "-S 4k");
        let kinds =
            ["", "-c", "-o cluster_size=512", "-o extended_l2=on", "-o preallocation=metadata", "-o compat=0.10"];
        let others = kinds.map(|options| (options, "qcow2")).into_iter();
        for (options, format) in others.chain([("", "raw")]) {
            let path = if format == "raw" { sparse.clone() } else { samples.converted("a.qcow2", format, options) };
            let image = Image::open(&path).unwrap();
            let mut disk = image.disk().unwrap();
            let (mut at, mut holes) = (0, 0);
            while at < disk.bytes() {
                let run = disk.run(at).unwrap();
                let end = (at + run.bytes).min(disk.bytes());
                let content = &expected[usize::try_from(at).unwrap()..usize::try_from(end).unwrap()];
                assert!(!run.hole || content.iter().all(|byte| *byte == 0), "{options}: {run:?} at {at}");
                holes += if run.hole { end - at } else { 0 };
                at = end;
            }
            // The hole of the sample has 3 MiB; preallocated clusters have to be read.
            assert!(holes >= 2 << 20 || options.contains("preallocation"), "{options}: {holes}");
            assert_eq!(disk.run(at).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn what_lies_outside_the_disk_is_not_read() {
        let samples = Samples::new();
        let image = Image::open(samples.converted("a.qcow2", "qcow2", "")).unwrap();
        let mut disk = image.disk().unwrap();
        let end = DISK_BYTES as u64;
        for (at, bytes) in [(end, 1), (end - 1, 2), (u64::MAX, 1), (0, DISK_BYTES + 1)] {
            let error = disk.read_at(at, &mut vec![0; bytes]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{error}");
        }
        disk.read_at(end, &mut []).unwrap();
    }

    #[test]
    fn compressed_clusters_that_do_not_inflate_are_errors() {
        let samples = Samples::new();
        for options in ["-c", "-c -o compression_type=zstd"] {
            let path = samples.converted("a.qcow2", "qcow2", options);
            let whole = fs::read(&path).unwrap();
            patch(&path, &[(0x5_0000, &vec![0xff; whole.len() - 0x5_0000])]);
            let error = content(&path, 65_536).unwrap_err();
            assert_eq!(error.to_string(), "malformed qcow2: a compressed cluster that does not inflate");
        }
    }

    #[test]
    fn subclusters_that_contradict_themselves_are_errors() {
        let samples = Samples::new();
        let path = samples.converted("a.qcow2", "qcow2", "-o extended_l2=on");
        patch(&path, &[(0x4_0008, &[255; 8])]);
        assert_eq!(
            content(&path, 65_536).unwrap_err().to_string(),
            "malformed qcow2: a subcluster both allocated and zero"
        );
        patch(&path, &[(0x4_0000, &[0; 8]), (0x4_0008, &[0, 0, 0, 0, 255, 255, 255, 255])]);
        assert_eq!(content(&path, 65_536).unwrap_err().to_string(), "malformed qcow2: a subcluster allocated nowhere");
    }

    /// Bytes changed in turn, all of the header and a sample of the rest: an error or some content, and nothing else.
    #[test]
    fn no_change_of_a_byte_ends_in_a_panic() {
        let samples = Samples::new();
        samples.file("small.raw", &fs::read(samples.path("disk.raw")).unwrap()[(1 << 20) - 65_536..(1 << 20) + 65_536]);
        for options in ["-c -o cluster_size=512", "-c -o cluster_size=16k,extended_l2=on,compression_type=zstd"] {
            samples.qemu_img(&format!("convert -f raw -O qcow2 {options} small.raw fuzzed.qcow2"));
            let path = samples.path("fuzzed.qcow2");
            let whole = fs::read(&path).unwrap();
            let places = (0..120).chain((120..whole.len()).step_by(1_009));
            for (at, value) in places.flat_map(|at| [(at, 0xff), (at, 0x01)]) {
                patch(&path, &[(at as u64, &[value])]);
                if let Ok(image) = Image::open(&path)
                    && image.virtual_size() < 64 << 20
                    && let Ok(mut disk) = image.disk()
                {
                    let mut content = vec![0; usize::try_from(disk.bytes()).unwrap()];
                    let _ = disk.read_at(0, &mut content);
                }
                patch(&path, &[(at as u64, &whole[at..=at])]);
            }
        }
    }
}
