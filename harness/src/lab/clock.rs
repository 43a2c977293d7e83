//! The time that the lab tells: that of the machine's own clock, which may have been set otherwise or captured earlier.

use std::{sync::Mutex, time::Instant};

use jiff::{SignedDuration, Timestamp};

/// A clock that stands still while its machine does.
pub(crate) struct Clock(Mutex<State>);

struct State {
    /// What it said when it was stopped or started last.
    said: Timestamp,
    /// Since when it runs.
    since: Option<Instant>,
}

impl Clock {
    /// A clock that runs from here.
    pub(crate) fn from(said: Timestamp) -> Self {
        Self(Mutex::new(State { said, since: Some(Instant::now()) }))
    }

    /// What it says.
    pub(crate) fn now(&self) -> Timestamp {
        self.state().now()
    }

    pub(crate) fn stop(&self) {
        let mut state = self.state();
        *state = State { said: state.now(), since: None };
    }

    pub(crate) fn go(&self) {
        let mut state = self.state();
        *state = State { said: state.now(), since: Some(Instant::now()) };
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl State {
    fn now(&self) -> Timestamp {
        let gone = self.since.map(|since| since.elapsed()).unwrap_or_default();
        let gone = SignedDuration::try_from(gone).unwrap_or(SignedDuration::MAX);
        self.said.saturating_add(gone).unwrap_or(self.said)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::Clock;

    #[test]
    fn it_stands_still_while_its_machine_does() {
        let then = Timestamp::UNIX_EPOCH;
        let clock = Clock::from(then);
        clock.stop();
        let stopped = clock.now();
        std::thread::sleep(std::time::Duration::from_millis(5));
        assert_eq!(clock.now(), stopped);
        clock.go();
        std::thread::sleep(std::time::Duration::from_millis(5));
        assert!(clock.now() > stopped);
    }
}
