//! The command line: what can be said to kverify, and how its answers are shown.

mod account;
mod attest;
mod build;
mod bundle;
mod channel;
mod checks;
mod diff;
mod doctor;
mod expect;
mod explain;
mod export;
mod format;
mod gc;
mod given;
mod keygen;
mod lead;
mod live;
mod machine_args;
mod manifest;
mod matrix;
mod merge;
mod pcap;
mod pipeline;
mod promote;
mod prove;
mod record;
mod replay;
mod rotate;
mod said;
mod scenarios;
mod schema;
mod seal;
mod shell;
mod store;
mod trust;
mod verify;
mod whole;

use std::{
    ffi::OsString,
    io::{self, Write},
    pin::Pin,
};

use clap::{Parser, Subcommand, ValueEnum};

use crate::book;

/// Decides whether a golden image may be promoted: boots a throw-away copy, looks at what it really is, and says so.
#[derive(Debug, Parser)]
#[command(name = "kverify", version, arg_required_else_help = true, after_help = EXITS)]
struct Cli {
    /// Show no progress, and of the table only what is wrong.
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Show evidence too.
    #[arg(short, long, global = true)]
    verbose: bool,
    /// When to colour.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,
    #[command(subcommand)]
    command: Command,
}

const EXITS: &str = "`kverify IMAGE` is short for `kverify verify IMAGE`.\n\n\
    Exit status: 0 verified, 1 refuted, 2 no verdict (usage, unsafe image, host, nothing ran).";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Boot a throw-away copy of an image and check it.
    Verify(Box<verify::Args>),
    /// Install an image with an installer medium, in a machine without a network.
    Build(Box<build::Args>),
    /// Make a copy of an image without what identifies the machine, its boots and its users.
    Seal(Box<seal::Args>),
    /// Write an image in the formats that clouds and hypervisors take, each read back and held against the image.
    Export(export::Args),
    /// Do what is left to do of a pipeline: from answers to an image that a channel points to.
    Pipeline(pipeline::Args),
    /// Verify all images of a matrix, as many at once as there is room for.
    Matrix(Box<matrix::Args>),
    /// Put the parts of a matrix together that were run elsewhere, or refuse what does not make a whole.
    Merge(merge::Args),
    /// List every check with what it demands.
    Checks(checks::Args),
    /// List every scenario with what it cost where it was measured.
    Scenarios(scenarios::Args),
    /// Show one check: its probes, the expectation per distro, and how to mend what it finds.
    Explain(explain::Args),
    /// Prove that the checks notice what they guard: do each fault to a machine of its own, and see exactly its checks fail.
    Prove(Box<prove::Args>),
    /// Write an expectation file from what a machine is today, to be edited.
    Expect(Box<expect::Args>),
    /// Say what this host lacks for running kverify, and the package that brings it.
    Doctor(doctor::Args),
    /// Enter the machine of a run with --keep, or run a command in it, where what did not hold can be asked again.
    Shell(shell::Args),
    /// Pack a report, with the machine that was kept, into one file.
    Bundle(bundle::Args),
    /// Show what changed between two images, as release notes have it.
    Diff(Box<diff::Args>),
    /// Print the JSON schema of report.json or facts.json.
    Schema(schema::Args),
    /// Make a key pair that signs evidence and promotions.
    Keygen(keygen::Args),
    /// Name the images of Packer's last run, or write into its manifest what was found of one.
    Manifest(manifest::Args),
    /// Sign the report of a run.
    Attest(attest::Args),
    /// Check that an image is the one that an attestation speaks of, and that a trusted key has signed it.
    VerifyAttestation(attest::CheckArgs),
    /// Put a tested image into a store, with its signed reports.
    Store(store::Args),
    /// Point a channel to an image of a store, if the policy lets it.
    Promote(promote::Args),
    /// Point a channel back to an image that it has held.
    Rollback(promote::RollbackArgs),
    /// Say of an image that it may no longer be promoted or fetched.
    Revoke(promote::RevokeArgs),
    /// Name the images of a store that no channel needs any more, or remove them.
    Rotate(rotate::Args),
    /// Show what a channel points to, or its whole log.
    Channel(channel::Args),
    /// Get what a channel points to, and leave a file only if all of it can be believed.
    Fetch(channel::FetchArgs),
    /// Remove captured machines that `--warm` kept, those unused for longest first.
    Gc(gc::Args),
    /// Own the machines of a matrix for the trials of one nextest run, and end with it.
    #[command(hide = true)]
    Lead(Box<lead::Args>),
    /// Record what a machine answers to the probes of facts, case by case.
    Record(Box<record::Args>),
    /// Judge recordings with today's checks, without any machine.
    Replay(replay::Args),
}

/// Runs the command that `args` name and gives the exit status.
///
/// # Errors
/// Anything that ends a command without a verdict; the caller prints the chain and exits with 2.
pub async fn run(args: impl IntoIterator<Item = OsString>) -> anyhow::Result<u8> {
    let cli = match Cli::try_parse_from(with_command(args)) {
        Ok(cli) => cli,
        Err(error) => {
            error.print()?;
            return Ok(if error.use_stderr() { 2 } else { 0 });
        }
    };
    obey(cli).await
}

/// Runs a command; boxed, since a pipeline runs others.
fn obey(cli: Cli) -> Pin<Box<dyn Future<Output = anyhow::Result<u8>>>> {
    Box::pin(obeyed(cli))
}

async fn obeyed(cli: Cli) -> anyhow::Result<u8> {
    let shown = live::Shown { quiet: cli.quiet, verbose: cli.verbose, color: cli.color };
    match cli.command {
        Command::Verify(args) => verify::run(&args, shown).await,
        Command::Build(args) => build::run(&args, shown).await,
        Command::Seal(args) => seal::run(&args, shown).await,
        Command::Pipeline(args) => pipeline::run(&args, shown).await,
        Command::Matrix(args) => matrix::run(&args, shown).await,
        Command::Merge(args) => Ok(tell(&merge::said(&args, shown)?)),
        Command::Export(args) => Ok(tell(&export::said(&args, shown).await?)),
        Command::Record(args) => record::run(&args, shown).await,
        Command::Replay(args) => replay::run(&args, shown),
        Command::Lead(args) => lead::run(&args, shown).await,
        Command::Bundle(args) => Ok(tell(&bundle::said(&args)?)),
        Command::Shell(args) => shell::run(&args).await,
        Command::Diff(args) => diff::run(&args, shown).await,
        Command::Prove(args) => prove::run(&args, shown).await,
        Command::Expect(args) => expect::run(&args, shown).await,
        Command::Checks(args) => Ok(tell(&checks::said(&args, &shown.style(None)))),
        Command::Scenarios(args) => Ok(tell(&scenarios::said(&args, &shown.style(None)))),
        Command::Explain(args) => Ok(tell(&explain::said(&args, &book::built_in(), &shown.style(None))?)),
        Command::Doctor(args) => Ok(tell(&doctor::said(&args, &shown.style(None)).await)),
        Command::Keygen(args) => Ok(tell(&keygen::said(&args)?)),
        Command::Manifest(args) => Ok(tell(&manifest::said(&args)?)),
        Command::Attest(args) => Ok(tell(&attest::said(&args)?)),
        Command::VerifyAttestation(args) => Ok(tell(&attest::checked(&args)?)),
        Command::Store(args) => Ok(tell(&ended(store::said(&args)).await?)),
        Command::Promote(args) => Ok(tell(&ended(promote::promoted(&args)).await?)),
        Command::Rollback(args) => Ok(tell(&ended(promote::rolled_back(&args)).await?)),
        Command::Revoke(args) => Ok(tell(&ended(promote::revoked(&args)).await?)),
        Command::Rotate(args) => Ok(tell(&ended(rotate::said(&args)).await?)),
        Command::Channel(args) => Ok(tell(&ended(channel::said(&args)).await?)),
        Command::Fetch(args) => Ok(tell(&ended(channel::fetched(&args)).await?)),
        Command::Gc(args) => Ok(tell(&gc::said(&args)?)),
        Command::Schema(args) => Ok(tell(&schema::said(&args))),
    }
}

/// Waits for an answer, unless a signal ends it: what was under way then has no final name.
async fn ended(answer: impl Future<Output = anyhow::Result<said::Said>>) -> anyhow::Result<said::Said> {
    tokio::select! {
        said = answer => said,
        name = verify::interrupted() => anyhow::bail!("interrupted by {}", name?),
    }
}

/// Prints an answer and gives its exit status.
fn tell(said: &said::Said) -> u8 {
    print(&said.text);
    said.code
}

/// Prints an error with all that caused it.
#[expect(clippy::print_stderr, reason = "the one place where errors are printed")]
pub fn complain(error: &anyhow::Error) {
    eprintln!("kverify: {error:#}");
}

/// Prints a result, all of it on standard output.
///
/// Panics where that cannot be written, so that a result that is not there does not end with its exit status.
fn print(result: &str) {
    printed(&mut io::stdout().lock(), result).expect("standard output can be written");
}

/// Whoever closes the other end, as `head` does, has seen enough.
fn printed(out: &mut impl Write, result: &str) -> io::Result<()> {
    match out.write_all(result.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// `kverify IMAGE` is `kverify verify IMAGE`: the word is put in where the first one that is no option is no command.
fn with_command(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    use clap::CommandFactory;
    let mut args: Vec<_> = args.into_iter().collect();
    let command = Cli::command();
    let mut words = args.iter().skip(1).map(|word| word.to_string_lossy());
    let mut first = words.next();
    while let Some(word) = first.take_if(|word| word.starts_with('-') && word.len() > 1) {
        if ["-h", "--help", "-V", "--version"].contains(&&*word) {
            return args;
        }
        // The one option of all commands that takes a word of its own.
        first = if word == "--color" { words.nth(1) } else { words.next() };
    }
    let known = |first: &str| first == "help" || command.get_subcommands().any(|known| known.get_name() == first);
    if args.len() > 1 && !first.is_some_and(|first| known(&first)) {
        args.insert(1, "verify".into());
    }
    args
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io};

    use clap::CommandFactory;

    use super::{Cli, printed, with_command};

    fn words(line: &str) -> Vec<String> {
        let args = with_command(line.split(' ').map(Into::into));
        args.into_iter().map(|word| word.into_string().unwrap()).collect()
    }

    #[test]
    fn an_image_alone_is_verified() {
        assert_eq!(words("kverify golden.qcow2"), ["kverify", "verify", "golden.qcow2"]);
        assert_eq!(words("kverify -q golden.qcow2"), ["kverify", "verify", "-q", "golden.qcow2"]);
        assert_eq!(words("kverify build a.env"), ["kverify", "build", "a.env"]);
        assert_eq!(words("kverify -q build a.env"), ["kverify", "-q", "build", "a.env"]);
        assert_eq!(words("kverify --color never checks"), ["kverify", "--color", "never", "checks"]);
        assert_eq!(words("kverify --color=never -v checks"), ["kverify", "--color=never", "-v", "checks"]);
        assert_eq!(words("kverify --only zfs.* a"), ["kverify", "verify", "--only", "zfs.*", "a"]);
        assert_eq!(words("kverify -q --help"), ["kverify", "-q", "--help"]);
        assert_eq!(words("kverify --help"), ["kverify", "--help"]);
        assert_eq!(words("kverify"), ["kverify"]);
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_no_error() {
        let (reader, mut writer) = io::pipe().unwrap();
        drop(reader);
        printed(&mut writer, "ok\n").unwrap();
        let mut full = File::options().write(true).open("/dev/full").unwrap();
        assert_eq!(printed(&mut full, "ok\n").unwrap_err().kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
