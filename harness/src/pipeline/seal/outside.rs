//! The part of a seal that a rescue system does once the image's own is off: what a system cannot do to the disk that it
//! runs from, or would undo at its own shutdown.

use std::time::{Duration, Instant};

use kverify_checks::image::{Layout, Partition};

use super::{SealError, SealRequest, Snapshots, summary::Sealed, survey::Survey};
use crate::{
    image::Overlay,
    machine::{Kernel, Off},
    rescue::{DISK, Job, Rescue, RescueError, assignments, devices},
    run::{Progress, WayIn},
};

/// The empty disk as the rescue system sees it.
const BESIDE: &str = "/dev/vdb";
const SHORT: Duration = Duration::from_mins(5);
/// What walks all of a disk has as long as a large one takes.
const LONG: Duration = Duration::from_hours(1);

/// What becomes of the free blocks of the pools, in which deleted files can still be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scrub {
    /// They are left behind: what is in use is copied to an empty disk. ZFS's own trim and initialize both pass over
    /// pieces of the free space.
    Copy,
    /// Nothing: for tests that have to see the difference.
    Not,
}

/// What the scripts want to know, as shell variables.
fn variables(request: &SealRequest, layout: &Layout, survey: &Survey, way_in: &WayIn) -> String {
    let (user, marks) = way_in.marks().unwrap_or(("", Vec::new()));
    // The marks go into an extended regular expression; the one character of a key that means something there is `+`.
    let marks = marks.join("|").replace('+', "[+]");
    let number = |partition: &Partition| partition.number;
    let pooled = |number: &u32| layout.labels.iter().any(|label| label.partition == *number);
    let others = layout.gpt.iter().flatten().map(number).filter(|number| !pooled(number));
    let others: Vec<_> = others.map(|number| number.to_string()).collect();
    let values = [
        ("root", survey.root.clone()),
        ("user", user.to_owned()),
        ("marks", marks),
        ("passwords", if request.keep_passwords { "keep" } else { "lock" }.to_owned()),
        ("policy", request.snapshots.to_string()),
        ("disk", DISK.to_owned()),
        ("beside", BESIDE.to_owned()),
        ("others", others.join(" ")),
        ("scrub", if request.scrub == Scrub::Not { "no" } else { "yes" }.to_owned()),
    ];
    assignments(devices(layout).into_iter().chain(values))
}

/// Starts the rescue system on the disk that was left, and has it done; `empty` is what is in use copied to.
pub(super) async fn outside(
    request: &SealRequest,
    (off, kernel, empty): (Off, &Kernel, Option<&Overlay>),
    layout: &Layout,
    survey: &Survey,
    way_in: &WayIn,
    sealed: &mut Sealed,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Off, SealError> {
    let begun = Instant::now();
    progress(Progress::Step { about: "a rescue system boots beside the disk".to_owned() });
    let rescue = Rescue::begin(off.start_kernel(kernel, empty).await?).await?;
    sealed.stage("rescue boot", begun);
    let variables = variables(request, layout, survey, way_in);
    let renew =
        if request.snapshots == Snapshots::Keep { "keeping the snapshots" } else { "destroying what snapshots hold" };
    let jobs = [
        ("import", "importing the pools", include_str!("import.sh"), SHORT),
        ("sweep", "removing what identifies the machine", include_str!("sweep.sh"), LONG),
        ("esp", "clearing the free part of the EFI partition", include_str!("esp.sh"), SHORT),
        ("snapshots", renew, include_str!("snapshots.sh"), LONG),
        ("copy", "copying what is in use to an empty disk", include_str!("copy.sh"), LONG),
        ("export", "exporting the pools", include_str!("export.sh"), SHORT),
    ];
    for (stage, doing, script, limit) in jobs.into_iter().filter(|job| request.sweep || job.0 != "sweep") {
        let begun = Instant::now();
        progress(Progress::Step { about: doing.to_owned() });
        let script = format!("{variables}{script}");
        let said = rescue.run(&Job { doing, script: &script, limit }).await.map_err(plain_words)?;
        sealed.note(&said);
        sealed.stage(stage, begun);
    }
    Ok(rescue.end().await)
}

/// A script that says what stands in the way ends with one of these; no more has to be said then.
fn plain_words(error: RescueError) -> SealError {
    match error {
        RescueError::Failed { status: 3 | 4, said, .. } => SealError::InTheWay(said),
        error => error.into(),
    }
}
