//! The machines: what each was made of, how its time went, and what it said and wanted.

use serde::Serialize;

use super::line;
use crate::report::{MachineRecord, plain, words};

#[derive(Serialize)]
pub(super) struct Span {
    name: &'static str,
    from: String,
    to: String,
    left: u32,
    width: u32,
}

#[derive(Serialize)]
pub(super) struct Egress {
    id: String,
    said: String,
    rows: Vec<Wanted>,
}

#[derive(Serialize)]
struct Wanted {
    first: String,
    what: String,
    times: u64,
}

#[derive(Serialize)]
pub(super) struct Console {
    id: String,
    lines: String,
}

#[derive(Serialize)]
pub(super) struct Machine {
    id: String,
    made: String,
    boot: String,
    way: &'static str,
    network: String,
}

impl Egress {
    pub(super) fn of(machine: &MachineRecord) -> Option<Self> {
        let egress = machine.egress.as_ref()?;
        let names = egress.names.iter().map(|asked| {
            (asked.first, format!("asked for {} ({})", line(&asked.name), line(&asked.kinds.join(", "))), asked.times)
        });
        let tried = egress.tried.iter().map(|tried| {
            let port = tried.port.map(|port| format!(" port {port}")).unwrap_or_default();
            let name = tried.name.as_ref().map(|name| format!(", {}", line(name))).unwrap_or_default();
            (tried.first, format!("{} to {}{port}{name}", line(&tried.protocol), tried.address), tried.times)
        });
        let mut rows: Vec<_> = names.chain(tried).collect();
        rows.sort_by(|one, other| one.0.total_cmp(&other.0));
        let lost = if egress.lost > 0 { format!("; {} more were not kept", egress.lost) } else { String::new() };
        Some(Self {
            id: line(&machine.id),
            said: format!("{} within {:.0} s{lost}", if rows.is_empty() { "nothing" } else { "all" }, egress.seconds),
            rows: rows
                .into_iter()
                .map(|(first, what, times)| Wanted { first: format!("{first:.1}"), what, times })
                .collect(),
        })
    }
}

impl Console {
    pub(super) fn of(machine: &MachineRecord) -> Option<Self> {
        let lines: Vec<_> = machine.console_tail.iter().map(|said| plain::line(said, 500)).collect();
        (!lines.is_empty()).then(|| Self { id: line(&machine.id), lines: lines.join("\n") })
    }
}

impl Machine {
    pub(super) fn of(machine: &MachineRecord) -> Self {
        let cpus = if machine.cpus == 1 { "CPU" } else { "CPUs" };
        Self {
            id: line(&machine.id),
            made: format!(
                "{} {cpus}, {} MiB, {}, QEMU {}, {} ({})",
                machine.cpus,
                machine.memory_mib,
                line(&machine.firmware),
                line(&machine.qemu),
                line(&machine.accelerator),
                line(&machine.accelerator_why)
            ),
            boot: line(&machine.boot).replace('_', " "),
            way: words::way(machine).unwrap_or("nothing: it never became ready"),
            network: line(&machine.network),
        }
    }
}

/// The machines; forks are told once for all.
pub(super) fn machines(machines: &[MachineRecord]) -> Vec<Machine> {
    let (forks, others): (Vec<_>, Vec<_>) = machines.iter().partition(|machine| machine.is_fork());
    let all = forks.first().map(|first| Machine { id: format!("{} forks", forks.len()), ..Machine::of(first) });
    others.into_iter().map(Machine::of).chain(all).collect()
}

/// What stands between the machine's start and the last answer, one span after the other.
pub(super) fn spans(machine: &MachineRecord) -> Vec<Span> {
    let times = &machine.timings;
    let ends = [
        ("booted, until the first login", times.login),
        ("settled", times.settled),
        ("asked what is quick", times.settled.zip(times.quick_checks).map(|(settled, quick)| settled + quick)),
        (
            "captured, and asked the rest of forks",
            times
                .settled
                .zip(times.quick_checks)
                .zip(times.deep_checks)
                .map(|((settled, quick), deep)| settled + quick + deep),
        ),
    ];
    let ends: Vec<_> = ends.into_iter().filter_map(|(name, end)| Some((name, end?))).collect();
    let all = ends.last().map_or(1.0, |(_, end)| end.max(0.001));
    // A picture of a thousand parts.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1000")]
    let part = |seconds: f64| (seconds / all * 1000.0).clamp(0.0, 1000.0) as u32;
    let mut before = 0.0;
    ends.into_iter()
        .map(|(name, end)| {
            let (left, right) = (part(before), part(end));
            let from = std::mem::replace(&mut before, end);
            Span {
                name,
                from: format!("{from:.1}"),
                to: format!("{end:.1}"),
                left,
                width: right.saturating_sub(left).max(1),
            }
        })
        .collect()
}
