//! Many layers of a disk made one file that stands alone, without what reads as zeros.

use std::{io, os::unix::fs::MetadataExt, path::Path, process::Stdio, time::Duration};

use tokio::{process::Command, time::timeout};

use super::{Unnamed, UnnamedError};

/// How long it may take; a disk of some hundred MiB takes seconds.
const LIMIT: Duration = Duration::from_hours(1);
/// The clusters of the new file. What a pool holds is scattered in blocks of 4 KiB and up: larger clusters would be
/// filled up with zeros, smaller ones make long tables.
const CLUSTER: &str = "8k";
/// What reads as zeros in pieces of this size is left out.
const SPARSE: &str = "4k";

/// Why there is no such file.
#[derive(Debug, thiserror::Error)]
pub enum FlattenError {
    /// There is no room for it.
    #[error(transparent)]
    File(#[from] UnnamedError),
    /// The program could not be started.
    #[error("setpriv with qemu-img cannot be run; Debian's packages util-linux and qemu-utils have them")]
    Run(#[source] io::Error),
    /// It said no.
    #[error("the disk was not flattened: qemu-img ended with {status}: {said}")]
    Failed {
        /// How it ended.
        status: String,
        /// What it said.
        said: String,
    },
    /// It took too long.
    #[error("the disk was not flattened within {} s", LIMIT.as_secs())]
    Late,
}

/// A qcow2 file without a name in `folder`, with the content of a disk that is given as qemu-img takes it (without the
/// `json:` in front), if `needed` bytes are free there; `what` is its name in words.
///
/// # Errors
/// [`FlattenError`] where there is no room, or qemu-img does not do it.
pub(crate) async fn flatten(
    disk: &str,
    what: &'static str,
    folder: &Path,
    needed: u64,
) -> Result<Unnamed, FlattenError> {
    let file = Unnamed::create(folder, what, needed)?;
    let mut command = Command::new("setpriv");
    // Without its parent it would go on, into a file that nobody will ever name.
    command.args(["--pdeathsig", "KILL", "--", "qemu-img", "convert", "-O", "qcow2", "-S", SPARSE]);
    command.args(["-o", &format!("cluster_size={CLUSTER}")]).arg(format!("json:{disk}")).arg(file.fd_path());
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LC_ALL", "C");
    command.stdin(Stdio::null()).kill_on_drop(true);
    let ran = timeout(LIMIT, command.output()).await.map_err(|_| FlattenError::Late)?.map_err(FlattenError::Run)?;
    if !ran.status.success() {
        let said = String::from_utf8_lossy(&ran.stderr).trim().replace('\n', " | ");
        return Err(FlattenError::Failed { status: ran.status.to_string(), said });
    }
    Ok(file)
}

/// What a file takes of its file system, in bytes.
pub(crate) fn allocated(file: &std::fs::File) -> io::Result<u64> {
    Ok(file.metadata()?.blocks() * 512)
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::{allocated, flatten};

    #[tokio::test]
    async fn the_new_file_stands_alone_and_holds_no_zeros() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk.raw");
        let mut content = vec![0_u8; 8 << 20];
        content[1 << 20..(1 << 20) + 4096].fill(7);
        fs::write(&path, &content).unwrap();
        let disk = format!(r#"{{"driver":"raw","file":{{"driver":"file","filename":"{}"}}}}"#, path.display());
        let file = flatten(&disk, "a disk", folder.path(), 0).await.unwrap();
        let bytes = allocated(file.file()).unwrap();
        assert!(bytes < 256 << 10, "{bytes}");
        let back = folder.path().join("back.raw");
        let mut convert = Command::new("qemu-img");
        convert.args(["convert", "-f", "qcow2", "-O", "raw"]).arg(file.fd_path()).arg(&back);
        assert!(convert.status().unwrap().success());
        assert!(fs::read(back).unwrap() == content);
        let error = flatten("{}", "a disk", folder.path(), 0).await.unwrap_err().to_string();
        assert!(error.starts_with("the disk was not flattened: qemu-img ended with exit status: 1: "), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "it has a name");
    }
}
