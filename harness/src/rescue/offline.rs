//! The disk of an image while its own system does not run: every file system and snapshot, walked from a rescue system.
//!
//! Nothing of what is asked comes from the image: neither kernel nor program.

use std::{
    fmt::Write as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use kverify_checks::{Output, Probe, image::Layout};

use super::{Job, Rescue, RescueError};
use crate::{
    image::Image,
    machine::{BootDisk, Machine, Media, Off, Spec, Typist},
};

/// The disk as the rescue system sees it.
pub(crate) const DISK: &str = "/dev/vda";
/// What steps find: where the root file system and the EFI system partition are mounted.
const PLACES: &str = "place() { awk -F '\\t' -v at=\"$1\" '$3 == at { print \"/tree/\" $1; exit }' /run/trees; }\n\
                      root=$(place /) esp=$(place /boot/efi)\n";
/// Those that were mounted last first: some are within others.
const GIVE_UP: &str = "cut -f1 /run/trees | sort -rn | while read -r number; do umount \"/tree/$number\" || exit 1; done\n\
                       zpool export -a\n";
const LIMIT: Duration = Duration::from_mins(10);

/// Whether what is mounted can be changed, on an overlay that goes with the rescue system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// No.
    ReadOnly,
    /// Yes: for tests that have to see what a change does.
    Writable,
}

/// A rescue system beside an image's disk, with all that is on it mounted.
pub(crate) struct Offline {
    rescue: Rescue,
    /// From its start until all was mounted.
    pub(crate) ready: Duration,
}

/// The devices of pools, and the EFI system partition, as shell variables.
pub(crate) fn devices(layout: &Layout) -> [(&'static str, String); 2] {
    let device = |number: u32| if number == 0 { DISK.to_owned() } else { format!("{DISK}{number}") };
    let pools: Vec<_> = layout.labels.iter().map(|label| device(label.partition)).collect();
    let esp = layout.esp.as_ref().map(|esp| device(esp.partition)).unwrap_or_default();
    [("pool_devices", pools.join(" ")), ("esp", esp)]
}

/// Shell variables, quoted.
pub(crate) fn assignments<'a>(values: impl IntoIterator<Item = (&'a str, String)>) -> String {
    values.into_iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name}='{}'", value.replace('\'', r"'\''"));
        text
    })
}

impl Offline {
    /// Starts the kernel of the medium at `installer` beside a fresh overlay of the image, and mounts what is on it.
    ///
    /// # Errors
    /// [`RescueError`] where it does not start, or the pools cannot be imported.
    pub(crate) async fn open(
        image: &Arc<Image>,
        installer: &Path,
        spec: &Spec,
        scratch: &Path,
        how: How,
    ) -> Result<Self, RescueError> {
        let begun = Instant::now();
        let layout = image.layout().map_err(RescueError::Disk)?;
        let hostid = layout.labels.first().and_then(|label| label.hostid).and_then(|id| u32::try_from(id).ok());
        let kernel = Rescue::kernel(installer, hostid.unwrap_or(0).to_ne_bytes())?;
        let media = Media {
            disk: BootDisk::OverlayOf(Arc::clone(image)),
            volumes: Vec::new(),
            cdrom: None,
            kernel: Some(&kernel),
            network: false,
            plug: None,
            cloud: None,
            capture: None,
            reset_ends: true,
            typist: Typist::Keyboard,
            scratch,
        };
        let rescue = Rescue::begin(Machine::start(spec, &media).await?).await?;
        let how = if how == How::ReadOnly { "readonly" } else { "writable" };
        let variables = assignments(devices(&layout).into_iter().chain([("how", how.to_owned())]));
        let script = format!("{variables}{}", include_str!("trees.sh"));
        rescue.run(&Job { doing: "mounting what is on the disk", script: &script, limit: LIMIT }).await?;
        Ok(Self { rescue, ready: begun.elapsed() })
    }

    /// The machine that it runs on.
    pub(crate) fn machine(&self) -> &Machine {
        &self.rescue.machine
    }

    /// Answers probes, which are asked there as commands.
    ///
    /// # Errors
    /// [`RescueError`] where the rescue system does not answer.
    pub(crate) async fn ask(&self, probes: &[Probe]) -> Result<Vec<Output>, RescueError> {
        const DOING: &str = "walking the disk";
        tokio::select! {
            asked = self.rescue.session.ask(probes, |_| ()) => {
                asked.map_err(|source| RescueError::Session { doing: DOING, source })
            }
            end = self.rescue.machine.over() => Err(self.rescue.ended(DOING, end)),
        }
    }

    /// Runs a script, which has to end with 0.
    ///
    /// # Errors
    /// [`RescueError`] where it does not.
    pub(crate) async fn script(&self, doing: &'static str, script: &str) -> Result<String, RescueError> {
        self.rescue.run(&Job { doing, script, limit: LIMIT }).await
    }

    /// The same under `set -e`, with `root` and `esp` the places of those file systems, and `place AT` that of another.
    ///
    /// # Errors
    /// [`RescueError`] where it does not end with 0.
    pub(crate) async fn step(&self, doing: &'static str, script: &str) -> Result<String, RescueError> {
        self.script(doing, &format!("set -e\n{PLACES}{script}\n")).await
    }

    /// Unmounts what is mounted and exports the pools, so that they are nobody's, and ends it.
    ///
    /// # Errors
    /// [`RescueError`] where the pools are not given up.
    pub(crate) async fn give_up(self) -> Result<Off, RescueError> {
        self.script("giving up the pools", GIVE_UP).await?;
        Ok(self.rescue.end().await)
    }

    /// Cuts its power: the pools stay in use by it.
    pub(crate) async fn cut_off(self) -> Off {
        self.rescue.machine.cut_power().await
    }

    /// Ends it.
    pub(crate) async fn end(self) {
        self.rescue.end().await;
    }
}
