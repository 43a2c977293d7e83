//! `kverify bundle REPORT`: a report, with the machine that was kept, in one file for somebody else.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use flate2::{Compression, write::GzEncoder};

use super::{
    said::Said,
    shell::{MACHINE, read},
};
use crate::{pipeline::folder_of, shell::quoted};

/// Options of `kverify bundle`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of a report.
    report: PathBuf,
    /// The file; nothing may be there yet.
    #[arg(long, value_name = "FILE.tar.gz")]
    out: PathBuf,
    /// The most that is packed, in MiB, before it is compressed; a kept machine takes about what its guest uses of memory.
    #[arg(long, value_name = "MIB", default_value_t = 4096)]
    limit: u64,
}

/// Packs the folder.
pub(crate) fn said(args: &Args) -> anyhow::Result<Said> {
    let report = read(&args.report)?;
    if args.out.symlink_metadata().is_ok() {
        bail!("{}: there is something already; name another file with --out", args.out.display());
    }
    let taken = taken(&args.report).with_context(|| args.report.display().to_string())? >> 20;
    if taken > args.limit {
        bail!(
            "{}: {taken} MiB, and --limit is {}; its folder `{MACHINE}` is most of it",
            args.report.display(),
            args.limit
        );
    }
    let of = args.report.canonicalize().with_context(|| args.report.display().to_string())?;
    let name = of.file_name().with_context(|| format!("{}: no folder with a name", args.report.display()))?;
    let folder = folder_of(&args.out);
    let failed = || args.out.display().to_string();
    if folder.canonicalize().with_context(failed)?.starts_with(&of) {
        bail!("{}: it would be in the folder that is packed; name another place with --out", args.out.display());
    }
    let unfinished = tempfile::Builder::new().prefix(".kverify-bundle-").tempfile_in(folder).with_context(failed)?;
    pack(&args.report, Path::new(name), unfinished.as_file()).with_context(failed)?;
    unfinished.persist_noclobber(&args.out).map_err(|error| error.error).with_context(failed)?;
    let bytes = fs::metadata(&args.out).with_context(failed)?.len();
    let (out, folder) = (args.out.display().to_string(), quoted(&name.to_string_lossy()));
    let enter = if args.report.join(MACHINE).is_dir() {
        format!(
            "  enter    kverify shell {folder} --image FILE, which is {}\n  holds    the memory of the machine, and so its \
             keys and passwords; hand it to nobody who may not have them, and enter none of somebody you do not trust\n",
            report.subject.digest
        )
    } else {
        String::new()
    };
    Ok(Said::well(format!("{out}: {} MiB\n  open     tar xzf {}\n{enter}", bytes.div_ceil(1 << 20), quoted(&out))))
}

/// What a folder takes of the disk, in bytes.
fn taken(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { taken(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(bytes)
}

fn pack(folder: &Path, name: &Path, file: &File) -> io::Result<()> {
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::fast()));
    // A link out of the folder is packed as what it is.
    archive.follow_symlinks(false);
    archive.sparse(true);
    archive.append_dir_all(name, folder)?;
    archive.into_inner()?.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Args, said};
    use crate::report::{json, sample_refuted};

    #[test]
    fn a_folder_becomes_one_file_or_none() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::create_dir_all(at("out/machine")).unwrap();
        fs::write(at("out/machine/memory"), vec![1; 3 << 20]).unwrap();
        let args = |limit| Args { report: at("out"), out: at("a.tar.gz"), limit };
        assert!(said(&args(9)).unwrap_err().to_string().contains("report.json"));
        fs::write(at("out/report.json"), json::report(&sample_refuted())).unwrap();
        let error = said(&args(2)).unwrap_err().to_string();
        assert!(error.contains("and --limit is 2") && !at("a.tar.gz").exists(), "{error}");
        let inside = Args { out: at("out/a.tar.gz"), ..args(9) };
        let error = said(&inside).unwrap_err().to_string();
        assert!(error.contains("in the folder that is packed"), "{error}");
        let text = said(&args(9)).unwrap().text;
        assert!(text.contains("kverify shell out --image FILE, which is sha256:"), "{text}");
        assert!(said(&args(9)).unwrap_err().to_string().contains("there is something already"));
        let listed = std::process::Command::new("tar").arg("tzf").arg(at("a.tar.gz")).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(listed.contains("out/machine/memory\n") && listed.contains("out/report.json\n"), "{listed}");
        let names: Vec<_> = fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }
}
