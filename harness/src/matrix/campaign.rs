//! All rows that are due, as many at once as there is room for, and the record of what came of them.
//!
//! The record is written anew after each row, whole or not at all: whatever ends kverify, what is known by then is there, and
//! what is missing can be told.

use std::{fs, io, path::Path, time::Duration};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use jiff::Timestamp;
use kverify_checks::Outcome;

use super::{
    Order, Ran, Row, Step,
    row::verified,
    schedule::{Load, Queue, Room},
};
use crate::report::{Conclusion, Folder, FolderError, MatrixReport, RowReport, Shard, json, junit, matrix_page};

/// The record of a matrix.
pub const MATRIX: &str = "matrix.json";
/// The rows of a matrix, as CI reads them.
pub(crate) const JUNIT: &str = "junit.xml";
/// The same for people.
const PAGE: &str = "matrix.html";
/// How often a row is tried whose host failed.
const TRIES: usize = 2;

/// Which rows are run, and how.
pub struct Campaign {
    /// The matrix file, as it was named.
    pub matrix: String,
    /// The rows, by their numbers in the matrix.
    pub due: Vec<usize>,
    /// Which part of the matrix they are.
    pub shard: Option<Shard>,
    /// What each of them takes.
    pub loads: Vec<Load>,
    /// What there is to run them on.
    pub room: Room,
    /// Whether no row is begun any more once one does not hold.
    pub fail_fast: bool,
    /// How long all of them may take.
    pub deadline: Option<Duration>,
}

/// How far all of it is.
pub enum Stage<'a> {
    /// A row is begun, by its name.
    Begun(&'a str),
    /// A row comes on.
    Step(Step),
    /// A row is over, and what is left: those that run and those that wait.
    Ended(&'a RowReport, usize, usize),
}

/// Why the record cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// Something else has its name.
    #[error("{}: no record of a matrix; remove it, or name another folder with --out", .0)]
    Foreign(String),
    /// The folder of a row is somebody else's.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// It cannot be written.
    #[error("{path}: it cannot be written; name another folder with --out")]
    Unwritable {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
}

/// What came of a campaign.
pub struct Ended {
    /// The record.
    pub report: MatrixReport,
    /// The outcomes of each row, by its name.
    pub outcomes: Vec<(String, Vec<Outcome>)>,
    /// Why it is not on the disk as it is here, if it is not.
    pub unwritten: Option<CampaignError>,
}

/// Runs the rows. Dropping the future ends the machines; the record is then of those that were over.
///
/// # Errors
/// [`CampaignError`] where no record can be kept; no row was begun then.
pub async fn run(
    order: &Order,
    campaign: &Campaign,
    stage: &(dyn Fn(Stage<'_>) + Sync),
) -> Result<Ended, CampaignError> {
    let Campaign { due, loads, fail_fast, .. } = campaign;
    let row = |number: usize| &order.matrix.rows[due[number]];
    let untold = |number, since, why: &str| Ran::untold(row(number), order.spec.network, since, why);
    let mut record = Record::begin(order, campaign)?;
    let mut queue = Queue::new(loads, campaign.room);
    for number in queue.without_room() {
        let why = format!(
            "its machine takes {} MiB, and {} MiB are free on this host; give it less with `memory`, or end something",
            loads[number].memory_mib, campaign.room.memory_mib
        );
        record.add(order, row(number), untold(number, Timestamp::now(), &why), Vec::new());
    }
    let mut running = FuturesUnordered::new();
    let mut late = std::pin::pin!(async {
        match campaign.deadline {
            Some(deadline) => tokio::time::sleep(deadline).await,
            None => std::future::pending().await,
        }
    });
    let mut begun: Vec<(usize, Timestamp)> = Vec::new();
    loop {
        while let Some(number) = queue.begin() {
            stage(Stage::Begun(&row(number).name));
            begun.push((number, Timestamp::now()));
            running.push(async move { (number, tried(order, row(number), stage).await) });
        }
        let over = tokio::select! {
            over = running.next() => over,
            () = &mut late => {
                let limit = campaign.deadline.unwrap_or_default().as_secs();
                let waiting = queue.drop_waiting().into_iter().map(|number| (number, Timestamp::now()));
                let left: Vec<_> = begun.drain(..).chain(waiting).collect();
                // What runs ends with this.
                drop(running);
                for (number, since) in left {
                    let why = format!("not over when the matrix had taken {limit} s, which is its --deadline");
                    record.add(order, row(number), untold(number, since, &why), Vec::new());
                }
                return Ok(record.ended());
            }
        };
        let Some((number, (ran, tries))) = over else { return Ok(record.ended()) };
        queue.ended(&loads[number]);
        begun.retain(|(other, _)| *other != number);
        let good = matches!(ran.verdict, Conclusion::Verified | Conclusion::VerifiedInPart);
        let waiting = due.len() - begun.len() - record.outcomes.len() - 1;
        let added = record.add(order, row(number), ran, tries);
        stage(Stage::Ended(added, begun.len(), waiting));
        if *fail_fast && !good {
            for number in queue.drop_waiting() {
                let why = "not begun: an earlier row does not hold, and --fail-fast was asked for";
                record.add(order, row(number), untold(number, Timestamp::now(), why), Vec::new());
            }
        }
    }
}

/// A row, tried again where its host failed; what a machine showed is never asked twice.
async fn tried(order: &Order, row: &Row, stage: &(dyn Fn(Stage<'_>) + Sync)) -> (Ran, Vec<String>) {
    let mut tries = Vec::new();
    loop {
        let ran = verified(order, row, &|_| (), &|step| stage(Stage::Step(step))).await;
        match &ran.why {
            Some(why) if ran.of_the_host && tries.len() + 1 < TRIES => tries.push(why.clone()),
            _ => return (ran, tries),
        }
    }
}

/// The record, and the outcomes behind it.
struct Record {
    report: MatrixReport,
    outcomes: Vec<(String, Vec<Outcome>, Timestamp)>,
    /// Why it could not be written the last time that it was tried.
    unwritten: Option<CampaignError>,
}

impl Record {
    /// Takes away what an earlier run said, so that nothing stale passes for what this one says.
    fn begin(order: &Order, campaign: &Campaign) -> Result<Self, CampaignError> {
        let names = |numbers: &mut dyn Iterator<Item = usize>| {
            numbers.map(|number| order.matrix.rows[number].name.clone()).collect::<Vec<_>>()
        };
        let now = Timestamp::now();
        let mut report = MatrixReport {
            kverify: env!("CARGO_PKG_VERSION").to_owned(),
            matrix: campaign.matrix.clone(),
            digest: order.matrix.digest,
            shard: campaign.shard,
            all: names(&mut (0..order.matrix.rows.len())),
            due: names(&mut campaign.due.iter().copied()),
            rows: Vec::new(),
            differences: Vec::new(),
            verdict: Conclusion::NoVerdict,
            started: now,
            finished: now,
        };
        report.conclude();
        let path = order.out.join(MATRIX);
        if path.exists() && read(&path).is_err() {
            return Err(CampaignError::Foreign(path.display().to_string()));
        }
        let folders = report.due.iter().map(|row| Folder::prepare(&order.out.join(row)));
        for folder in folders.collect::<Result<Vec<_>, _>>()? {
            folder.clear()?;
        }
        let record = Self { report, outcomes: Vec::new(), unwritten: None };
        record.write(&order.out)?;
        Ok(record)
    }

    fn add(&mut self, order: &Order, row: &Row, ran: Ran, tries: Vec<String>) -> &RowReport {
        let spec = row.hardware.of(&order.spec, row.timeout);
        let now = Timestamp::now();
        self.report.rows.push(RowReport {
            row: ran.row.clone(),
            expect: row.expect.clone(),
            image: ran.subject,
            firmware: spec.firmware.word().to_owned(),
            bus: spec.bus.word().to_owned(),
            memory_mib: spec.memory_mib,
            cpus: spec.cpus,
            verdict: ran.verdict,
            why: ran.why,
            tries,
            checks: ran.outcomes.iter().map(|outcome| (outcome.check.clone(), outcome.status)).collect(),
            started: ran.started,
            seconds: now.duration_since(ran.started).as_secs_f64(),
        });
        self.outcomes.push((ran.row.clone(), ran.outcomes, ran.started));
        self.report.finished = now;
        self.report.conclude();
        // A disk that is full may have room again when the next row is over, and this one is over whatever the disk says.
        self.unwritten = self.write(&order.out).err();
        self.report.rows.iter().find(|other| other.row == ran.row).expect("it was just added")
    }

    fn ended(self) -> Ended {
        let mut outcomes: Vec<_> = self.outcomes.into_iter().map(|(row, outcomes, _)| (row, outcomes)).collect();
        outcomes.sort_by_cached_key(|(row, _)| self.report.due.iter().position(|name| name == row));
        Ended { report: self.report, outcomes, unwritten: self.unwritten }
    }

    fn write(&self, folder: &Path) -> Result<(), CampaignError> {
        let rows = self.report.rows.iter().filter_map(|row| self.outcomes.iter().find(|(name, ..)| *name == row.row));
        let rows: Vec<_> = rows.map(|(name, outcomes, started)| (name.as_str(), &outcomes[..], *started)).collect();
        write(folder, &self.report, &rows)
    }
}

/// Writes what is said of all rows into a folder; the record last.
pub(crate) fn write(
    folder: &Path,
    report: &MatrixReport,
    rows: &[(&str, &[Outcome], Timestamp)],
) -> Result<(), CampaignError> {
    let files = [(JUNIT, junit::matrix(rows)), (PAGE, matrix_page(report)), (MATRIX, json::harmless(report))];
    for (name, text) in files {
        let path = || folder.join(name).display().to_string();
        put(folder, name, &text).map_err(|source| CampaignError::Unwritable { path: path(), source })?;
    }
    Ok(())
}

/// Puts a file into a folder in the place of an earlier one, whole or not at all.
pub(crate) fn put(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    let unfinished = folder.join(format!(".{name}"));
    fs::create_dir_all(folder)?;
    fs::write(&unfinished, text)?;
    fs::rename(&unfinished, folder.join(name))
}

/// The record of a matrix.
///
/// # Errors
/// What is wrong with it, all causes in one line.
pub fn read(path: &Path) -> Result<MatrixReport, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| format!("no record of a matrix: {error}"))
}

/// Which of these rows took how long in an earlier run.
pub fn times(report: &MatrixReport) -> impl Iterator<Item = (&str, f64)> {
    report.rows.iter().filter(|row| row.image.is_some()).map(|row| (row.row.as_str(), row.seconds))
}
