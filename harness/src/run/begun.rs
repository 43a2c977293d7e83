//! A run's machine once it is known what became of its boot: booted for this run, or a fork of one that was kept.

use std::{path::Path, sync::Arc};

use kverify_checks::{Output, Source};

use super::{
    GuestName, Progress, RunError,
    boot::boot_disk,
    forks, observed,
    reach::{ReachError, Reached},
    warm::{Entry, Kept},
    way_in::WayIn,
};
use crate::{
    image::Image,
    lab::Capture,
    machine::{BootDisk, Machine, Snapshot, Spec},
    report::{Access, Carrier, FORK_OF, MachineRecord, Timings},
    session::Session,
};

/// A machine, and what is known of it without asking it.
pub(super) struct Begun {
    pub(super) way_in: WayIn,
    pub(super) name: GuestName,
    /// How the boot went, where that is known.
    pub(super) boot: Option<(Source, Output)>,
    /// What the console of the machine that it was forked from said.
    pub(super) said_before: Vec<u8>,
    pub(super) record: MachineRecord,
    pub(super) machine: Machine,
    pub(super) state: State,
    /// In use as long as the run.
    pub(super) entry: Option<Entry>,
}

/// What became of the boot.
pub(super) enum State {
    /// A settled system, and a session to it; captured, if it is a fork itself.
    Settled(Session, Option<Snapshot>),
    /// No system that can be asked.
    Unready {
        /// Why.
        why: String,
        /// Whether the boot came to its end, so that its console is all that it said.
        ended: bool,
    },
}

impl Begun {
    /// Boots an overlay of the image; `capture` sees its network.
    pub(super) async fn cold(
        image: &Arc<Image>,
        spec: &Spec,
        way_in: WayIn,
        scratch: &Path,
        capture: Option<&Capture>,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Self, RunError> {
        let disk = BootDisk::OverlayOf(Arc::clone(image));
        let (machine, reached) = boot_disk(disk, spec, &way_in, scratch, capture, progress).await?;
        let boot = reached.as_ref().ok().map(|reached| observed::boot(&machine, reached));
        let mut record = MachineRecord {
            access: if way_in.seeded() { Access::Seeded } else { Access::Own },
            ..record_of(&machine, "cold-1")
        };
        let (name, state) = match reached {
            Ok(Reached::Settled(arrival)) => {
                record.timings.login = Some(arrival.login.as_secs_f64());
                record.timings.settled = Some(arrival.settled.as_secs_f64());
                (arrival.name, State::Settled(arrival.session, None))
            }
            Ok(Reached::Ended(end)) => {
                record.carrier = Carrier::None;
                let why = format!("not asked: {end}");
                (GuestName::default(), State::Unready { why, ended: true })
            }
            // Its console and its screen are what somebody will want to see.
            Err(error @ (ReachError::StillBooting { .. } | ReachError::NoWayIn(_))) => {
                record.carrier = Carrier::None;
                (GuestName::default(), State::Unready { why: error.to_string(), ended: false })
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self { way_in, name, boot, said_before: Vec::new(), record, machine, state, entry: None })
    }

    /// Forks a machine that was kept.
    ///
    /// Gives the way in back with the reason, where it cannot be forked.
    pub(super) async fn warm(entry: Entry, own: WayIn) -> Result<Self, (String, WayIn)> {
        let (machine, session) = match forks::fork(&entry.snapshot).await {
            Ok(begun) => begun,
            Err(why) => return Err((why, own)),
        };
        let Kept { seed, name, boot, record } = &entry.kept;
        let way_in = seed.clone().map_or(own, WayIn::seeded_by);
        let timings = Timings { login: Some(machine.age().as_secs_f64()), ..Timings::default() };
        let record = MachineRecord {
            id: "warm-1".to_owned(),
            boot: format!("{FORK_OF}{}", entry.snapshot.at()),
            carrier: Carrier::Port,
            timings,
            ..record.clone()
        };
        Ok(Self {
            way_in,
            name: name.clone(),
            boot: Some(observed::boot_of(boot)),
            said_before: entry.console.clone(),
            record,
            machine,
            state: State::Settled(session, Some(entry.snapshot.clone())),
            entry: Some(entry),
        })
    }
}

/// The record of a machine that has just been booted, entered by a seed.
pub(super) fn record_of(machine: &Machine, id: &str) -> MachineRecord {
    let (accel, why) = machine.accel();
    MachineRecord {
        id: id.to_owned(),
        memory_mib: machine.spec().memory_mib,
        cpus: machine.spec().cpus,
        firmware: machine.spec().firmware.word().to_owned(),
        firmware_vars: machine.firmware_vars().map(|digest| digest.to_string()),
        accelerator: accel.to_string(),
        accelerator_why: why.to_owned(),
        qemu: machine.qemu().to_owned(),
        boot: "cold".to_owned(),
        carrier: Carrier::Ssh,
        access: Access::Seeded,
        network: machine.spec().network.to_string(),
        egress: None,
        timings: Timings::default(),
        not_captured: None,
        console_tail: Vec::new(),
    }
}
