//! `kverify matrix FILE`.

mod emit;
mod list;
mod live;
mod shard;

use std::{
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use kverify_checks::Outcome;

use super::{account::Account, format::Format, live::Shown, machine_args::MachineArgs, verify::interrupted};
use crate::{
    glob::glob,
    matrix::{self, Campaign, Ended, Fetched, Load, MATRIX, Matrix, Order, Room, Row, shared_out, times},
    report::{Conclusion, MatrixReport, Shard, formats::Judged, matrix_table},
    run::free_memory,
    span::span,
};
use emit::Scheduler;
use live::Rows;
use shard::ShardArg;

/// What a machine takes of the host beside its guest's memory, in MiB: QEMU's translated code, and kverify's share.
const BESIDE_MIB: u64 = 512;
/// Memory of the host that stays free, in MiB.
const RESERVE_MIB: u64 = 512;

/// Options of `kverify matrix`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The matrix file.
    file: PathBuf,
    /// Say which rows there are, and run none.
    #[arg(long)]
    list: bool,
    /// With --list: as JSON.
    #[arg(long, requires = "list")]
    json: bool,
    /// Only these rows: names or globs such as `debian-13*`.
    #[arg(long, value_name = "ROW,…", value_delimiter = ',', conflicts_with_all = ["shard", "emit"])]
    only: Vec<String>,
    /// The most rows at once, however many processors they want; memory limits them too [default: as many as have a processor
    /// for each of theirs].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Begin no row any more once one does not hold.
    #[arg(long)]
    fail_fast: bool,
    /// How long all of it may take, as in 90m or 2h; what is not over by then is no verdict.
    #[arg(long, value_name = "TIME", value_parser = time)]
    deadline: Option<Duration>,
    /// Run only this part of N that are about equally long, as 2/5; or `auto`, by what a Slurm job array, an indexed Job of
    /// Kubernetes or a parallel job of GitLab says in the environment.
    #[arg(long, value_name = "K/N|auto")]
    shard: Option<ShardArg>,
    /// Write the file by which a scheduler runs the matrix in --shards parts, and run none.
    #[arg(long, value_name = "SCHEDULER", requires = "shards", conflicts_with_all = ["list", "shard", "ssh_user"])]
    emit: Option<Scheduler>,
    /// With --emit: how many parts.
    #[arg(long, value_name = "N", requires = "emit", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    shards: Option<u16>,
    /// The record of an earlier run, which says how long each row takes; all parts of one matrix have to be given the same
    /// [default: what is in --out, unless it is parted].
    #[arg(long, value_name = "matrix.json")]
    times: Option<PathBuf>,
    /// Where the reports go [default: kverify-out/matrix-<name of the file>, and behind that what part it is].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Who reads what is said at the end.
    #[arg(long, value_name = "FORMAT", default_value = "text", conflicts_with_all = ["list", "emit"])]
    format: Format,
    #[command(flatten)]
    account: Account,
    #[command(flatten)]
    machine: MachineArgs,
}

/// Runs the rows, prints the table, and gives the exit status.
pub(crate) async fn run(args: &Args, shown: Shown) -> anyhow::Result<u8> {
    let shard = args.shard.map(ShardArg::get).transpose().map_err(|why| anyhow!("--shard auto: {why}"))?;
    let order = Order {
        matrix: Matrix::read(&args.file)?,
        out: args.out.clone().unwrap_or_else(|| out(args, shard)),
        spec: args.machine.spec(),
        credential: args.account.credential()?,
        scratch: args.machine.scratch(),
        fetched: Fetched::default(),
    };
    let campaign = campaign(args, &order, shard)?;
    if let Some(scheduler) = args.emit {
        super::print(&emit::said(scheduler, args, &order, &campaign)?);
        return Ok(0);
    }
    if args.list {
        super::print(&list::said(args.json, &order, &campaign));
        return Ok(0);
    }
    Format::clear(&order.out)?;
    let speaker = args.format.begin()?;
    let live = Rows::new(shown, &campaign.loads);
    let stage = |stage: matrix::Stage<'_>| live.show(&stage);
    let ended = tokio::select! {
        ended = matrix::run(&order, &campaign, &stage) => ended?,
        name = interrupted() => bail!("interrupted by {}; what was over by then is in {}", name?, order.out.display()),
    };
    drop(live);
    let Ended { report, outcomes, unwritten } = ended;
    let table = matrix_table(&report, &shown.style(Some(order.out.join(MATRIX))));
    let all: Vec<_> = outcomes.iter().filter_map(|(row, outcomes)| judged(&report, row, outcomes)).collect();
    let said = speaker.say(&table, &all, report.verdict, unwritten.is_none().then_some(order.out.as_path()));
    match unwritten.map_or(Ok(()), |error| Err(error.into())).and(said) {
        Err(error) if report.verdict == Conclusion::Refuted => super::complain(&error),
        left => left?,
    }
    Ok(report.verdict.exit_code())
}

/// What came of a row.
pub(super) fn judged<'a>(report: &'a MatrixReport, row: &'a str, outcomes: &'a [Outcome]) -> Option<Judged<'a>> {
    let of = report.rows.iter().find(|other| other.row == row)?;
    let subject = of.image.as_ref();
    let (image, digest) = (subject.map(|image| image.name.as_str()), subject.map(|image| image.digest.as_str()));
    Some(Judged { row: Some(row), image, digest, verdict: of.verdict, outcomes })
}

/// What is due, with what each row takes.
fn campaign(args: &Args, order: &Order, shard: Option<Shard>) -> anyhow::Result<Campaign> {
    let rows = &order.matrix.rows;
    let seconds = seconds(args, order, shard.is_some())?;
    let load = |row: &Row| {
        let spec = row.hardware.of(&order.spec, row.timeout);
        let known = seconds.iter().find(|(name, _)| *name == row.name);
        Load {
            row: row.name.clone(),
            memory_mib: spec.memory_mib + BESIDE_MIB,
            cpus: spec.cpus,
            seconds: known.map(|(_, seconds)| *seconds),
        }
    };
    let mut due = wanted(rows, &args.only)?;
    let mut loads: Vec<_> = due.iter().map(|number| load(&rows[*number])).collect();
    if let Some(Shard { number, of }) = shard {
        let mine = shared_out(&loads, of).swap_remove(number - 1);
        (due, loads) = mine.into_iter().map(|at| (due[at], loads[at].clone())).unzip();
        if due.is_empty() {
            bail!("--shard {number}/{of}: there are fewer rows than parts, so this one has none");
        }
    }
    Ok(Campaign {
        matrix: args.file.display().to_string(),
        due,
        shard,
        loads,
        room: room(args.jobs),
        fail_fast: args.fail_fast,
        deadline: args.deadline,
    })
}

/// The rows that are named, by their numbers.
fn wanted(rows: &[Row], only: &[String]) -> anyhow::Result<Vec<usize>> {
    if only.is_empty() {
        return Ok((0..rows.len()).collect());
    }
    let mut like = Vec::new();
    for pattern in only {
        let pattern_like = glob(pattern)?;
        if !rows.iter().any(|row| pattern_like.is_match(&row.name)) {
            let names: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
            bail!("--only {pattern}: no row is called so; there are: {}", names.join(", "));
        }
        like.push(pattern_like);
    }
    let named = |row: &Row| like.iter().any(|like| like.is_match(&row.name));
    Ok(rows.iter().enumerate().filter(|(_, row)| named(row)).map(|(number, _)| number).collect())
}

/// How long rows took before.
fn seconds(args: &Args, order: &Order, parted: bool) -> anyhow::Result<Vec<(String, f64)>> {
    let path = match &args.times {
        Some(path) => path.clone(),
        // Where only one part of a matrix was run, another machine knows other times.
        None if parted => return Ok(Vec::new()),
        None => order.out.join(MATRIX),
    };
    match matrix::read(&path) {
        Ok(record) => Ok(times(&record).map(|(row, seconds)| (row.to_owned(), seconds)).collect()),
        Err(why) if args.times.is_some() => Err(anyhow!(why)).with_context(|| format!("--times {}", path.display())),
        Err(_) => Ok(Vec::new()),
    }
}

/// What there is to run rows on.
fn room(jobs: Option<u16>) -> Room {
    let free = free_memory().map_or(u64::MAX, |bytes| (bytes >> 20).saturating_sub(RESERVE_MIB));
    let cores = thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX));
    match jobs {
        Some(jobs) => Room { memory_mib: free, cpus: u32::MAX, rows: jobs.into() },
        None => Room { memory_mib: free, cpus: cores, rows: usize::MAX },
    }
}

/// A part does not take the place of the whole, nor of another.
fn out(args: &Args, shard: Option<Shard>) -> PathBuf {
    let name = format!("matrix-{}", args.file.file_stem().unwrap_or_default().display());
    Path::new("kverify-out").join(match shard {
        Some(Shard { number, of }) => format!("{name}-{number}-of-{of}"),
        None if !args.only.is_empty() => format!("{name}-only"),
        None => name,
    })
}

fn time(text: &str) -> Result<Duration, String> {
    let time = span(text).filter(|time| !time.is_zero());
    time.ok_or_else(|| format!("`{text}` is no time; write it as 90m or 2h"))
}
