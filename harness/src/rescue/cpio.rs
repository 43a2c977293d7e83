//! An archive as the kernel unpacks it: `newc`, behind those that a medium brings.
//!
//! Later archives lay their files over earlier ones, so a medium's initramfs gets another first program without being
//! unpacked here.

/// Every field and every file begins at a multiple of this.
const ALIGNED: usize = 4;
const FILE: u32 = 0o100_000;

/// An archive to be.
pub(super) struct Cpio(Vec<u8>);

impl Cpio {
    /// An archive that goes behind `before`.
    pub(super) fn behind(mut before: Vec<u8>) -> Self {
        // The kernel takes zeros between two archives for nothing, and looks for the next one at such places only.
        pad(&mut before);
        Self(before)
    }

    /// The same with a file of root's; the folder above it is there already.
    pub(super) fn file(mut self, path: &str, permissions: u32, content: &[u8]) -> Self {
        self.entry(path, FILE | permissions, content);
        self
    }

    /// All of it, ended.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.0
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) {
        let bytes = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let name = u32::try_from(path.len() + 1).unwrap_or(u32::MAX);
        // Inode, mode, owner and group, links, time, size, four numbers of devices, length of the name, checksum.
        let fields = [0, mode, 0, 0, 1, 0, bytes, 0, 0, 0, 0, name, 0];
        self.0.extend_from_slice(b"070701");
        self.0.extend(fields.iter().flat_map(|field| format!("{field:08x}").into_bytes()));
        self.0.extend_from_slice(path.as_bytes());
        self.0.push(0);
        pad(&mut self.0);
        self.0.extend_from_slice(content);
        pad(&mut self.0);
    }
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(ALIGNED), 0);
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        process::{Command, Stdio},
    };

    use super::Cpio;

    /// What cpio itself says of an archive.
    fn cpio(words: &[&str], archive: &[u8], folder: &std::path::Path) -> String {
        let mut child = Command::new("cpio");
        child.args(words).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        child.stdin.take().unwrap().write_all(archive).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn cpio_unpacks_it() {
        let folder = tempfile::tempdir().unwrap();
        let archive =
            Cpio::behind(Vec::new()).file("init", 0o755, b"#!/bin/sh\n").file("odd", 0o600, b"12345").finish();
        assert_eq!(archive.len() % 4, 0);
        let listed = cpio(&["--quiet", "-itv"], &archive, folder.path());
        let rows: Vec<_> = listed.lines().map(|row| row.split_whitespace().next().unwrap()).collect();
        assert_eq!(rows, ["-rwxr-xr-x", "-rw-------"], "{listed}");
        cpio(&["--quiet", "-id"], &archive, folder.path());
        assert_eq!(std::fs::read(folder.path().join("init")).unwrap(), b"#!/bin/sh\n");
        assert_eq!(std::fs::read(folder.path().join("odd")).unwrap(), b"12345");
    }

    #[test]
    fn it_begins_where_the_kernel_looks() {
        for length in 0..9 {
            let archive = Cpio::behind(vec![7; length]).finish();
            let at = archive.windows(6).position(|window| window == b"070701").unwrap();
            assert_eq!((at % 4, at < length + 4), (0, true), "behind {length} bytes");
        }
    }
}
