//! A program that is timed, and what it used itself, without its children.

use std::{
    io::{Read as _, Seek as _},
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// How often the peak of its memory is read.
const LOOK: Duration = Duration::from_millis(50);

/// How long a program may take.
const LIMIT: Duration = Duration::from_mins(30);

/// What a program used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    /// From its start to its end, in seconds.
    pub(crate) wall: f64,
    /// CPU time of its own, in seconds; that of QEMU and other children is not in it.
    pub(crate) cpu: f64,
    /// The most memory that it held, in MiB.
    pub(crate) peak_mib: f64,
}

/// Runs it to its end. Ends the bench where it fails.
pub(crate) fn run(command: &mut Command) -> Used {
    let words = format!("{command:?}");
    let begun = Instant::now();
    let mut said = tempfile::tempfile().expect("a file for what it says");
    let output = said.try_clone().expect("a second handle");
    let mut child = command.stdout(output).spawn().unwrap_or_else(|error| panic!("{words}: {error}"));
    let pid = Pid::from_child(&child);
    let mut peak_kib = 0;
    // It is left to be waited for, so that its CPU time can still be read.
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    while waitid(WaitId::Pid(pid), look).expect("a child of ours").is_none() {
        if begun.elapsed() > LIMIT {
            let _ = child.kill();
            panic!("{words}: not done after {} s", LIMIT.as_secs());
        }
        peak_kib = peak(pid).unwrap_or(peak_kib);
        std::thread::sleep(LOOK);
    }
    let wall = begun.elapsed().as_secs_f64();
    let cpu = cpu(pid).unwrap_or_else(|| panic!("{words}: no CPU time"));
    let status = child.wait().expect("a child of ours");
    if !status.success() {
        let mut text = String::new();
        let _ = said.rewind().and_then(|()| said.read_to_string(&mut text));
        panic!("{words}: {status}\n{text}");
    }
    Used { wall, cpu, peak_mib: f64::from(peak_kib) / 1024.0 }
}

fn peak(pid: Pid) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

fn cpu(pid: Pid) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name may hold spaces and brackets; the fields after its last bracket are numbered from 3.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let ticks: f64 = fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?;
    #[expect(clippy::cast_precision_loss, reason = "100 in practice")]
    let per_second = rustix::param::clock_ticks_per_second() as f64;
    Some(ticks / per_second)
}
