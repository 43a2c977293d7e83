//! Where faults come from: those built into the binary, or a folder of the caller's; and which of them are tried.

use std::{
    fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use kverify_checks::fault::{Fault, FaultError};
use regex::Regex;

use crate::glob::glob;

/// `(name, text)` of every file in `fixtures/faults`, listed by the build script.
const FAULTS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/faults.rs"));

/// Why there are no faults.
#[derive(Debug, thiserror::Error)]
pub enum FaultsError {
    /// A folder or a file cannot be read.
    #[error("{}: cannot be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is no fault.
    #[error("fault {id}: {why}")]
    Wrong {
        /// Its name.
        id: String,
        /// What is wrong with it.
        why: FaultError,
    },
    /// There is none.
    #[error("{}: no fault in it; a fault is a file NAME.toml", .0.display())]
    Empty(PathBuf),
    /// A pattern names nothing.
    #[error("`{0}` names neither a fault nor a check that one has to make fail; `kverify prove --list` lists them")]
    Unknown(String),
    /// The shard has none.
    #[error("shard {0} has no fault: there are fewer of them")]
    NoneInShard(Shard),
}

/// One part of several: `K/N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    part: usize,
    of: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((part, of)) if 0 < part && part <= of => Ok(Self { part, of }),
            _ => Err(format!("`{text}` is no shard; the first of three is 1/3")),
        }
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.part, self.of)
    }
}

/// The faults built into the binary, or those of a folder, by name.
///
/// # Errors
/// [`FaultsError`] names the file that cannot be taken.
pub fn faults(folder: Option<&Path>) -> Result<Vec<Fault>, FaultsError> {
    let texts = match folder {
        None => FAULTS.iter().map(|(id, text)| ((*id).to_owned(), (*text).to_owned())).collect(),
        Some(folder) => read(folder)?,
    };
    let fault = |(id, text): (String, String)| Fault::read(&id, &text).map_err(|why| FaultsError::Wrong { id, why });
    texts.into_iter().map(fault).collect()
}

fn read(folder: &Path) -> Result<Vec<(String, String)>, FaultsError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| FaultsError::Unreadable { path, source }
    };
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let id = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            texts.push((id, fs::read_to_string(&path).map_err(unreadable(&path))?));
        }
    }
    if texts.is_empty() {
        return Err(FaultsError::Empty(folder.to_owned()));
    }
    texts.sort();
    Ok(texts)
}

/// Those that are tried: of `only`, patterns of names of faults or of checks, or of those that `fit` where there is none,
/// the shard's; and those of `also`.
///
/// # Errors
/// [`FaultsError`] where a pattern names nothing, or the shard has none.
pub fn chosen(
    faults: &[Fault],
    fit: impl Fn(&Fault) -> bool,
    only: &[String],
    shard: Option<Shard>,
    also: &[String],
) -> Result<Vec<Fault>, FaultsError> {
    let patterns =
        |patterns: &[String]| patterns.iter().map(|text| pattern(text, faults)).collect::<Result<Vec<_>, _>>();
    let (only, also) = (patterns(only)?, patterns(also)?);
    let mut left = 0;
    let mut in_shard = 0;
    let mut keep = |fault: &Fault| {
        let asked = if only.is_empty() { fit(fault) } else { only.iter().any(|pattern| named(pattern, fault)) };
        let mine = asked && shard.is_none_or(|shard| left % shard.of == shard.part - 1);
        left += usize::from(asked);
        in_shard += usize::from(mine);
        mine || also.iter().any(|pattern| named(pattern, fault))
    };
    let chosen: Vec<_> = faults.iter().filter(|fault| keep(fault)).cloned().collect();
    match shard {
        Some(shard) if in_shard == 0 => Err(FaultsError::NoneInShard(shard)),
        _ => Ok(chosen),
    }
}

fn named(pattern: &Regex, fault: &Fault) -> bool {
    pattern.is_match(&fault.id) || fault.noticed().any(|id| pattern.is_match(id))
}

fn pattern(text: &str, faults: &[Fault]) -> Result<Regex, FaultsError> {
    let unknown = || FaultsError::Unknown(text.to_owned());
    let regex = glob(text).map_err(|_| unknown())?;
    faults.iter().any(|fault| named(&regex, fault)).then_some(regex).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use kverify_checks::fault::Fault;

    use super::{chosen, faults};

    fn some() -> Vec<Fault> {
        let fault = |(id, fails): (&str, &str)| {
            let text = format!(
                "about = 'a'\nfails = ['{fails}']\nproof = 'c'\n[[step]]\nrun = {{ about = 'a', script = 'b' }}\n"
            );
            Fault::read(id, &text).unwrap()
        };
        let all = [
            ("a", "zfs.pool-named"),
            ("b", "zfs.pool-named"),
            ("c", "boot.uefi"),
            ("d", "zfs.root-mounted"),
            ("unfit", "boot.uefi"),
        ];
        all.map(fault).to_vec()
    }

    fn names(only: &[&str], shard: Option<&str>, also: &[&str]) -> Result<Vec<String>, String> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let shard = shard.map(|shard| shard.parse().unwrap());
        let fit = |fault: &Fault| fault.id != "unfit";
        let chosen = chosen(&some(), fit, &owned(only), shard, &owned(also)).map_err(|error| error.to_string())?;
        Ok(chosen.into_iter().map(|fault| fault.id).collect())
    }

    #[test]
    fn they_are_chosen_by_their_names_and_by_their_checks() {
        assert_eq!(names(&[], None, &[]).unwrap(), ["a", "b", "c", "d"]);
        assert_eq!(names(&["zfs.pool-*", "d"], None, &[]).unwrap(), ["a", "b", "d"]);
        assert_eq!(names(&[], Some("2/3"), &[]).unwrap(), ["b"]);
        assert_eq!(names(&[], Some("1/3"), &["boot.*"]).unwrap(), ["a", "c", "d", "unfit"]);
        assert_eq!(names(&["boot.*"], None, &[]).unwrap(), ["c", "unfit"]);
        assert_eq!(names(&["zfs.*"], Some("1/2"), &[]).unwrap(), ["a", "d"]);
        assert!(names(&["zsf.*"], None, &[]).unwrap_err().starts_with("`zsf.*` names neither"));
        assert!(names(&["c"], Some("2/2"), &[]).unwrap_err().starts_with("shard 2/2 has no fault"));
    }

    #[test]
    fn a_shard_is_written_as_one_of_several() {
        for wrong in ["0/3", "4/3", "1", "a/b", "1/0"] {
            assert!(wrong.parse::<super::Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn those_that_are_built_in_can_be_read() {
        for fault in faults(None).unwrap() {
            assert!(!fault.about.is_empty(), "{}", fault.id);
        }
    }

    #[test]
    fn a_folder_of_ones_own_takes_their_place() {
        let folder = tempfile::tempdir().unwrap();
        let error = |folder: &tempfile::TempDir| faults(Some(folder.path())).unwrap_err().to_string();
        assert!(error(&folder).ends_with("no fault in it; a fault is a file NAME.toml"));
        fs::write(folder.path().join("mine.toml"), "about = 'a'\nfails = []\n").unwrap();
        assert_eq!(error(&folder), "fault mine: it names no check that has to fail");
    }
}
