//! The leader's work: one row after the other, and the file that tells of all.

use std::{fs, io, sync::Arc};

use tokio::sync::mpsc;

use super::{
    LeadError,
    desk::{Desk, State},
};
use crate::{
    matrix::{JUNIT, Order, Ran, Step, put, verified},
    report::junit,
};

/// Takes away what an earlier run said of the whole matrix: nothing stale may pass for what this one says.
pub(super) fn clear(order: &Order) -> Result<(), LeadError> {
    let path = order.out.join(JUNIT);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(LeadError::Stale { path, source }),
        _ => Ok(()),
    }
}

/// Writes what is known of all rows so far, whole or not at all.
fn write(order: &Order, rows: &[Arc<Ran>]) -> io::Result<()> {
    let rows: Vec<_> = rows.iter().map(|ran| (ran.row.as_str(), &ran.outcomes[..], ran.started)).collect();
    put(&order.out, JUNIT, &junit::matrix(&rows))
}

/// Runs the rows whose numbers come from `queue`, until it is closed.
pub(super) async fn work(
    order: &Order,
    desk: &Desk,
    mut queue: mpsc::UnboundedReceiver<usize>,
    step: &(dyn Fn(Step) + Sync),
) {
    while let Some(number) = queue.recv().await {
        let Some(row) = order.matrix.rows.get(number) else { continue };
        let waiting = |doing: String| desk.set(number, State::Waiting(doing));
        let ran = verified(order, row, &waiting, step).await;
        let ended: Vec<_> = desk.ended().into_iter().chain([Arc::new(ran)]).collect();
        if let Err(error) = write(order, &ended) {
            step(Step::Said(format!("{}: cannot be written: {error}", order.out.join(JUNIT).display())));
        }
        // Told last: whoever has all answers finds all files.
        if let Some(ran) = ended.last() {
            desk.set(number, State::Ended(Arc::clone(ran)));
        }
    }
}
