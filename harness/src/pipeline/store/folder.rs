//! A store in a folder of this machine: what only a file system needs.
//!
//! What is being written there has a name of its own, with `#` and a number behind the final one. A process that is killed
//! leaves such a file; it is never taken for an object, and goes when the next image is put.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use object_store::{ObjectStore, local::LocalFileSystem};

use super::Key;

/// A file that is being written was touched more recently than this.
const STALE: Duration = Duration::from_hours(1);

/// The folder, which is there.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes the folder if it is not there, so that it outlives a power cut.
    pub(super) fn make(path: &Path) -> Result<Self, String> {
        let made = std::path::absolute(path).and_then(|path| {
            let missing: Vec<_> = path.ancestors().take_while(|folder| !folder.exists()).collect();
            fs::create_dir_all(&path)?;
            for folder in missing {
                File::open(folder.parent().unwrap_or(folder))?.sync_all()?;
            }
            Ok(path)
        });
        made.map(Self).map_err(|error| format!("no folder can be made there; choose another place: {error}"))
    }

    pub(super) fn objects(&self) -> Result<Arc<dyn ObjectStore>, object_store::Error> {
        Ok(Arc::new(LocalFileSystem::new_with_prefix(&self.0)?.with_fsync(true)))
    }

    /// Makes it last that an object went.
    pub(super) fn sync_parent(&self, key: &Key) -> io::Result<()> {
        let path = self.0.join(key.as_str());
        File::open(path.parent().unwrap_or(&self.0))?.sync_all()
    }

    /// Removes what killed processes left of images.
    pub(super) fn sweep(&self) -> io::Result<()> {
        let images = match fs::read_dir(self.0.join("images")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            images => images?,
        };
        for folder in images {
            for file in fs::read_dir(folder?.path())? {
                let file = file?;
                if !file.file_name().to_string_lossy().contains('#') {
                    continue;
                }
                let age = SystemTime::now().duration_since(file.metadata()?.modified()?);
                if age.is_ok_and(|age| age > STALE) {
                    fs::remove_file(file.path())?;
                }
            }
        }
        Ok(())
    }
}
