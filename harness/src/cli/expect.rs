//! `kverify expect IMAGE`.

use std::{fs, io::Write as _, path::PathBuf};

use anyhow::{Context as _, bail};

use super::{
    account::Account,
    live::{Live, Shown},
    machine_args::MachineArgs,
    verify::interrupted,
};
use crate::run::{Request, observed, verify};

/// Options of `kverify expect`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The image: qcow2 or raw. It is never written.
    image: PathBuf,
    /// The expectation to start from [default: the one that the guest's os-release names].
    #[arg(long, value_name = "NAME|FILE")]
    expect: Option<String>,
    /// Where the file goes; nothing may be there yet [default: standard output].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    account: Account,
    #[command(flatten)]
    machine: MachineArgs,
}

/// Boots the image and writes what it is as an expectation.
pub(crate) async fn run(args: &Args, shown: Shown) -> anyhow::Result<u8> {
    if let Some(path) = args.out.as_ref().filter(|path| path.symlink_metadata().is_ok()) {
        bail!("{}: there is something already; remove it or choose another name", path.display());
    }
    let request = Request {
        credential: args.account.credential()?,
        expect: args.expect.clone(),
        ..Request::new(args.image.clone(), args.machine.spec(), args.machine.scratch())
    };
    let live = Live::new(shown);
    let progress = |step| live.show(&step);
    let run = tokio::select! {
        run = verify(&request, &progress) => run?,
        name = interrupted() => bail!("interrupted by {}", name?),
    };
    drop(live);
    let text = observed(&run);
    let Some(path) = &args.out else {
        super::print(&text);
        return Ok(0);
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| ".".as_ref());
    let named = || path.display().to_string();
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(named)?;
    file.write_all(text.as_bytes()).with_context(named)?;
    file.persist_noclobber(path).with_context(named)?;
    fs::File::open(folder).and_then(|folder| folder.sync_all()).with_context(named)?;
    Ok(0)
}
