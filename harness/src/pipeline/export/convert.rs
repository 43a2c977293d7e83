//! `qemu-img convert`, from an image that is open to a file that has no name.

use std::{io, path::Path, process::Stdio, time::Duration};

use tokio::{process::Command, time::timeout};

use super::{Compression, Target};
use crate::image::{Image, Unnamed};

/// How long it may take; ten GiB that hold one take a minute.
const LIMIT: Duration = Duration::from_hours(4);

/// Why qemu-img did not write a file.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The program could not be started.
    #[error("setpriv with qemu-img cannot be run; Debian's packages util-linux and qemu-utils have them")]
    Run(#[source] io::Error),
    /// It said no.
    #[error("qemu-img ended with {status}: {said}")]
    Failed {
        /// How it ended.
        status: String,
        /// What it said.
        said: String,
    },
    /// It took too long.
    #[error("qemu-img was not done within {} s", LIMIT.as_secs())]
    Late,
}

/// Writes the disk of an image, made as long as the format wants it, to `file`. Dropping the future ends the program.
///
/// # Errors
/// [`ConvertError`] says why it is not written.
pub(super) async fn convert(
    program: &Path,
    image: &Image,
    target: Target,
    compression: Compression,
    file: &Unnamed,
) -> Result<(), ConvertError> {
    let Some((driver, options)) = target.driver(compression) else { return Ok(()) };
    let bytes = target.disk_bytes(image.virtual_size());
    let longer = bytes > image.virtual_size();
    let options: &[&str] = if options.is_empty() { &[] } else { &["-o", options] };
    let out = file.fd_path();
    if longer {
        // The target of a conversion is as long as its source, unless it was there before.
        let mut create = command(program, "create");
        create.args(["-q", "-f", driver]).args(options).arg(&out).arg(bytes.to_string());
        run(create).await?;
    }
    let mut convert = command(program, "convert");
    convert.args(["-f", &image.format().to_string(), "-O", driver]);
    if target == Target::Qcow2 {
        convert.arg("-c");
    }
    if longer {
        convert.args(["-n", "--target-is-zero"]);
    } else {
        convert.args(options);
    }
    convert.arg(image.fd_path()).arg(out);
    run(convert).await
}

fn command(program: &Path, verb: &str) -> Command {
    let mut command = Command::new("setpriv");
    // Without its parent it would go on, into a file that nobody will ever name.
    command.args(["--pdeathsig", "KILL", "--"]).arg(program).arg(verb);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LC_ALL", "C");
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn run(mut command: Command) -> Result<(), ConvertError> {
    let ran = timeout(LIMIT, command.output()).await.map_err(|_| ConvertError::Late)?.map_err(ConvertError::Run)?;
    if ran.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ran.stderr).trim().replace('\n', " | ");
    Err(ConvertError::Failed { status: ran.status.to_string(), said })
}
