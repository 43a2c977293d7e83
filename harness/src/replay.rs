//! A replay: recordings judged with today's checks, without any machine.

mod files;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

use std::{
    io,
    path::{Path, PathBuf},
};

use kverify_checks::{
    Outcome, Status,
    expect::Resolved,
    recording::NotRecorded,
    replay::{ReplayError, Replayed, replay},
};
use serde::Serialize;

use crate::{report::Conclusion, run::Filter};
use files::{Found, Seen};

/// What came of a replay.
#[derive(Debug, Serialize)]
pub(crate) struct Replay {
    /// Version of kverify that made it.
    pub(crate) kverify: &'static str,
    /// The name of what was expected.
    pub(crate) expectation: String,
    /// The recordings that were judged.
    pub(crate) recordings: Vec<Played>,
    /// The paths behind which something could not be judged.
    pub(crate) unread: Vec<Unread>,
    /// How many plans were found between the recordings.
    pub(crate) plans: usize,
    /// The exit status, by the same rule as that of a report.
    pub(crate) exit: u8,
}

/// One recording that was judged.
#[derive(Debug, Serialize)]
pub(crate) struct Played {
    /// Its path.
    pub(crate) file: String,
    /// The fact's ID.
    pub(crate) fact: String,
    /// What the checks say of it, by ID.
    pub(crate) checks: Vec<Replayed>,
    /// How many more there are that the filter leaves out.
    pub(crate) filtered: usize,
}

/// A path behind which something could not be judged.
#[derive(Debug, Serialize)]
pub(crate) struct Unread {
    /// The path.
    pub(crate) path: String,
    /// Why not.
    pub(crate) why: String,
}

/// Why there is nothing to judge at a path.
#[derive(Debug, thiserror::Error)]
enum NotJudged {
    /// It is not there, or may not be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// A device, a pipe or the like.
    #[error("neither a file nor a folder")]
    NotAFile,
    /// Longer than the bound.
    #[error("too large for a recording: more than {} MiB", files::LARGEST)]
    TooLarge,
    /// It has other bytes than those of text.
    #[error("no recording: it is not UTF-8")]
    NotText,
    /// What is to be recorded.
    #[error("no recording, but a plan for `kverify record`")]
    Plan,
    /// Something else.
    #[error("no recording: {0}")]
    NotRecorded(NotRecorded),
    /// A recording, but not one of today's facts and checks.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A folder with nothing in it.
    #[error("no recording below it")]
    Empty,
}

impl Replay {
    /// Judges each recording at or below `paths` by the checks that `filter` leaves. `sheet` is what is expected where a
    /// recording brings no value of its own.
    pub(crate) fn of(paths: &[PathBuf], sheet: &Resolved, filter: &Filter) -> Self {
        let mut replay = Self {
            kverify: env!("CARGO_PKG_VERSION"),
            expectation: sheet.name.clone(),
            recordings: Vec::new(),
            unread: Vec::new(),
            plans: 0,
            exit: 0,
        };
        let mut seen = Seen::default();
        for path in paths {
            replay.path(path, &seen.find(path), sheet, filter);
        }
        replay.exit = replay.conclusion().exit_code();
        replay
    }

    fn path(&mut self, path: &Path, found: &Found, sheet: &Resolved, filter: &Filter) {
        let before = self.recordings.len() + self.unread.len();
        for (path, why) in &found.unread {
            self.not_judged(path, why);
        }
        for file in &found.files {
            match played(file, sheet, filter) {
                Ok(played) => self.recordings.push(played),
                // One that was named is taken for a recording, and is none.
                Err(NotJudged::Plan) if file != path => self.plans += 1,
                Err(why) => self.not_judged(file, &why),
            }
        }
        if !found.known && self.recordings.len() + self.unread.len() == before {
            self.not_judged(path, &NotJudged::Empty);
        }
    }

    fn not_judged(&mut self, path: &Path, why: &NotJudged) {
        self.unread.push(Unread { path: path.display().to_string(), why: why.to_string() });
    }

    /// What a report would say whose outcomes are what these count as.
    fn conclusion(&self) -> Conclusion {
        let judged = self.checks().map(|one| Outcome::new(one.outcome.check.as_str(), one.counts_as()));
        let unread = self.unread.iter().map(|unread| Outcome::new(unread.path.as_str(), Status::Error));
        Conclusion::of(&judged.chain(unread).collect::<Vec<_>>())
    }

    /// What the checks say of all recordings.
    pub(crate) fn checks(&self) -> impl Iterator<Item = &Replayed> {
        self.recordings.iter().flat_map(|played| &played.checks)
    }
}

fn played(file: &Path, sheet: &Resolved, filter: &Filter) -> Result<Played, NotJudged> {
    let recording = files::read(file)?;
    let mut checks = replay(&recording, sheet)?;
    let all = checks.len();
    checks.retain(|one| !filter.leaves_out(&one.outcome.check));
    let filtered = all - checks.len();
    Ok(Played { file: file.display().to_string(), fact: recording.fact, checks, filtered })
}
