//! `kverify keygen`.

use std::{
    fs::File,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::said::Said;
use crate::gate::SigningKey;

/// Options of `kverify keygen`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the private key goes; the public one goes beside it, as FILE.pub and FILE.pem. Nothing may be there yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Makes a key pair.
pub(crate) fn said(args: &Args) -> anyhow::Result<Said> {
    let key = SigningKey::generate()?;
    let beside = |ending: &str| {
        let mut name = args.out.clone().into_os_string();
        name.push(ending);
        PathBuf::from(name)
    };
    let public = key.public();
    // The private key last: a half-made pair is then no key at all.
    write(&beside(".pub"), &format!("{}\n", public.line()), 0o644)?;
    write(&beside(".pem"), &public.pem(), 0o644)?;
    write(&args.out, &key.text()?, 0o600)?;
    Ok(Said::well(format!(
        "{}: private key, for you alone\n{}: public key, for [trust] in policies and for ssh-keygen\n\
         {}: the same for openssl and cosign\n{}\n",
        args.out.display(),
        beside(".pub").display(),
        beside(".pem").display(),
        public.fingerprint()
    )))
}

fn write(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let file = File::options().write(true).create_new(true).mode(mode).open(path);
    let written = file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.with_context(|| format!("key {}", path.display()))
}
