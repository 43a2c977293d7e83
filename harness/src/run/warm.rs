//! Captured machines that are kept for later runs on the same image: a run then costs a fork instead of a boot.
//!
//! An entry is found by all that could make its machine another one. It is a folder that appears by a rename, is used
//! under a shared lock, and goes, oldest first, when all of them take more than they may.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::SystemTime,
};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    GuestName,
    way_in::{SeedText, WayIn},
};
use crate::{
    image::{Digest, Image, hex},
    machine::{AccelChoice, Firmware, Snapshot, Spec},
    report::MachineRecord,
    session::nonce,
};

/// How much all entries may take, in bytes, where the caller says nothing.
pub const LIMIT: u64 = 8 << 30;
/// What a run that died left half-written is swept after this many seconds.
const STALE: u64 = 3600;

/// The captured machines of this user.
#[derive(Clone, Debug)]
pub struct Warm {
    folder: PathBuf,
}

/// A captured machine, in use as long as this lives.
pub(super) struct Entry {
    pub(super) snapshot: Snapshot,
    pub(super) kept: Kept,
    pub(super) console: Vec<u8>,
    _lock: File,
}

/// What a run knows of the machine besides what the machine is.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    /// The seed, where that was the way in; nobody's own account is kept.
    pub(super) seed: Option<SeedText>,
    pub(super) name: GuestName,
    /// The boot record, as the checks read it.
    pub(super) boot: String,
    pub(super) record: MachineRecord,
}

/// What became of a sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Entries that went.
    pub gone: usize,
    /// Entries that stay.
    pub left: usize,
    /// Bytes that those take.
    pub bytes: u64,
}

impl Warm {
    /// The captured machines under the user's cache folder.
    ///
    /// # Errors
    /// Neither `XDG_CACHE_HOME` nor `HOME` is set.
    pub fn of_user() -> io::Result<Self> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
        let cache = cache.ok_or_else(|| io::Error::other("neither XDG_CACHE_HOME nor HOME is set"))?;
        Ok(Self { folder: cache.join("kverify/warm") })
    }

    /// The key of a machine: the image, the hardware, the way in, and all that runs it.
    pub(super) fn key(digest: &str, spec: &Spec, way_in: &WayIn) -> io::Result<String> {
        let account = if way_in.seeded() { "seed" } else { way_in.credential.user() };
        let qemu = Command::new("qemu-system-x86_64").arg("--version").output()?;
        let cpu = match spec.accel {
            AccelChoice::Tcg => None,
            AccelChoice::Auto | AccelChoice::Kvm => fs::read_to_string("/proc/cpuinfo")?
                .lines()
                .find(|line| line.starts_with("model name"))
                .map(str::to_owned),
        };
        // Where the firmware is counts less than what it is.
        let firmware = Firmware::find(spec.firmware, spec.firmware_vars.is_some()).map_err(io::Error::other)?;
        let vars = spec.firmware_vars.as_ref().unwrap_or(&firmware.vars);
        let digest_of = |file: &Path| Digest::of_path(file).map(|digest| digest.to_string());
        let firmware = (digest_of(&firmware.code)?, digest_of(vars)?);
        let qemu = String::from_utf8_lossy(&qemu.stdout);
        let parts = (env!("CARGO_PKG_VERSION"), digest, spec, firmware, account, qemu, cpu);
        let hash = Sha256::digest(serde_json::to_vec(&parts)?);
        Ok(hex(&hash[..16]))
    }

    /// The entry of this key, or why what was there cannot be used: that is then gone.
    pub(super) fn find(&self, key: &str, image: &Arc<Image>, scratch: &Path) -> Result<Option<Entry>, String> {
        let folder = self.folder.join(key);
        let Ok(lock) = File::open(folder.join("lock")) else { return Ok(None) };
        let found = flock(&lock, FlockOperation::LockShared)
            .map_err(|error| error.to_string())
            .and_then(|()| read(&folder, image, scratch));
        match found {
            Ok((snapshot, kept, console)) => {
                let used = File::options().write(true).open(folder.join("used"));
                // Whether it is remembered as used only decides which one goes first.
                let _ = used.and_then(|file| file.set_modified(SystemTime::now()));
                Ok(Some(Entry { snapshot, kept, console, _lock: lock }))
            }
            Err(why) => {
                drop(lock);
                self.remove(&folder).map_err(|error| format!("{why}; and it cannot be removed: {error}"))?;
                Err(why)
            }
        }
    }

    /// Removes the entry of this key, where nobody uses it.
    pub(super) fn drop(&self, key: &str) -> io::Result<()> {
        self.remove(&self.folder.join(key)).map(drop)
    }

    /// Keeps a machine under this key; another run's that came first stays.
    pub(super) fn keep(&self, key: &str, snapshot: &Snapshot, kept: &Kept, console: &[u8]) -> Result<(), String> {
        let error = |error: io::Error| format!("{}: {error}", self.folder.display());
        let nonce = nonce().map_err(error)?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(error)?;
        let partial = self.folder.join(format!("partial-{nonce:032x}"));
        fs::DirBuilder::new().mode(0o700).create(&partial).map_err(error)?;
        let written = write(&partial, snapshot, kept, console);
        let named = written.and_then(|()| match fs::rename(&partial, self.folder.join(key)) {
            Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => Err(error.to_string()),
            _ => Ok(()),
        });
        // Gone already, where the rename has happened.
        let _ = fs::remove_dir_all(&partial);
        named?;
        self.sweep(LIMIT).map(drop).map_err(error)
    }

    /// Removes the entries that were not used for longest, until the rest takes no more than `limit` bytes; those in use
    /// stay.
    ///
    /// # Errors
    /// What the system says of the folder.
    pub fn sweep(&self, limit: u64) -> io::Result<Swept> {
        let mut entries = Vec::new();
        let mut swept = Swept::default();
        let listed = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(swept),
            listed => listed?,
        };
        for entry in listed {
            let path = entry?.path();
            let partial = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("partial-"));
            let mark = if partial { path.clone() } else { path.join("used") };
            let used = fs::metadata(mark).and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
            let age = used.elapsed().unwrap_or_default().as_secs();
            if !partial {
                entries.push((used, allocated(&path)?, path));
            } else if age > STALE {
                fs::remove_dir_all(&path)?;
            }
        }
        entries.sort();
        let mut bytes: u64 = entries.iter().map(|entry| entry.1).sum();
        for (_, size, path) in entries {
            if bytes > limit && self.remove(&path)? {
                bytes -= size;
                swept.gone += 1;
            } else {
                swept.left += 1;
            }
        }
        swept.bytes = bytes;
        Ok(swept)
    }

    /// Removes an entry that nobody uses, and says whether it did.
    fn remove(&self, entry: &Path) -> io::Result<bool> {
        if let Ok(lock) = File::open(entry.join("lock"))
            && flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err()
        {
            return Ok(false);
        }
        // Out of sight first: nobody finds it half-removed.
        let gone = self.folder.join(format!("partial-{:032x}", nonce()?));
        fs::rename(entry, &gone)?;
        fs::remove_dir_all(gone)?;
        Ok(true)
    }
}

fn allocated(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for file in fs::read_dir(folder)? {
        bytes += file?.metadata()?.blocks() * 512;
    }
    Ok(bytes)
}

fn write(folder: &Path, snapshot: &Snapshot, kept: &Kept, console: &[u8]) -> Result<(), String> {
    snapshot.store(folder).map_err(|error| error.to_string())?;
    let text = serde_json::to_vec(kept).map_err(|error| error.to_string())?;
    let files: [(&str, &[u8]); 4] = [("run.json", &text), ("console", console), ("used", b""), ("lock", b"")];
    for (name, content) in files {
        let made = File::options().write(true).create_new(true).mode(0o600).open(folder.join(name));
        made.and_then(|mut file| file.write_all(content)).map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

fn read(folder: &Path, image: &Arc<Image>, scratch: &Path) -> Result<(Snapshot, Kept, Vec<u8>), String> {
    let mut text = String::new();
    let path = folder.join("run.json");
    let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    File::open(&path).and_then(|mut file| file.read_to_string(&mut text)).map_err(|error| wrong(&error))?;
    let kept = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
    let console = fs::read(folder.join("console")).map_err(|error| wrong(&error))?;
    let snapshot = Snapshot::load(folder, Arc::clone(image), scratch.to_owned()).map_err(|error| error.to_string())?;
    Ok((snapshot, kept, console))
}
