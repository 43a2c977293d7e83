//! An installer medium: the kernel and the initramfs in its EFI partition.
//!
//! They start a system beside a disk that must not start its own. Read by our own readers, so that nothing is mounted
//! and no other program looks at the file.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use super::{
    super::Disk,
    fat::{Fat, FatError},
    gpt,
    volume::Volume,
};

/// The largest kernel or initramfs that is read, in bytes.
const MOST_BYTES: u32 = 512 << 20;
const KERNEL: &str = "linux";
const INITRAMFS: &str = "initrd";

/// What an installer medium boots.
#[derive(Debug)]
pub struct Medium {
    /// The kernel's image.
    pub kernel: Vec<u8>,
    /// The archives that it unpacks.
    pub initramfs: Vec<u8>,
}

/// Why a medium boots nothing that can be used.
#[derive(Debug, thiserror::Error)]
pub enum MediumError {
    /// It cannot be read.
    #[error("{}: cannot be read", path.display())]
    Unreadable {
        /// The medium.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It can be read, and is no such medium.
    #[error("{}: {why}; an installer medium with `/{KERNEL}` and `/{INITRAMFS}` in its EFI partition is wanted", path.display())]
    Unfit {
        /// The medium.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// Why nothing was read.
enum Trouble {
    Io(io::Error),
    Unfit(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Unfit(error.to_string()),
            _ => Self::Io(error),
        }
    }
}

impl From<FatError> for Trouble {
    fn from(error: FatError) -> Self {
        match error {
            FatError::Malformed(why) => Self::Unfit(format!("its EFI partition has {why}")),
            FatError::Io(error) => error.into(),
        }
    }
}

impl Medium {
    /// Reads both out of the medium at `path`.
    ///
    /// # Errors
    /// [`MediumError`] if it cannot be read or has no EFI partition with both of them.
    pub fn read(path: &Path) -> Result<Self, MediumError> {
        read(path).map_err(|trouble| match trouble {
            Trouble::Io(source) => MediumError::Unreadable { path: path.to_owned(), source },
            Trouble::Unfit(why) => MediumError::Unfit { path: path.to_owned(), why },
        })
    }
}

fn read(path: &Path) -> Result<Medium, Trouble> {
    if !path.metadata()?.is_file() {
        return Err(Trouble::Unfit("not a file".to_owned()));
    }
    let file = File::open(path)?;
    let mut disk = Disk::raw(&file)?;
    let unfit = |why: &str| Trouble::Unfit(why.to_owned());
    if disk.bytes() < 4096 {
        return Err(unfit("too short for a disk"));
    }
    let partitions = gpt::read(&mut disk)?.partitions.ok_or_else(|| unfit("no partition table"))?;
    let partition = partitions.into_iter().find(|partition| partition.type_guid == gpt::ESP);
    let partition = partition.ok_or_else(|| unfit("no EFI partition"))?;
    let mut volume = Volume::new(&mut disk, partition.start, partition.bytes);
    let mut fat = Fat::open(&mut volume)?;
    let files = fat.files()?;
    let mut file = |name: &str| {
        let file = files.iter().find(|file| file.path.eq_ignore_ascii_case(name));
        let file = file.ok_or_else(|| Trouble::Unfit(format!("no `/{name}` in its EFI partition")))?;
        let content = fat.whole(file, MOST_BYTES)?;
        content
            .ok_or_else(|| Trouble::Unfit(format!("its `/{name}` is of {} bytes, more than {MOST_BYTES}", file.bytes)))
    };
    Ok(Medium { kernel: file(KERNEL)?, initramfs: file(INITRAMFS)? })
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::Medium;

    fn run(line: &str) {
        let mut words = line.split(' ');
        let run = Command::new(words.next().unwrap()).args(words).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output();
        let run = run.unwrap();
        assert!(run.status.success(), "{line}: {}", String::from_utf8_lossy(&run.stderr));
    }

    #[test]
    fn both_files_come_out_whole_and_what_lacks_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (fat, disk) = (folder.path().join("fat"), folder.path().join("disk"));
        let (fat_path, disk_path) = (fat.display(), disk.display());
        let kernel: Vec<u8> = (0..700_001_u32).map(|n| (n % 251) as u8).collect();
        fs::write(folder.path().join("linux"), &kernel).unwrap();
        fs::write(folder.path().join("initrd"), b"archive").unwrap();
        fs::write(&disk, "").unwrap();
        fs::File::options().write(true).open(&disk).unwrap().set_len(12 << 20).unwrap();
        run(&format!("sgdisk -n 1:2048:+8M -t 1:ef00 {disk_path}"));
        run(&format!("mkfs.fat -C {fat_path} 8192"));
        let image = |disk_path: &dyn std::fmt::Display| {
            run(&format!("dd if={fat_path} of={disk_path} bs=1M seek=1 conv=notrunc"));
        };
        run(&format!("mcopy -i {fat_path} {}/linux ::linux", folder.path().display()));
        image(&disk_path);
        let error = Medium::read(&disk).unwrap_err().to_string();
        assert!(error.contains("no `/initrd` in its EFI partition; an installer medium with `/linux`"), "{error}");
        run(&format!("mcopy -i {fat_path} {}/initrd ::initrd", folder.path().display()));
        image(&disk_path);
        let medium = Medium::read(&disk).unwrap();
        assert!(medium.kernel == kernel);
        assert_eq!(medium.initramfs, b"archive");
    }

    #[test]
    fn what_is_no_medium_is_told_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("medium.iso");
        let said = || Medium::read(&path).unwrap_err().to_string();
        assert_eq!(said(), format!("{}: cannot be read", path.display()));
        fs::write(&path, b"text").unwrap();
        assert!(said().contains(": too short for a disk; "), "{}", said());
        fs::write(&path, vec![0; 1 << 20]).unwrap();
        assert!(said().contains(": no partition table; "), "{}", said());
    }
}
