//! What a pipeline has done so far: for each step what it was made of and what it left, so that nothing is done again whose
//! inputs are the same and whose files are still what they were.
//!
//! This saves time and decides nothing. Whoever edits a journal gets a step that is left out; the gate looks at signed
//! evidence alone.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::{self, File, TryLockError},
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::build::ROOM;
use crate::image::Digest;

/// The folder of a journal within the folder of a pipeline's files, by which that is known to be one.
const FOLDER: &str = ".kverify-pipeline";
/// Keeps what a pipeline makes out of the tree that it stands in, which would have changes otherwise.
const IGNORE: (&str, &str) = (".gitignore", "*\n");
/// The file that says which digest a file had, as long as nobody has touched it.
const DIGESTS: &str = "digests.json";
/// The file that one pipeline at a time holds.
const LOCK: &str = "lock";

/// Why a journal cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Files of somebody else's are there.
    #[error(
        "{}: holds files, and is no folder of a pipeline; a pipeline removes what it left there before, so it takes none \
         that is not its own: name another with `work`",
        .0.display()
    )]
    NotOurs(PathBuf),
    /// Another pipeline is at work there.
    #[error("{}: another pipeline is at work there; wait for it, or name another folder with `work`", .0.display())]
    Busy(PathBuf),
    /// A file cannot be read or written.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
}

/// A step that has been done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Digest of all that it was made of.
    pub inputs: Digest,
    /// Each file that it left, by its path within the folder.
    pub left: BTreeMap<PathBuf, Digest>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// When it was done.
    pub ended: Timestamp,
}

/// What an entry is worth today.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// It need not be done again.
    Good(Entry),
    /// It was never done here.
    Never,
    /// It was done with other inputs.
    OtherInputs,
    /// A file that it left has gone.
    Gone(PathBuf),
    /// A file that it left is another one today.
    Changed(PathBuf),
}

/// What tells a file that was written since from one that was not; nobody can set the time of its last change back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

/// The journal of one folder.
#[derive(Debug)]
pub struct Journal {
    work: PathBuf,
    digests: BTreeMap<PathBuf, (Stamp, Digest)>,
    /// Held for as long as this lives; `None` in one that is only read.
    lock: Option<File>,
}

impl Journal {
    /// The journal of a folder, to be read; empty where nothing was done yet.
    #[must_use]
    pub fn look(work: &Path) -> Self {
        let kept = fs::read(work.join(FOLDER).join(DIGESTS)).ok();
        let digests = kept.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Self { work: work.to_owned(), digests, lock: None }
    }

    /// The journal of a folder, for one pipeline alone; makes the folder where it is missing.
    ///
    /// # Errors
    /// [`JournalError`] if the folder is somebody else's, or in use.
    pub fn begin(work: &Path) -> Result<Self, JournalError> {
        let folder = work.join(FOLDER);
        let wrong = |path: &Path| {
            let path = path.to_owned();
            move |why| JournalError::File { path, why }
        };
        if !folder.is_dir() {
            fs::create_dir_all(work).map_err(wrong(work))?;
            if fs::read_dir(work).map_err(wrong(work))?.next().is_some() {
                return Err(JournalError::NotOurs(work.to_owned()));
            }
            fs::create_dir(&folder).map_err(wrong(&folder))?;
        }
        let ignore = work.join(IGNORE.0);
        fs::write(&ignore, IGNORE.1).map_err(wrong(&ignore))?;
        let path = folder.join(LOCK);
        let lock = File::options().create(true).append(true).open(&path).map_err(wrong(&path))?;
        match lock.try_lock() {
            Ok(()) => {
                // Of commands that were killed with the kverify that had started them.
                let inside = fs::read_dir(work).map_err(wrong(work))?.flatten();
                for room in inside.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(ROOM.as_bytes())) {
                    fs::remove_dir_all(room.path()).map_err(wrong(&room.path()))?;
                }
                Ok(Self { lock: Some(lock), ..Self::look(work) })
            }
            Err(TryLockError::WouldBlock) => Err(JournalError::Busy(work.to_owned())),
            Err(TryLockError::Error(why)) => Err(JournalError::File { path, why }),
        }
    }

    /// What was noted of a step, whatever it is worth.
    #[must_use]
    pub fn entry(&self, step: &str) -> Option<Entry> {
        serde_json::from_slice(&fs::read(self.path(step)).ok()?).ok()
    }

    /// What is noted of a step is worth this, if `inputs` are what it would be made of today.
    ///
    /// # Errors
    /// [`JournalError`] where a file cannot be read that is there.
    pub fn standing(&mut self, step: &str, inputs: Digest) -> Result<Standing, JournalError> {
        let Some(entry) = self.entry(step) else { return Ok(Standing::Never) };
        if entry.inputs != inputs {
            return Ok(Standing::OtherInputs);
        }
        for (path, digest) in &entry.left {
            match self.digest(&self.work.join(path)) {
                Ok(same) if same == *digest => {}
                Ok(_) => return Ok(Standing::Changed(path.clone())),
                Err(why) if why.kind() == ErrorKind::NotFound => return Ok(Standing::Gone(path.clone())),
                Err(why) => return Err(JournalError::File { path: self.work.join(path), why }),
            }
        }
        Ok(Standing::Good(entry))
    }

    /// Removes what a step left, and what is said of it here, before it is done again.
    ///
    /// # Errors
    /// [`JournalError`] where a file cannot be removed.
    pub fn clear(&mut self, step: &str, made: &[PathBuf]) -> Result<(), JournalError> {
        let before = self.entry(step).map(|entry| entry.left).unwrap_or_default();
        // First the word, then what it vouches for.
        self.forget(step)?;
        let left = before.into_keys().map(|path| self.work.join(path));
        [self.begun(step)].into_iter().chain(left).chain(made.iter().cloned()).try_for_each(remove)
    }

    /// Removes what is said of a step here, and leaves what it made.
    ///
    /// # Errors
    /// [`JournalError`] where that cannot be removed.
    pub fn forget(&mut self, step: &str) -> Result<(), JournalError> {
        remove(self.path(step))
    }

    /// Notes what a step is made of before it begins, so that what it leaves if it does not end well is known to be of the same.
    ///
    /// # Errors
    /// [`JournalError`] where the note cannot be written.
    pub fn begin_step(&mut self, step: &str, made_of: Digest) -> Result<(), JournalError> {
        write(&self.begun(step), &made_of)
    }

    /// Whether what is left of a step, if anything is, was made of the same.
    #[must_use]
    pub fn has_begun(&self, step: &str, made_of: Digest) -> bool {
        let noted = fs::read(self.begun(step)).ok().and_then(|text| serde_json::from_slice::<Digest>(&text).ok());
        noted == Some(made_of)
    }

    /// Notes that a step was done, with every file that it left at the paths of `made` or beneath them.
    ///
    /// # Errors
    /// [`JournalError`] where one cannot be read, or the note cannot be written.
    pub fn note(&mut self, step: &str, inputs: Digest, made: &[PathBuf], seconds: f64) -> Result<(), JournalError> {
        let mut left = BTreeMap::new();
        for made in made {
            for path in files(made).map_err(|why| JournalError::File { path: made.clone(), why })? {
                let digest = self.digest(&path).map_err(|why| JournalError::File { path: path.clone(), why })?;
                left.insert(path.strip_prefix(&self.work).unwrap_or(&path).to_owned(), digest);
            }
        }
        let entry = Entry { inputs, left, seconds, ended: Timestamp::now() };
        write(&self.path(step), &entry)
    }

    /// The digest of a file; of one that nobody has touched since it was asked for last, without reading it again.
    ///
    /// # Errors
    /// What the system says.
    pub fn digest(&mut self, path: &Path) -> io::Result<Digest> {
        let file = File::open(path)?;
        let known = path.canonicalize()?;
        let stamp = stamp(&file)?;
        if let Some((then, digest)) = self.digests.get(&known)
            && *then == stamp
        {
            return Ok(*digest);
        }
        let digest = Digest::of_file(&file)?;
        // Whoever writes meanwhile is noticed the next time.
        self.digests.insert(known, (stamp, digest));
        // Without this file the next run takes longer.
        if self.lock.is_some() {
            self.digests.retain(|path, _| path.exists());
            let _ = write(&self.work.join(FOLDER).join(DIGESTS), &self.digests);
        }
        Ok(digest)
    }

    /// The digest of all files beneath a folder, or of the one file.
    ///
    /// # Errors
    /// What the system says.
    pub fn digest_of_all(&mut self, path: &Path) -> io::Result<Digest> {
        if !path.is_dir() {
            return self.digest(path);
        }
        let mut list = String::new();
        for file in files(path)? {
            let digest = self.digest(&file)?;
            // A string takes whatever is written.
            let _ = writeln!(
                list,
                "{digest} {}",
                file.strip_prefix(path).unwrap_or(&file).display().to_string().escape_debug()
            );
        }
        Ok(Digest::of(list.as_bytes()))
    }

    fn path(&self, step: &str) -> PathBuf {
        self.work.join(FOLDER).join(format!("{step}.json"))
    }

    fn begun(&self, step: &str) -> PathBuf {
        self.work.join(FOLDER).join(format!("{step}.begun.json"))
    }
}

/// Removes a file, or a folder with all that is in it, if it is there.
fn remove(path: PathBuf) -> Result<(), JournalError> {
    let removed = match path.symlink_metadata() {
        Ok(file) if file.is_dir() => fs::remove_dir_all(&path),
        Ok(_) => fs::remove_file(&path),
        Err(why) => Err(why),
    };
    match removed {
        Err(why) if why.kind() != ErrorKind::NotFound => Err(JournalError::File { path, why }),
        _ => Ok(()),
    }
}

/// Writes a file of a journal whole, or not at all.
fn write(path: &Path, value: &impl Serialize) -> Result<(), JournalError> {
    // Only one writes here, and what was left half-written is written over.
    let part = path.with_extension("part");
    let written = || {
        let mut file = File::create(&part)?;
        serde_json::to_writer_pretty(&mut file, value)?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    written().map_err(|why| JournalError::File { path: path.to_owned(), why })
}

fn stamp(file: &File) -> io::Result<Stamp> {
    let about = file.metadata()?;
    Ok(Stamp {
        device: about.dev(),
        inode: about.ino(),
        bytes: about.len(),
        changed: (about.ctime(), about.ctime_nsec()),
    })
}

/// Every file beneath a folder, or the one file, in the order of their names.
fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        path.symlink_metadata()?;
        return Ok(vec![path.to_owned()]);
    }
    let mut inside = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    inside.sort();
    let mut all = Vec::new();
    for path in inside {
        all.extend(files(&path)?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::{Path, PathBuf},
    };

    use super::{Journal, JournalError, Standing};
    use crate::image::Digest;

    /// A folder in which the step `seal` left a file, and a folder with another.
    fn done() -> (tempfile::TempDir, PathBuf, Vec<PathBuf>) {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path().join("work");
        let mut journal = Journal::begin(&work).unwrap();
        let made = vec![work.join("image"), work.join("out")];
        fs::write(&made[0], "image").unwrap();
        fs::create_dir_all(made[1].join("deep")).unwrap();
        fs::write(made[1].join("deep/report"), "report").unwrap();
        journal.note("seal", Digest::of(b"one"), &made, 3.5).unwrap();
        (folder, work, made)
    }

    #[test]
    fn what_was_done_is_good_for_as_long_as_nothing_changes() {
        let (_folder, work, made) = done();
        let standing = |inputs: &[u8]| Journal::look(&work).standing("seal", Digest::of(inputs)).unwrap();
        let Standing::Good(entry) = standing(b"one") else { panic!("{:?}", standing(b"one")) };
        assert_eq!(entry.left.keys().collect::<Vec<_>>(), [Path::new("image"), Path::new("out/deep/report")]);
        assert!((entry.seconds - 3.5).abs() < 0.01);
        assert_eq!(standing(b"two"), Standing::OtherInputs);
        assert_eq!(Journal::look(&work).standing("build", Digest::of(b"one")).unwrap(), Standing::Never);
        // As long, and written at once: only the time of the change tells.
        fs::write(&made[0], "imagf").unwrap();
        assert_eq!(standing(b"one"), Standing::Changed("image".into()));
        fs::write(&made[0], "image").unwrap();
        assert!(matches!(standing(b"one"), Standing::Good(_)), "its content counts");
        fs::remove_dir_all(made[1].join("deep")).unwrap();
        assert_eq!(standing(b"one"), Standing::Gone("out/deep/report".into()));
    }

    #[test]
    fn a_step_that_begins_anew_has_left_nothing() {
        let (_folder, work, made) = done();
        let mut journal = Journal::begin(&work).unwrap();
        fs::write(work.join("of the build"), "").unwrap();
        // Another name than the one that it left its image under.
        journal.clear("seal", &[work.join("other"), made[1].clone()]).unwrap();
        assert_eq!(journal.standing("seal", Digest::of(b"one")).unwrap(), Standing::Never);
        let mut left: Vec<_> = fs::read_dir(&work).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".gitignore", ".kverify-pipeline", "of the build"]);
        journal.clear("seal", &made).unwrap();
    }

    #[test]
    fn what_a_step_left_that_did_not_end_is_of_what_it_began_with() {
        let (_folder, work, made) = done();
        let mut journal = Journal::begin(&work).unwrap();
        let (one, two) = (Digest::of(b"one"), Digest::of(b"two"));
        assert!(!journal.has_begun("seal", one));
        journal.begin_step("seal", one).unwrap();
        journal.forget("seal").unwrap();
        assert!(journal.has_begun("seal", one) && !journal.has_begun("seal", two) && made[0].exists());
        assert_eq!(journal.standing("seal", one).unwrap(), Standing::Never);
        journal.clear("seal", &made).unwrap();
        assert!(!journal.has_begun("seal", one) && !made[0].exists());
    }

    #[test]
    fn a_folder_is_for_one_pipeline_and_never_somebody_else_s() {
        let (folder, work, _) = done();
        let first = Journal::begin(&work).unwrap();
        assert!(matches!(Journal::begin(&work), Err(JournalError::Busy(_))));
        drop(first);
        fs::create_dir(work.join(".kverify-build-1")).unwrap();
        Journal::begin(&work).unwrap();
        assert!(!work.join(".kverify-build-1").exists());
        let theirs = folder.path().join("theirs");
        fs::create_dir_all(theirs.join("journal")).unwrap();
        assert!(matches!(Journal::begin(&theirs), Err(JournalError::NotOurs(_))));
        assert_eq!(fs::read_dir(&theirs).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_s_digest_is_of_all_its_files() {
        let (_folder, work, made) = done();
        let digest = || Journal::look(&work).digest_of_all(&made[1]).unwrap();
        let before = digest();
        fs::write(made[1].join("new"), "").unwrap();
        let more = digest();
        fs::rename(made[1].join("new"), made[1].join("newer")).unwrap();
        assert!(before != more && more != digest());
    }
}
