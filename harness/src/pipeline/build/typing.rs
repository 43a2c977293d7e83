//! How far the typing has come on the keyboard of a machine that installs.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::machine::Keys;

/// How far it has come.
pub(super) struct Typing(Mutex<State>);

struct State {
    now: Now,
    /// When it was no other than now for the last time.
    last: Instant,
}

enum Now {
    /// It types, or waits for as long as it was told.
    Types,
    /// It waits for the console to say this.
    Waits(String),
    /// All is typed.
    Done,
}

impl Typing {
    pub(super) fn new(keys: &Keys) -> Self {
        let now = if keys.is_empty() { Now::Done } else { Now::Types };
        Self(Mutex::new(State { now, last: Instant::now() }))
    }

    /// It waits for this text, or for none any more.
    pub(super) fn waits(&self, text: Option<&str>) {
        self.is(text.map_or(Now::Types, |text| Now::Waits(text.to_owned())));
    }

    pub(super) fn ends(&self) {
        self.is(Now::Done);
    }

    /// When it last went on.
    pub(super) fn last(&self) -> Instant {
        self.lock().last
    }

    /// Whether nothing will be typed before the machine says something.
    pub(super) fn is_at_rest(&self) -> bool {
        !matches!(self.lock().now, Now::Types)
    }

    /// What is still to be typed, behind the reason why it was not; nothing if all was.
    pub(super) fn left(&self) -> String {
        match &self.lock().now {
            Now::Done => String::new(),
            Now::Types => ", and not all of --boot-command was typed".to_owned(),
            Now::Waits(text) => format!(", and --boot-command still waits for the console to say `{text}`"),
        }
    }

    fn is(&self, now: Now) {
        *self.lock() = State { now, last: Instant::now() };
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
