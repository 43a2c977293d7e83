//! Asks a machine a batch of questions, and counts the answers as they come.

use kverify_checks::Probe;

use super::{Progress, RunError, gather::Answers};
use crate::{machine::Machine, session::Session};

/// Asks the machine itself.
pub(super) async fn ask(
    session: &Session,
    machine: &Machine,
    probes: Vec<Probe>,
    what: &'static str,
    answers: &mut Answers,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(), RunError> {
    let of = probes.len();
    if of == 0 {
        return Ok(());
    }
    let (sender, mut done) = tokio::sync::mpsc::unbounded_channel();
    let asked = session.ask(&probes, move |number| {
        // Nobody counts any more once the answer is there.
        let _ = sender.send(number);
    });
    let count = async {
        let mut count = 0;
        while done.recv().await.is_some() {
            count += 1;
            progress(Progress::Asking { done: count, of, what });
        }
        std::future::pending::<()>().await;
    };
    progress(Progress::Asking { done: 0, of, what });
    let outputs = tokio::select! {
        outputs = asked => outputs?,
        end = machine.over() => return Err(RunError::Host(format!("the machine ended while it was asked: {}", end?))),
        () = count => unreachable!("it counts for ever"),
    };
    answers.answered(probes, outputs);
    Ok(())
}
