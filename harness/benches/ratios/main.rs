//! What the gate costs beside what it replaces, as ratios of one run on one machine; `ci/bench` starts it.
//!
//! Rounds of whole programs come first, each beside the others; then one machine is asked by several, captured and
//! forked. The page that it writes names the machine and the aims.

#![expect(clippy::print_stderr, reason = "a bench tells what it does")]

mod child;
mod guest;
mod page;
mod rounds;
mod series;
mod way_in;

use std::path::PathBuf;

use clap::Parser;

use page::Page;

/// Measures kverify beside what it replaces.
#[derive(Parser)]
pub(crate) struct Args {
    /// The golden image.
    #[arg(long)]
    image: PathBuf,
    /// The release build of kverify.
    #[arg(long)]
    kverify: PathBuf,
    /// A Python that has pytest-testinfra and paramiko.
    #[arg(long)]
    python: PathBuf,
    /// The folder of the scripts that kverify is compared with, and of the list of checks.
    #[arg(long)]
    scripts: PathBuf,
    /// The page to be written.
    #[arg(long)]
    out: PathBuf,
    /// How often the whole programs are run.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> std::io::Result<()> {
    let args = Args::parse();
    let work = tempfile::Builder::new().prefix("kverify-bench-").tempdir_in("/var/tmp")?;
    let checks: Vec<String> =
        std::fs::read_to_string(args.scripts.join("checks.txt"))?.lines().map(str::to_owned).collect();
    let rounds = rounds::measure(&args, &checks, work.path())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let guest = runtime.block_on(guest::measure(&args, &checks, work.path()))?;
    std::fs::write(&args.out, Page { args: &args, rounds: &rounds, guest: &guest }.to_string())
}
