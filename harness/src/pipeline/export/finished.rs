//! An export that is in its folder already: whether it is the one that is asked for, so that it need not be written again.

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::Path,
    sync::Arc,
};

use tokio::task::spawn_blocking;

use super::{ExportError, ExportRequest, RECORD, SUMS, Stop, hash::digest_of, stem, sums};
use crate::{
    gate::{Exported, Target},
    image::Image,
};

/// The largest record, in bytes.
const LARGEST: u64 = 1 << 20;

/// The export that is in the folder, if it is of this very image, has all the formats, compressed as asked, and each of its files
/// is what its record says; `None` where there is no record.
///
/// # Errors
/// [`ExportError`] where there is another export.
pub async fn finished(request: &ExportRequest) -> Result<Option<Exported>, ExportError> {
    let path = request.folder.join(RECORD);
    let other = |why: String| ExportError::File { path: path.clone(), why: format!("{why}; name another --out-dir") };
    let record = match fs::metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Ok(about) if !about.is_file() || about.len() > LARGEST => {
            return Err(other("it is no record of an export".to_owned()));
        }
        Err(error) => return Err(other(error.to_string())),
        Ok(_) => fs::read(&path).map_err(|error| other(error.to_string()))?,
    };
    let exported = Exported::read(&record).map_err(|error| other(error.to_string()))?;
    let stem = stem(&request.image)?;
    if let Some(strange) = exported.files.iter().find(|file| file.file != format!("{stem}.{}", file.format.ending())) {
        return Err(other(format!("it is of {}, and {stem} is exported", strange.file)));
    }
    for target in &request.targets {
        let Some(file) = exported.files.iter().find(|file| file.format == *target) else {
            return Err(other(format!("the export that is there has no {target}")));
        };
        if *target == Target::Qcow2 && !file.proof.found.iter().any(|found| found == request.compression.found()) {
            return Err(other(format!("the {target} that is there is compressed in another way")));
        }
    }
    let stop = Stop::default();
    let (image, cancel) = (Arc::new(Image::open(&request.image)?), Arc::clone(&stop.0));
    let digest = spawn_blocking(move || image.digest(|_| (), &cancel)).await??;
    if digest != exported.digest {
        return Err(other(format!("it is of an image with the digest {}, and this one has {digest}", exported.digest)));
    }
    let (folder, cancel, held) = (request.folder.clone(), Arc::clone(&stop.0), exported.clone());
    let changed = spawn_blocking(move || {
        let whole = |path: &Path, bytes, sha256| {
            let same = File::open(path).is_ok_and(|file| {
                let length = file.metadata().map_or(0, |about| about.len());
                length == bytes && digest_of(&file, 0, bytes, &cancel).is_ok_and(|digest| digest == sha256)
            });
            (!same).then(|| path.to_owned())
        };
        let beside = folder.join(SUMS);
        let same = fs::read(&beside).is_ok_and(|text| text == sums(&held).as_bytes());
        let files = held.files.iter().find_map(|file| whole(&folder.join(&file.file), file.bytes, file.sha256));
        files.or_else(|| (!same).then_some(beside))
    });
    match changed.await? {
        None => Ok(Some(exported)),
        Some(path) => {
            let why = format!("it is not what {RECORD} beside it says; remove the export, or name another --out-dir");
            Err(ExportError::File { path, why })
        }
    }
}
