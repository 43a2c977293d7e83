//! What is shown while a matrix runs: on a terminal a line for each row that runs and one for all, elsewhere a line for each
//! row that begins and ends.

use std::{
    collections::HashMap,
    io::IsTerminal,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use crate::{
    cli::live::{Shown, Tally, turning, waiting},
    matrix::{Load, Stage, Step},
    report::RowReport,
    run::Progress,
};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

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
    /// The rows that are not over, with the seconds that each took before.
    left: HashMap<String, Option<f64>>,
    running: HashMap<String, (ProgressBar, Tally)>,
    /// Seconds that the rows took that are over.
    over: Vec<f64>,
    /// How many rows ran at most at once.
    at_once: usize,
    begun: Instant,
}

impl Rows {
    pub(super) fn new(shown: Shown, loads: &[Load]) -> Self {
        let terminal = std::io::stderr().is_terminal() && !shown.quiet;
        let bars = terminal.then(|| {
            let all = MultiProgress::new();
            let total = turning(all.add(ProgressBar::new_spinner()));
            Bars { all, total }
        });
        let left = loads.iter().map(|load| (load.row.clone(), load.seconds)).collect();
        let begun = Instant::now();
        let state = State { left, running: HashMap::new(), over: Vec::new(), at_once: 0, begun };
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
                state.left.remove(&row.row);
                state.over.push(row.seconds);
                self.ended(row, *running, *waiting, &state);
            }
        }
    }

    fn ended(&self, row: &RowReport, running: usize, waiting: usize, state: &State) {
        let (done, of) = (state.over.len(), state.over.len() + running + waiting);
        let left = left(state);
        self.say(&format!("{}: {} in {:.0} s  ({done} of {of} rows{left})", row.row, row.verdict, row.seconds));
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

/// How long the rest takes, by what each took before, or else by what those took that are over.
fn left(state: &State) -> String {
    if state.left.is_empty() {
        return String::new();
    }
    #[expect(clippy::cast_precision_loss, reason = "nobody has so many rows")]
    let (over, at_once) = (state.over.len().max(1) as f64, state.at_once.max(1) as f64);
    let usual = state.over.iter().sum::<f64>() / over;
    let seconds: f64 = state.left.values().map(|seconds| seconds.unwrap_or(usual)).sum();
    format!(", about {:.0} min left", (seconds / at_once / 60.0).ceil())
}

/// Where a row is, in a few words.
fn words(progress: &Progress, tally: &mut Tally) -> Option<String> {
    Some(match progress {
        Progress::Booting { age, line } => waiting("booting", *age, line),
        Progress::Building { age, line } => waiting("building", *age, line),
        Progress::LoggedIn { .. } => "logged in".to_owned(),
        Progress::Settled { age } => format!("settled after {:.1} s", age.as_secs_f64()),
        Progress::Asking { done, of, what } => format!("{what} questions {done}/{of}"),
        Progress::Forking { forks, at_once, .. } => format!("asking {forks} forks, {at_once} at once"),
        Progress::Playing { name, .. } => format!("scenario {name}"),
        Progress::Step { about } => about.clone(),
        Progress::Judged(outcome) => tally.with(outcome),
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
