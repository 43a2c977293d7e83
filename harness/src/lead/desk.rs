//! Where rows are asked for and waited for: each is put into the queue once, in the order in which it is first asked.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use kverify_checks::Outcome;
use tokio::sync::{mpsc, watch};

use super::spoken::{Line, Question, Told};
use crate::matrix::Ran;

/// The rows of a matrix, by what has become of each.
pub(super) struct Desk {
    places: Vec<Place>,
    queue: mpsc::UnboundedSender<usize>,
}

struct Place {
    row: String,
    asked: AtomicBool,
    state: watch::Sender<State>,
}

/// What has become of a row.
#[derive(Clone)]
pub(super) enum State {
    /// It is waited for, and what is being done meanwhile.
    Waiting(String),
    /// It is over.
    Ended(Arc<Ran>),
}

impl Desk {
    /// A desk for these rows, and the numbers of those that are to be run.
    pub(super) fn new<'a>(rows: impl Iterator<Item = &'a str>) -> (Self, mpsc::UnboundedReceiver<usize>) {
        let (queue, queued) = mpsc::unbounded_channel();
        let place = |row: &str| Place {
            row: row.to_owned(),
            asked: AtomicBool::new(false),
            state: watch::Sender::new(State::Waiting("in the queue".to_owned())),
        };
        (Self { places: rows.map(place).collect(), queue }, queued)
    }

    /// Has a row run unless it has been asked for before; `None` if there is no such row.
    pub(super) fn ask(&self, row: &str) -> Option<watch::Receiver<State>> {
        let number = self.places.iter().position(|place| place.row == row)?;
        let place = &self.places[number];
        // Watched before it is queued: what changes from here on is not missed.
        let watched = place.state.subscribe();
        if !place.asked.swap(true, Ordering::Relaxed) {
            // Nobody takes rows any more only when the leader ends, and all its connections with it.
            let _ = self.queue.send(number);
        }
        Some(watched)
    }

    /// Says what has become of a row.
    pub(super) fn set(&self, number: usize, state: State) {
        if let Some(place) = self.places.get(number) {
            place.state.send_replace(state);
        }
    }

    /// What came of every row that is over, in the order of the matrix.
    pub(super) fn ended(&self) -> Vec<Arc<Ran>> {
        let ended = |place: &Place| match &*place.state.borrow() {
            State::Ended(ran) => Some(Arc::clone(ran)),
            State::Waiting(_) => None,
        };
        self.places.iter().filter_map(ended).collect()
    }
}

impl State {
    /// What is to be said to somebody who asked `question`.
    pub(super) fn answer(&self, question: &Question) -> Line {
        let ran = match self {
            Self::Waiting(doing) => return Line::Waiting(doing.clone()),
            Self::Ended(ran) => ran,
        };
        let named = |outcome: &&Outcome| outcome.check == question.check;
        match ran.outcomes.iter().find(named) {
            Some(outcome) => Line::Told(Box::new(Told { outcome: outcome.clone(), folder: ran.folder.clone() })),
            None => Line::Refused(format!("no check is called `{}`", question.check)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Desk;

    #[test]
    fn a_row_is_queued_once_and_in_the_order_asked() {
        let (desk, mut queue) = Desk::new(["one", "two", "three"].into_iter());
        for row in ["three", "one", "three", "one"] {
            assert!(desk.ask(row).is_some());
        }
        assert!(desk.ask("four").is_none());
        let queued: Vec<_> = std::iter::from_fn(|| queue.try_recv().ok()).collect();
        assert_eq!(queued, [2, 0]);
        assert!(desk.ended().is_empty());
    }
}
