//! An overlay of an image, booted and waited for.

use std::{path::Path, sync::Arc};

use super::{
    Progress, RunError,
    reach::{ReachError, Reached, reach},
    way_in::WayIn,
};
use crate::{
    image::Image,
    machine::{BootDisk, Machine, Media, Spec},
};

/// Starts a machine on an overlay of `image`, and waits until it has settled, ended, or used up its time.
pub(crate) async fn boot(
    image: &Arc<Image>,
    spec: &Spec,
    way_in: &WayIn,
    scratch: &Path,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(Machine, Result<Reached, ReachError>), RunError> {
    let media = Media {
        disk: BootDisk::OverlayOf(Arc::clone(image)),
        volumes: way_in.volumes()?,
        cdrom: None,
        network: true,
        reset_ends: false,
        scratch,
    };
    let machine = Machine::start(spec, &media).await?;
    let (accel, why) = machine.accel();
    progress(Progress::Started { accel: accel.to_string(), why: why.to_owned() });
    let reached = reach(&machine, &way_in.credential, way_in.seeded(), progress).await;
    Ok((machine, reached))
}
