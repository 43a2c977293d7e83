//! What is known of a run without asking the guest: the image file, the boot, the console.

use std::{collections::HashMap, time::Duration};

use kverify_checks::{
    Exit, Output, Source, all,
    boot::{BootEnd, BootRecord},
    network::EgressRecord,
    probe::{ImageAspect, MachineAspect},
};

use super::reach::Reached;
use crate::{image::Image, machine::Machine};

/// Answers every probe about the image file that some check asks, blocking; but not [`content`], which reads all of it.
pub(crate) fn image(image: &Image) -> Vec<(Source, Output)> {
    answers(image, |source| *source != Source::Image(ImageAspect::Content))
}

/// What is not zero on the devices of pools, blocking.
pub(crate) fn content(image: &Image) -> Vec<(Source, Output)> {
    answers(image, |source| *source == Source::Image(ImageAspect::Content))
}

fn answers(image: &Image, of: impl Fn(&Source) -> bool) -> Vec<(Source, Output)> {
    let probes = all().flat_map(|check| (check.fact().probes)());
    let asked: HashMap<_, _> = probes.map(|probe| (probe.source.clone(), probe)).collect();
    let asked = asked.into_iter().filter(|(source, _)| of(source));
    asked.filter_map(|(source, probe)| Some((source, image.answer(&probe)?))).collect()
}

/// How the boot went.
pub(crate) fn boot(machine: &Machine, reached: &Reached) -> (Source, Output) {
    let (end, age) = match reached {
        Reached::Settled(arrival) => (BootEnd::Settled, arrival.settled),
        Reached::Ended(end) => (end.clone(), machine.age()),
    };
    let record = BootRecord {
        end,
        seconds: age.as_secs_f64(),
        accelerator: machine.accel().0.to_string(),
        firmware: "uefi".to_owned(),
        memory_mib: machine.spec().memory_mib,
        cpus: machine.spec().cpus,
    };
    (Source::Machine(MachineAspect::Boot), json(&record))
}

/// What the network around a machine serves, and what the machine wanted of it: up to now, or as far as `seen` knows
/// already. Where the network is not ours, that nobody knows.
pub(crate) async fn network(machine: &Machine, seen: &mut Option<EgressRecord>) -> Vec<(Source, Output)> {
    let (address, egress) = match machine.lab() {
        None => (complained(&"slirp has no names of its own"), complained(&"slirp does not tell what the guest sends")),
        Some(lab) => {
            let address = lab.address_of_its_name().await;
            let address = address.map_or_else(|error| complained(&error), |address| said(address.to_string()));
            (address, json(seen.get_or_insert_with(|| lab.egress())))
        }
    };
    vec![(Source::Machine(MachineAspect::LabAddress), address), (Source::Machine(MachineAspect::Egress), egress)]
}

/// What the harness itself knows, as an answer.
pub(crate) fn json(known: &impl serde::Serialize) -> Output {
    serde_json::to_string(known).map_or_else(|error| complained(&error), said)
}

/// How a boot went of which an earlier run said this.
pub(crate) fn boot_of(record: &str) -> (Source, Output) {
    (Source::Machine(MachineAspect::Boot), said(record.to_owned()))
}

/// A console that said this.
pub(crate) fn console_of(bytes: &[u8]) -> (Source, Output) {
    (Source::Console, said(String::from_utf8_lossy(bytes).into_owned()))
}

fn said(stdout: String) -> Output {
    Output { exit: Exit::Code(0), stdout, stderr: String::new(), truncated: false, took: Duration::ZERO }
}

fn complained(why: &impl ToString) -> Output {
    Output {
        exit: Exit::Code(1),
        stdout: String::new(),
        stderr: why.to_string(),
        truncated: false,
        took: Duration::ZERO,
    }
}
