//! An overlay of an image, booted and waited for.

use std::{path::Path, sync::Arc};

use super::{
    Progress, RunError,
    reach::{ReachError, Reached, reach},
    way_in::WayIn,
};
use crate::{
    image::Image,
    lab::Capture,
    machine::{BootDisk, Machine, Media, Spec, Typist},
};

/// Starts a machine on a disk that it may write, and waits until it has settled, ended, or used up its time; `capture`
/// sees its network.
pub(crate) async fn boot_disk(
    disk: BootDisk<'_>,
    spec: &Spec,
    way_in: &WayIn,
    scratch: &Path,
    capture: Option<&Capture>,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(Machine, Result<Reached, ReachError>), RunError> {
    let media = Media {
        disk,
        volumes: way_in.volumes()?,
        cdrom: None,
        kernel: None,
        network: true,
        plug: way_in.plug(),
        cloud: way_in.cloud(),
        capture,
        reset_ends: false,
        typist: Typist::Keyboard,
        scratch,
    };
    let machine = Machine::start(spec, &media).await?;
    let (accel, why) = machine.accel();
    progress(Progress::Started { accel: accel.to_string(), why: why.to_owned() });
    let reached = reach(&machine, &way_in.credential, way_in.seeded(), progress).await;
    Ok((machine, reached))
}

/// The same on an overlay of `image`, whose network nobody sees.
pub(crate) async fn boot(
    image: &Arc<Image>,
    spec: &Spec,
    way_in: &WayIn,
    scratch: &Path,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(Machine, Result<Reached, ReachError>), RunError> {
    boot_disk(BootDisk::OverlayOf(Arc::clone(image)), spec, way_in, scratch, None, progress).await
}
