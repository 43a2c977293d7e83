//! Whether a machine still lives, and what it ended of: one place that QMP, the console and the process report to.

use kverify_checks::boot::BootEnd;
use tokio::sync::watch;

use super::process::Exited;

/// How often a guest may reset itself before it is called a loop; shim's fallback resets once by design.
const RESETS: u32 = 3;

/// What became of a machine.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// The guest ended its boot this way.
    Guest(BootEnd),
    /// QEMU itself ended.
    Qemu(Exited),
}

#[derive(Clone, Debug, Default)]
struct State {
    /// Resets since it last settled.
    in_a_row: u32,
    /// Resets in all.
    resets: u32,
    end: Option<End>,
    settled: bool,
}

/// The life of one machine. Clones share it.
#[derive(Clone)]
pub(crate) struct Life {
    state: watch::Sender<State>,
}

impl Life {
    pub(crate) fn new() -> Self {
        Self { state: watch::Sender::new(State::default()) }
    }

    /// The console says that the boot ended. The first end is kept; a settled machine has no boot to end.
    pub(crate) fn ended(&self, end: BootEnd) {
        self.state.send_if_modified(|state| {
            let first = state.end.is_none() && !state.settled;
            if first {
                state.end = Some(End::Guest(end));
            }
            first
        });
    }

    /// The guest ended in a way that also ends a settled machine.
    pub(crate) fn died(&self, end: BootEnd) {
        self.state.send_if_modified(|state| {
            let first = state.end.is_none();
            if first {
                state.end = Some(End::Guest(end));
            }
            first
        });
    }

    /// QEMU ended.
    pub(crate) fn exited(&self, exited: Exited) {
        self.state.send_if_modified(|state| {
            let first = state.end.is_none();
            if first {
                state.end = Some(End::Qemu(exited));
            }
            first
        });
    }

    /// The guest reset itself.
    pub(crate) fn reset(&self) {
        let mut in_a_row = 0;
        self.state.send_modify(|state| {
            // A settled system that resets itself boots again, and its words on the console count again.
            state.settled = false;
            state.resets += 1;
            state.in_a_row += 1;
            in_a_row = state.in_a_row;
        });
        if in_a_row >= RESETS {
            self.died(BootEnd::ResetLoop { resets: in_a_row });
        }
    }

    /// From now on, words on the console are for the checks to judge, and end nothing.
    pub(crate) fn settle(&self) {
        self.state.send_modify(|state| {
            state.settled = true;
            state.in_a_row = 0;
        });
    }

    /// How often the guest reset itself.
    pub(crate) fn resets(&self) -> u32 {
        self.state.borrow().resets
    }

    /// Waits until it has done so more often than `before`.
    pub(crate) async fn reset_after(&self, before: u32) {
        let mut state = self.state.subscribe();
        // The sender is held by `self`, so this cannot fail while we wait.
        let _ = state.wait_for(|state| state.resets > before).await;
    }

    /// What it ended of, if it has.
    #[cfg(test)]
    pub(crate) fn end(&self) -> Option<End> {
        self.state.borrow().end.clone()
    }

    /// Waits until it ends.
    pub(crate) async fn over(&self) -> End {
        let mut state = self.state.subscribe();
        loop {
            if let Some(end) = state.borrow_and_update().end.clone() {
                return end;
            }
            // The sender is held by `self`, so this cannot fail while we wait.
            if state.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use kverify_checks::boot::BootEnd;

    use super::{End, Life};

    #[test]
    fn the_first_end_is_kept() {
        let life = Life::new();
        life.ended(BootEnd::Panicked { line: "first".to_owned() });
        life.died(BootEnd::PoweredOff);
        assert!(matches!(life.end(), Some(End::Guest(BootEnd::Panicked { line })) if line == "first"));
    }

    #[test]
    fn resets_are_a_loop_only_when_they_go_on() {
        let life = Life::new();
        life.reset();
        life.reset();
        assert!(life.end().is_none());
        life.reset();
        assert!(matches!(life.end(), Some(End::Guest(BootEnd::ResetLoop { resets: 3 }))));
    }

    #[test]
    fn a_settled_system_may_reboot_as_often_as_it_settles_again() {
        let life = Life::new();
        for _ in 0..5 {
            life.settle();
            life.reset();
        }
        assert_eq!(life.resets(), 5);
        life.ended(BootEnd::Panicked { line: "while it boots again".to_owned() });
        assert!(matches!(life.end(), Some(End::Guest(BootEnd::Panicked { .. }))));
    }

    #[test]
    fn words_on_the_console_end_no_settled_machine_but_a_power_off_does() {
        let life = Life::new();
        life.settle();
        life.ended(BootEnd::Panicked { line: "a log that is printed".to_owned() });
        assert!(life.end().is_none());
        life.died(BootEnd::PoweredOff);
        assert!(life.end().is_some());
    }
}
