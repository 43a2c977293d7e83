//! The tiny guests, made by `fixtures/tiny/make` when the first test asks.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let make = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/tiny/make");
    let run = Command::new(&make).arg("--path").output().unwrap();
    assert!(run.status.success(), "{}: {}", make.display(), String::from_utf8_lossy(&run.stderr));
    PathBuf::from(String::from_utf8(run.stdout).unwrap().trim_end())
});

/// The image of the guest that does this; see `fixtures/tiny/init`. Never write to it.
pub(crate) fn image(does: &str) -> PathBuf {
    FOLDER.join(does).with_extension("raw")
}

/// The private key that the accounts `root` and `plain` of the ssh guest accept; their password is `tiny`.
pub(crate) fn key() -> PathBuf {
    FOLDER.join("id_ecdsa")
}
