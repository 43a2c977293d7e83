//! Untouched machines of other hardware: none of them may alarm.

use jiff::{ToSpan, civil::DateTime};
use kverify_checks::Status;

use super::{
    ProveRequest,
    proof::{Proof, Twin, words},
};
use crate::{
    machine::Spec,
    run::{Progress, Request, RunError, verify},
};

/// Hardware that an image has to be well on: CPUs, memory in MiB, days that its clock is ahead. None is behind: an image of
/// today would have been made in its future, which `boot.clock-plausible` rightly tells.
const HARDWARE: [(u32, u64, i64); 10] = [
    (1, 2048, 0),
    (4, 4096, 0),
    (2, 1536, 1),
    (3, 3072, 400),
    (2, 2048, 7),
    (1, 1536, 30),
    (4, 2048, 3650),
    (2, 6144, 0),
    (8, 3072, 90),
    (2, 1280, 0),
];

/// Verifies `count` untouched machines, one after the other, and calls `told` with each.
///
/// # Errors
/// [`RunError`] where a machine says nothing at all.
pub async fn twins(
    request: &ProveRequest,
    count: usize,
    proof: &mut Proof,
    progress: &(dyn Fn(Progress) + Sync),
    told: &(dyn Fn(&Twin) + Sync),
) -> Result<(), RunError> {
    for (cpus, memory_mib, days) in HARDWARE.into_iter().cycle().take(count) {
        let spec = Spec { cpus, memory_mib, clock: clock(days), ..request.spec.clone() };
        let plain = Request::new(request.image.clone(), spec.clone(), request.scratch.clone());
        let report = verify(&Request { expect: request.expect.clone(), ..plain }, progress).await?.report;
        let alarms = report.outcomes.iter().filter(|outcome| matches!(outcome.status, Status::Fail | Status::Error));
        let clock = spec.clock.map_or_else(|| "the host's clock".to_owned(), |clock| format!("clock at {clock}"));
        let cpu = if cpus == 1 { "CPU" } else { "CPUs" };
        let twin = Twin {
            machine: format!("{cpus} {cpu}, {memory_mib} MiB, {clock}"),
            settled: report.machines.first().and_then(|machine| machine.timings.settled),
            passed: report.outcomes.iter().filter(|outcome| outcome.status == Status::Pass).count(),
            alarms: alarms.map(words).collect(),
        };
        told(&twin);
        proof.twins.push(twin);
    }
    Ok(())
}

/// So many days ahead of today; the host's own clock for none.
fn clock(days: i64) -> Option<DateTime> {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).datetime();
    let ahead = today.checked_add(days.days()).ok()?;
    (days != 0).then_some(ahead.with().subsec_nanosecond(0).build().ok()?)
}
