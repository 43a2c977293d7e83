//! What is shown while a matrix runs: on a terminal a line for each row that runs and one for all, elsewhere a line for each
//! row that begins and ends.

use std::{
    collections::HashMap,
    io::IsTerminal,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use kverify_checks::Status;

use crate::{
    cli::live::Shown,
    matrix::{Load, Stage, Step},
    report::{RowReport, plain},
    run::Progress,
};

/// Shows how far the rows are until it is dropped.
pub(super) struct Rows {
    quiet: bool,
    bars: Option<Bars>,
    state: Mutex<State>,
}

struct Bars {
    all: MultiProgress,
    total: ProgressBar,
}

struct State {
    /// Seconds that each row took before.
    seconds: HashMap<String, f64>,
    running: HashMap<String, (ProgressBar, Tally)>,
    /// Seconds of rows that are over, as they took before and now.
    over: (f64, f64),
    /// How many rows ran at most at once.
    at_once: usize,
    ended: usize,
    begun: Instant,
}

#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
}

impl Rows {
    pub(super) fn new(shown: Shown, loads: &[Load]) -> Self {
        let terminal = std::io::stderr().is_terminal() && !shown.quiet;
        let bars = terminal.then(|| {
            let all = MultiProgress::new();
            let total = all.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                total.set_style(style);
            }
            total.enable_steady_tick(Duration::from_millis(120));
            Bars { all, total }
        });
        let seconds = loads.iter().filter_map(|load| Some((load.row.clone(), load.seconds?))).collect();
        let state =
            State { seconds, running: HashMap::new(), over: (0.0, 0.0), at_once: 0, ended: 0, begun: Instant::now() };
        Self { quiet: shown.quiet, bars, state: Mutex::new(state) }
    }

    pub(super) fn show(&self, now: &Stage<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match now {
            Stage::Begun(row) => {
                if let Some(bars) = &self.bars {
                    let bar = bars.all.insert_before(&bars.total, ProgressBar::new_spinner());
                    if let Ok(style) = ProgressStyle::with_template("  {prefix}  {wide_msg}") {
                        bar.set_style(style);
                    }
                    bar.set_prefix((*row).to_owned());
                    state.running.insert((*row).to_owned(), (bar, Tally::default()));
                } else {
                    self.say(&format!("{row}: begun"));
                    state.running.insert((*row).to_owned(), (ProgressBar::hidden(), Tally::default()));
                }
                state.at_once = state.at_once.max(state.running.len());
            }
            Stage::Step(Step::Said(words)) => self.say(words),
            Stage::Step(Step::Run { row, progress }) => {
                if let Some((bar, tally)) = state.running.get_mut(row)
                    && let Some(words) = words(progress, tally)
                {
                    bar.set_message(words);
                }
            }
            Stage::Ended(row, running, waiting) => {
                if let Some((bar, _)) = state.running.remove(&row.row) {
                    bar.finish_and_clear();
                }
                state.ended += 1;
                state.over.0 += state.seconds.get(&row.row).copied().unwrap_or(row.seconds);
                state.over.1 += row.seconds;
                self.ended(row, *running, *waiting, &state);
            }
        }
    }

    fn ended(&self, row: &RowReport, running: usize, waiting: usize, state: &State) {
        let (done, of) = (state.ended, state.ended + running + waiting);
        let left = left(running + waiting, state);
        let line = format!("{}: {} in {:.0} s", row.row, row.verdict, row.seconds);
        self.say(&format!("{line}  ({done} of {of} rows{left})"));
        if let Some(bars) = &self.bars {
            let all = format!("{done} of {of} rows{left}, {} s so far", state.begun.elapsed().as_secs());
            bars.total.set_message(all);
        }
    }

    fn say(&self, text: &str) {
        match &self.bars {
            _ if self.quiet => {}
            Some(bars) => {
                // What cannot be shown changes nothing of what is found.
                let _ = bars.all.println(text);
            }
            #[expect(clippy::print_stderr, reason = "what is shown where there is no live line")]
            None => eprintln!("{text}"),
        }
    }
}

/// How long the rest takes, if the rows of it take what those took that are over.
fn left(rows: usize, state: &State) -> String {
    if rows == 0 {
        return String::new();
    }
    #[expect(clippy::cast_precision_loss, reason = "nobody has so many rows")]
    let seconds = state.over.1 / state.ended.max(1) as f64 * rows as f64 / state.at_once.max(1) as f64;
    format!(", about {:.0} min left", (seconds / 60.0).ceil())
}

/// Where a row is, in a few words.
fn words(progress: &Progress, tally: &mut Tally) -> Option<String> {
    Some(match progress {
        Progress::Booting { age, line } => format!("booting {:>3} s  {}", age.as_secs(), plain::line(line, 200)),
        Progress::Building { age, line } => format!("building {:>3} s  {}", age.as_secs(), plain::line(line, 200)),
        Progress::LoggedIn { .. } => "logged in".to_owned(),
        Progress::Settled { age } => format!("settled after {:.1} s", age.as_secs_f64()),
        Progress::Asking { done, of, what } => format!("{what} questions {done}/{of}"),
        Progress::Forking { forks, at_once, .. } => format!("asking {forks} forks, {at_once} at once"),
        Progress::Playing { name, .. } => format!("scenario {name}"),
        Progress::Step { about } => about.clone(),
        Progress::Judged(outcome) => {
            match outcome.status {
                Status::Pass => tally.passed += 1,
                Status::Fail | Status::Error => tally.failed += 1,
                Status::Skip => {}
            }
            format!("{} passed, {} not · {}", tally.passed, tally.failed, outcome.check)
        }
        Progress::Hashing => "reading the rest of the image".to_owned(),
        _ => return None,
    })
}

impl Drop for Rows {
    fn drop(&mut self) {
        if let Some(bars) = &self.bars {
            bars.total.finish_and_clear();
        }
    }
}
