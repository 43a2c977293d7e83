//! A folder that is filled beside its place and then put there in one step.
//!
//! A place that cannot be exchanged (a mount point, or a folder whose parent may not be written) gets its files one by
//! one from a folder inside itself, the report last: while it is missing, nobody takes the folder for a complete one.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};
use tempfile::TempDir;

use super::REPORT;

/// What the names of unfinished folders begin with; the number of the process that fills them comes next.
const PREFIX: &str = ".kverify-unfinished-";

/// Whether `name` is that of an unfinished folder.
pub(super) fn is_ours(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with(PREFIX)
}

/// An unfinished folder; it goes when it is dropped, and what an earlier process left when the next one is made.
pub(super) struct Staging {
    holder: TempDir,
    /// Within the holder, which only its owner may enter: the folder itself is as open as the caller's umask says.
    new: PathBuf,
}

impl Staging {
    /// A folder to be put at `place`; the folders above are made.
    pub(super) fn new(place: &Path) -> io::Result<Self> {
        let beside = match place.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(beside)?;
        sweep(beside);
        let holder = match holder(beside) {
            Err(_) if place.is_dir() => {
                sweep(place);
                holder(place)?
            }
            made => made?,
        };
        let new = holder.path().join("new");
        fs::create_dir(&new)?;
        Ok(Self { holder, new })
    }

    /// Writes one file; on the disk, so that a full one is noticed now.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::create_new(self.new.join(name))?;
        file.write_all(bytes)?;
        file.sync_data()
    }

    /// Puts the folder at `place`, and removes what was there.
    pub(super) fn place(self, place: &Path) -> io::Result<()> {
        if self.holder.path().parent() == Some(place) {
            return move_into(&self.new, place);
        }
        if !place.exists() {
            return fs::rename(&self.new, place);
        }
        match renameat_with(CWD, &self.new, CWD, place, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(()),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                let old = self.holder.path().join("old");
                fs::rename(place, &old)?;
                fs::rename(&self.new, place).inspect_err(|_| {
                    // Best effort: the error that is told is the first one.
                    let _ = fs::rename(&old, place);
                })
            }
            Err(_) => {
                let inside = holder(place)?;
                for entry in fs::read_dir(&self.new)? {
                    let entry = entry?;
                    fs::copy(entry.path(), inside.path().join(entry.file_name()))?;
                }
                move_into(inside.path(), place)
            }
        }
    }
}

fn holder(folder: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new().prefix(&format!("{PREFIX}{}-", std::process::id())).tempdir_in(folder)
}

/// Removes unfinished folders whose process is gone. What cannot be removed stays, and disturbs nobody.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if process.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Clears `place` and moves the files of `new` there, the report first out and last in.
fn move_into(new: &Path, place: &Path) -> io::Result<()> {
    match fs::remove_file(place.join(REPORT)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    for entry in fs::read_dir(place)? {
        let entry = entry?;
        if is_ours(&entry.file_name()) {
            continue;
        }
        if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) }?;
    }
    let mut names = fs::read_dir(new)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
    names.sort_by_key(|name| name == REPORT);
    names.iter().try_for_each(|name| fs::rename(new.join(name), place.join(name)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{PREFIX, Staging, move_into};

    #[test]
    fn a_place_that_cannot_be_exchanged_is_emptied_and_filled() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("stale.txt"), "old").unwrap();
        fs::write(place.path().join("report.json"), "old").unwrap();
        let new = place.path().join(format!("{PREFIX}1-x"));
        fs::create_dir(&new).unwrap();
        fs::write(new.join("report.json"), "new").unwrap();
        fs::write(new.join("junit.xml"), "new").unwrap();
        move_into(&new, place.path()).unwrap();
        assert!(!place.path().join("stale.txt").exists());
        assert_eq!(fs::read_to_string(place.path().join("report.json")).unwrap(), "new");
        assert_eq!(fs::read_to_string(place.path().join("junit.xml")).unwrap(), "new");
    }

    #[test]
    fn what_a_killed_run_left_is_swept() {
        let beside = tempfile::tempdir().unwrap();
        // Beyond the largest number that Linux gives to a process.
        let left = beside.path().join(format!("{PREFIX}4194305-x"));
        let alive = beside.path().join(format!("{PREFIX}{}-x", std::process::id()));
        fs::create_dir(&left).unwrap();
        fs::create_dir(&alive).unwrap();
        let staging = Staging::new(&beside.path().join("out")).unwrap();
        assert!(!left.exists() && alive.exists());
        drop(staging);
        assert_eq!(fs::read_dir(beside.path()).unwrap().count(), 1, "only the one that is alive");
    }
}
