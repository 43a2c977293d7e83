//! What is shown while a command runs: one live line on a terminal, a few plain lines elsewhere. All of it goes to
//! standard error, so that standard output holds the result alone.

use std::{
    io::IsTerminal,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use kverify_checks::{Outcome, Status};
use rustix::termios::tcgetwinsize;

use super::Color;
use crate::{
    report::{Detail, Style, plain},
    run::Progress,
};

/// How often a boot is mentioned where nobody watches a live line.
const MENTION: u64 = 30;

/// How much is shown, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    pub(crate) color: Color,
}

impl Shown {
    /// How results look on standard output.
    pub(crate) fn style(self, folder: Option<PathBuf>) -> Style {
        let detail = match (self.quiet, self.verbose) {
            (true, _) => Detail::Brief,
            (false, false) => Detail::Usual,
            (false, true) => Detail::Full,
        };
        let columns = tcgetwinsize(std::io::stdout()).map_or(0, |size| usize::from(size.ws_col));
        let width = if columns == 0 { Style::default().width } else { columns };
        Style { color: self.colored(), width, detail, folder }
    }

    fn colored(self) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => std::env::var_os("NO_COLOR").is_none() && std::io::stdout().is_terminal(),
        }
    }
}

/// Shows a run's progress until it is dropped.
pub(crate) struct Live {
    bar: Option<ProgressBar>,
    quiet: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tally: Tally,
    /// How often a wait was mentioned.
    mentioned: u64,
}

/// How many checks passed so far, and how many did not.
#[derive(Default)]
pub(super) struct Tally {
    passed: usize,
    failed: usize,
}

impl Tally {
    /// Counts one, and says how many there are with it.
    pub(super) fn with(&mut self, outcome: &Outcome) -> String {
        match outcome.status {
            Status::Pass => self.passed += 1,
            Status::Fail | Status::Error => self.failed += 1,
            Status::Skip => {}
        }
        format!("{} passed, {} not · {}", self.passed, self.failed, outcome.check)
    }
}

/// How long a machine has been at it, and its console's last line.
pub(super) fn waiting(what: &str, age: Duration, line: &str) -> String {
    format!("{what} {:>3} s  {}", age.as_secs(), plain::line(line, 200))
}

/// Makes a bar one that turns.
pub(super) fn turning(bar: ProgressBar) -> ProgressBar {
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

impl Live {
    pub(crate) fn new(shown: Shown) -> Self {
        let terminal = std::io::stderr().is_terminal() && !shown.quiet;
        let bar = terminal.then(|| turning(ProgressBar::new_spinner()));
        Self { bar, quiet: shown.quiet, state: Mutex::default() }
    }

    /// Shows lines only, for a terminal whose live line is another program's.
    pub(crate) fn lines(shown: Shown) -> Self {
        Self { bar: None, quiet: shown.quiet, state: Mutex::default() }
    }

    /// Shows one step.
    pub(crate) fn show(&self, step: &Progress) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match step {
            Progress::Started { accel, why } => self.say(&format!("booting on {accel} ({why})")),
            Progress::Booting { age, line } => self.waiting(&mut state, "booting", *age, line),
            Progress::Building { age, line } => self.waiting(&mut state, "building", *age, line),
            Progress::LoggedIn { age } => self.say(&format!("logged in after {:.1} s", age.as_secs_f64())),
            Progress::Settled { age } => self.say(&format!("settled after {:.1} s", age.as_secs_f64())),
            Progress::Asking { done: 0, of, what } => self.say(&format!("asking {of} {what} questions")),
            Progress::Asking { done, of, what } => self.live(&format!("{what} questions {done}/{of}")),
            Progress::Soaking { time } => self.say(&format!("watching its network for {} s", time.as_secs())),
            Progress::Captured { took } => self.say(&format!("captured in {:.1} s", took.as_secs_f64())),
            Progress::Forking { forks, at_once, limit } => {
                let limit = limit.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
                self.say(&format!("asking the rest of {forks} forks, {at_once} at once{limit}"));
            }
            Progress::NotCaptured { why } => self.say(&format!("no forks: {}", plain::line(why, 200))),
            Progress::Warm { captured } => self.say(&format!("warm: a fork of the machine captured {captured}")),
            Progress::Dropped { why } => {
                self.say(&format!("dropped what was captured, booting cold: {}", plain::line(why, 300)));
            }
            Progress::Kept { why_not: None } => self.say("kept the captured machine for the next --warm"),
            Progress::Kept { why_not: Some(why) } => {
                self.say(&format!("the captured machine was not kept: {}", plain::line(why, 300)));
            }
            Progress::Playing { name, about } => {
                state.mentioned = 0;
                self.say(&format!("scenario {name}: {about}"));
            }
            Progress::Step { about } => self.say(&format!("  {about}")),
            Progress::Judged(outcome) => self.live(&state.tally.with(outcome)),
            Progress::Hashing => self.live("reading the rest of the image"),
        }
    }

    fn waiting(&self, state: &mut State, what: &str, age: Duration, line: &str) {
        let text = waiting(what, age, line);
        if self.bar.is_some() {
            self.live(&text);
        } else if age.as_secs() / MENTION > state.mentioned {
            state.mentioned = age.as_secs() / MENTION;
            self.say(&text);
        }
    }

    /// A line that stays.
    pub(crate) fn say(&self, text: &str) {
        match &self.bar {
            _ if self.quiet => {}
            Some(bar) => bar.println(text),
            #[expect(clippy::print_stderr, reason = "what is shown where there is no live line")]
            None => eprintln!("{text}"),
        }
    }

    /// A line that the next one takes the place of.
    fn live(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.to_owned());
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
