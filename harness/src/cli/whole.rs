//! Files that a command leaves: whole, or not at all.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use anyhow::Context as _;

/// Writes a file that appears whole, or not at all, in the place of one that is there.
pub(super) fn write_whole(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let everyone = fs::Permissions::from_mode(0o644);
    let file = tempfile::Builder::new().permissions(everyone).tempfile_in(folder);
    let file = file.with_context(|| folder.display().to_string())?;
    fs::write(file.path(), content)
        .and_then(|()| file.as_file().sync_all())
        .with_context(|| path.display().to_string())?;
    file.persist(path).with_context(|| path.display().to_string())?;
    Ok(())
}
