//! The part of a seal that a rescue system does once the image's own is off: what a system cannot do to the disk that it
//! runs from, or would undo at its own shutdown.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use kverify_checks::image::Layout;

use super::{SealError, SealRequest, Snapshots, summary::Sealed, survey::Survey};
use crate::{
    machine::{Kernel, Off},
    pipeline::rescue::{Job, Rescue, RescueError},
    run::{Progress, WayIn},
};

/// The disk as the rescue system sees it.
const DISK: &str = "/dev/vda";
const SHORT: Duration = Duration::from_mins(5);
/// What walks all of a disk has as long as a large one takes.
const LONG: Duration = Duration::from_hours(1);

/// How the free blocks of a pool are given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scrub {
    /// They are discarded, to the smallest piece.
    Trim,
    /// Zeros are written over them.
    Initialize,
    /// Not at all: for tests that have to see the difference.
    Not,
}

/// What the scripts want to know, as shell variables.
fn variables(request: &SealRequest, layout: &Layout, survey: &Survey, way_in: &WayIn) -> String {
    let device = |number: u32| if number == 0 { DISK.to_owned() } else { format!("{DISK}{number}") };
    let pools: Vec<_> = layout.labels.iter().map(|label| device(label.partition)).collect();
    let esp = layout.esp.as_ref().map(|esp| device(esp.partition)).unwrap_or_default();
    let (user, marks) = way_in.marks().unwrap_or(("", Vec::new()));
    // The marks go into an extended regular expression; the one character of a key that means something there is `+`.
    let marks = marks.join("|").replace('+', "[+]");
    let method = match request.scrub {
        Scrub::Trim => "trim",
        Scrub::Initialize => "initialize",
        Scrub::Not => "none",
    };
    let values = [
        ("pool_devices", pools.join(" ")),
        ("esp", esp),
        ("root", survey.root.clone()),
        ("user", user.to_owned()),
        ("marks", marks),
        ("policy", request.snapshots.to_string()),
        ("method", method.to_owned()),
        ("scrub", if request.scrub == Scrub::Not { "no" } else { "yes" }.to_owned()),
    ];
    let mut text = String::new();
    for (name, value) in values {
        let _ = writeln!(text, "{name}='{}'", value.replace('\'', r"'\''"));
    }
    text
}

/// Starts the rescue system on the disk that was left, and has it done.
pub(super) async fn outside(
    request: &SealRequest,
    (off, kernel): (Off, &Kernel),
    layout: &Layout,
    survey: &Survey,
    way_in: &WayIn,
    sealed: &mut Sealed,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Off, SealError> {
    let begun = Instant::now();
    progress(Progress::Step { about: "a rescue system boots beside the disk".to_owned() });
    let rescue = Rescue::begin(off.start_kernel(kernel).await?).await?;
    sealed.stage("rescue boot", begun);
    let variables = variables(request, layout, survey, way_in);
    let renew =
        if request.snapshots == Snapshots::Keep { "keeping the snapshots" } else { "destroying what snapshots hold" };
    let jobs = [
        ("import", "importing the pools", include_str!("import.sh"), SHORT),
        ("sweep", "removing what identifies the machine", include_str!("sweep.sh"), LONG),
        ("esp", "clearing the free part of the EFI partition", include_str!("esp.sh"), SHORT),
        ("snapshots", renew, include_str!("snapshots.sh"), LONG),
        ("scrub", "giving back free blocks", include_str!("scrub.sh"), LONG),
        ("export", "exporting the pools", include_str!("export.sh"), SHORT),
    ];
    for (stage, doing, script, limit) in jobs {
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
