//! A small FAT volume with a few files, made in memory: how a machine is told something at its first boot.
//!
//! FAT keeps eleven bytes of a label, so the installer's `KLDLOAD-SEED` cannot be one: its media take it without hyphen.

use std::io::{self, Cursor, Write};

use fatfs::{FileSystem, FormatVolumeOptions, FsOptions};

/// The least size of a volume, in bytes.
const LEAST_BYTES: u64 = 1 << 20;

/// The most that the files may hold together, in bytes.
const MOST_BYTES: u64 = 64 << 20;

/// How many bytes of a label a FAT volume keeps.
const LABEL_BYTES: usize = 11;

/// Why there is no volume.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// FAT cannot hold it.
    #[error("label `{0}`: a FAT volume takes 1 to {LABEL_BYTES} of A to Z, 0 to 9, `-` and `_`")]
    Label(String),
    /// Too much for a seed.
    #[error("seed {label}: files of {bytes} bytes together, more than {MOST_BYTES}")]
    TooLarge {
        /// The volume's label.
        label: String,
        /// Size of the files.
        bytes: u64,
    },
    /// The file system took no more, or took no such name.
    #[error("seed {label}: cannot hold `{file}`")]
    File {
        /// The volume's label.
        label: String,
        /// The file's name.
        file: String,
        /// What the file system said.
        source: io::Error,
    },
    /// The volume could not be made.
    #[error("seed {label}: no file system")]
    Format {
        /// The volume's label.
        label: String,
        /// What the file system said.
        source: io::Error,
    },
}

/// A volume to be: its label and its files.
#[derive(Clone, Debug)]
pub struct Seed {
    label: String,
    files: Vec<(String, Vec<u8>)>,
}

impl Seed {
    /// The label that cloud-init's data source `NoCloud` looks for, with the files `user-data` and `meta-data`.
    pub const CLOUD_INIT: &str = "CIDATA";

    /// The label that an installer looks for, with the file `answers.env`.
    pub const ANSWERS: &str = "KLDLOADSEED";

    /// An empty volume with a label of at most eleven bytes, in upper case.
    #[must_use]
    pub fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), files: Vec::new() }
    }

    /// What cloud-init's data source `NoCloud` reads.
    pub(crate) fn cloud_init(meta_data: &str, user_data: &str) -> Self {
        Self::new(Self::CLOUD_INIT).file("meta-data", meta_data).file("user-data", user_data)
    }

    /// The same volume with a file, by its path from the root; folders are made as they are needed.
    #[must_use]
    pub fn file(mut self, name: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.into(), content.into()));
        self
    }

    /// The bytes of the volume, the same for the same files: it holds no times.
    ///
    /// # Errors
    /// [`SeedError`] if FAT cannot hold the label or a file.
    pub fn volume(&self) -> Result<Vec<u8>, SeedError> {
        let label = self.padded_label()?;
        let content: u64 = self.files.iter().map(|(_, content)| content.len() as u64).sum();
        if content > MOST_BYTES {
            return Err(SeedError::TooLarge { label: self.label.clone(), bytes: content });
        }
        let bytes = (content + content / 8 + LEAST_BYTES).next_multiple_of(LEAST_BYTES);
        let mut volume = Cursor::new(vec![0; usize::try_from(bytes).unwrap_or(0)]);
        let unmade = |source| SeedError::Format { label: self.label.clone(), source };
        fatfs::format_volume(&mut volume, FormatVolumeOptions::new().volume_label(label)).map_err(unmade)?;
        volume.set_position(0);
        let system = FileSystem::new(&mut volume, FsOptions::new()).map_err(unmade)?;
        for (name, content) in &self.files {
            let mut folders = name.match_indices('/').map(|(at, _)| &name[..at]);
            let made = folders.try_for_each(|folder| system.root_dir().create_dir(folder).map(drop));
            let written = made.and_then(|()| system.root_dir().create_file(name)).and_then(|mut file| {
                file.write_all(content)?;
                file.flush()
            });
            written.map_err(|source| SeedError::File { label: self.label.clone(), file: name.clone(), source })?;
        }
        system.unmount().map_err(unmade)?;
        Ok(volume.into_inner())
    }

    fn padded_label(&self) -> Result<[u8; LABEL_BYTES], SeedError> {
        let plain = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"-_".contains(byte);
        let label = self.label.as_bytes();
        if label.is_empty() || label.len() > LABEL_BYTES || !label.iter().all(plain) {
            return Err(SeedError::Label(self.label.clone()));
        }
        let mut padded = [b' '; LABEL_BYTES];
        padded[..label.len()].copy_from_slice(label);
        Ok(padded)
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, process::Command};

    use super::Seed;

    fn run(program: &str, words: &[&str], path: &Path) -> String {
        let run = Command::new(program).args(words).arg(path).output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert!(run.status.success(), "{program}: {text}");
        text
    }

    #[test]
    fn blkid_fsck_and_mtools_accept_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seed.img");
        let long = vec![b'x'; 5_000_000];
        let seed = Seed::new(Seed::CLOUD_INIT)
            .file("user-data", "#cloud-config\n{}\n")
            .file("meta-data", "instance-id: one\n")
            .file("network-config", long.clone());
        std::fs::write(&path, seed.volume().unwrap()).unwrap();
        assert_eq!(run("/usr/sbin/blkid", &["-p", "-o", "value", "-s", "LABEL"], &path), "CIDATA\n");
        let fsck = run("/usr/sbin/fsck.fat", &["-n"], &path);
        assert!(fsck.contains("4 files"), "{fsck}");
        let listed = run("mdir", &["-b", "-i"], &path);
        assert_eq!(
            listed.split_whitespace().collect::<Vec<_>>(),
            ["::/user-data", "::/meta-data", "::/network-config"]
        );
        for (name, content) in [("::/user-data", &b"#cloud-config\n{}\n"[..]), ("::/network-config", &long)] {
            let read = Command::new("mtype").arg("-i").arg(&path).arg(name).output().unwrap();
            assert!(read.stdout == content, "{name}");
        }
    }

    #[test]
    fn the_same_files_make_the_same_bytes() {
        let seed = Seed::new(Seed::ANSWERS).file("answers.env", "KLDLOAD_DISTRO=debian\n");
        assert!(seed.volume().unwrap() == seed.volume().unwrap());
    }

    #[test]
    fn what_fat_cannot_hold_is_refused() {
        for label in ["", "KLDLOAD-SEED", "cidata", "A B"] {
            let error = Seed::new(label).volume().unwrap_err().to_string();
            assert_eq!(error, format!("label `{label}`: a FAT volume takes 1 to 11 of A to Z, 0 to 9, `-` and `_`"));
        }
        let error = Seed::new("CIDATA").file("a?b", "").volume().unwrap_err().to_string();
        assert_eq!(error, "seed CIDATA: cannot hold `a?b`");
        let error = Seed::new("CIDATA").file("big", vec![0; 65 << 20]).volume().unwrap_err().to_string();
        assert_eq!(error, "seed CIDATA: files of 68157440 bytes together, more than 67108864");
    }
}
