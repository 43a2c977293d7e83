//! Where expectations come from: the sheets built into the binary, a user's file on top of them, and which of them a
//! guest's os-release names.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use kverify_checks::Book;

/// `(name, text)` of every file in `matrices/distros`, listed by the build script.
const SHEETS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sheets.rs"));

/// Most bytes of a user's sheet.
const LARGEST: u64 = 1 << 20;

/// Why a user's sheet could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum SheetError {
    /// It is not there, or may not be read.
    #[error("{}: cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Its name does not end in `.toml`.
    #[error("{}: an expectation file is TOML, and its name ends in .toml", .0.display())]
    NotToml(PathBuf),
    /// Longer than any expectation can be.
    #[error("{}: longer than an expectation can be (1 MiB)", .0.display())]
    TooLong(PathBuf),
}

/// The sheets built into the binary.
#[must_use]
pub fn built_in() -> Book {
    Book::new(SHEETS.iter().copied())
}

/// Whether `--expect` names a file rather than a built-in sheet: it has a folder or an ending in it.
#[must_use]
pub fn is_file(expect: &str) -> bool {
    expect.contains('/') || Path::new(expect).extension().is_some_and(|ending| ending == "toml")
}

/// Adds the sheet at `path` to `book` and returns the name it has there: the path without `.toml`, so that failures
/// name the file as the user wrote it. Its `extends` may name any sheet of the book, one of its own name included.
///
/// # Errors
/// [`SheetError`] if it cannot be read as text; what stands in it is judged when it is resolved.
pub fn add_file(book: &mut Book, path: &Path) -> Result<String, SheetError> {
    if path.extension().is_none_or(|ending| ending != "toml") {
        return Err(SheetError::NotToml(path.to_owned()));
    }
    let unreadable = |source| SheetError::Unreadable { path: path.to_owned(), source };
    if fs::metadata(path).map_err(unreadable)?.len() > LARGEST {
        return Err(SheetError::TooLong(path.to_owned()));
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let mut name = path.with_extension("").display().to_string();
    if book.has(&name) {
        name = format!("./{name}");
    }
    book.add(name.clone(), text);
    Ok(name)
}

/// The sheet of `book` for a guest whose os-release says `ID` and `VERSION_ID` and whose metadata says `profile`; `None`
/// where there is none.
///
/// Tried are, the first that exists wins: `ID-VERSION-profile`, `ID-VERSION`, both again with the last part of the
/// version left out (`9.5`, then `9`), then `ID`.
#[must_use]
pub fn choose_by_os_release(book: &Book, id: &str, version_id: Option<&str>, profile: Option<&str>) -> Option<String> {
    let versions = std::iter::successors(version_id, |version| version.rsplit_once('.').map(|(front, _)| front));
    let versioned = versions.flat_map(|version| {
        let plain = format!("{id}-{version}");
        profile.map(|profile| format!("{plain}-{profile}")).into_iter().chain([plain])
    });
    versioned.chain([id.to_owned()]).find(|name| book.has(name))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use kverify_checks::Book;

    use super::{SHEETS, SheetError, add_file, built_in, choose_by_os_release, is_file};

    #[test]
    fn every_built_in_sheet_resolves() {
        let book = built_in();
        assert_eq!(book.names().count(), SHEETS.len());
        assert!(book.has("golden") && book.has("debian-13-server"));
        for name in book.names() {
            book.resolve(name).unwrap_or_else(|error| panic!("{error}"));
        }
    }

    #[test]
    fn the_most_exact_sheet_wins() {
        let book = Book::new(["debian", "debian-13", "debian-13-server", "rocky-9", "ubuntu-24.04"].map(|n| (n, "")));
        let choose = |id, version, profile| choose_by_os_release(&book, id, version, profile);
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(choose("debian", Some("13"), Some("server")), some("debian-13-server"));
        assert_eq!(choose("debian", Some("13"), Some("desktop")), some("debian-13"));
        assert_eq!(choose("debian", Some("13"), None), some("debian-13"));
        assert_eq!(choose("debian", Some("12"), Some("server")), some("debian"));
        assert_eq!(choose("debian", None, Some("server")), some("debian"), "testing has no version");
        assert_eq!(choose("rocky", Some("9.5"), None), some("rocky-9"));
        assert_eq!(choose("ubuntu", Some("24.04"), Some("server")), some("ubuntu-24.04"));
        assert_eq!(choose("plan9", Some("4"), None), None);
    }

    #[test]
    fn a_file_extends_a_built_in_sheet_even_of_its_own_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("debian-13.toml");
        fs::write(&path, "extends = \"debian-13\"\n\n[zfs]\npool = \"tank\"\n").unwrap();
        let mut book = built_in();
        let name = add_file(&mut book, &path).unwrap();
        let resolved = book.resolve(&name).unwrap();
        assert_eq!(resolved.expectation.zfs.pool.as_deref(), Some("tank"));
        assert_eq!(resolved.origin("zfs.pool").unwrap().to_string(), format!("{}:4", path.display()));
        assert_eq!(resolved.expectation.boot.ready, Some(true), "from golden, by way of the built-in debian-13");
    }

    #[test]
    fn what_is_no_sheet_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut book = built_in();
        let missing = folder.path().join("none.toml");
        let error = format!("{:#}", anyhow::Error::from(add_file(&mut book, &missing).unwrap_err()));
        assert_eq!(error, format!("{}: cannot be read: No such file or directory (os error 2)", missing.display()));
        assert!(matches!(add_file(&mut book, folder.path()), Err(SheetError::NotToml(_))));
        let long = folder.path().join("long.toml");
        fs::write(&long, " ".repeat((1 << 20) + 1)).unwrap();
        assert!(matches!(add_file(&mut book, &long), Err(SheetError::TooLong(_))));
        assert!(is_file("mine.toml") && is_file("./mine") && !is_file("debian-13") && !is_file("ubuntu-24.04"));
    }
}
