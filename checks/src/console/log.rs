//! The whole serial console, read for trouble.

use crate::{
    console::{Trouble, plain},
    fact::{Fact, Unreadable},
    probe::{Output, Probe},
};

/// What the serial console tells of trouble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleLog {
    /// How many lines there are.
    pub lines: usize,
    /// The lines that tell of trouble, in order.
    pub troubles: Vec<Sighting>,
}

/// One line that tells of trouble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The kind.
    pub trouble: Trouble,
    /// The line's number, from 1.
    pub line: usize,
    /// What it says, without escape sequences.
    pub text: String,
}

impl Fact for ConsoleLog {
    const ID: &'static str = "console.log";

    fn probes() -> Vec<Probe> {
        vec![Probe::console()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let text = out[0].ok()?;
        let mut log = Self { lines: 0, troubles: Vec::new() };
        let mut system_spoke = false;
        for (at, line) in text.lines().map(plain).enumerate() {
            log.lines = at + 1;
            system_spoke |= is_of_a_system(&line);
            if let Some(trouble) = Trouble::of(&line) {
                log.troubles.push(Sighting { trouble, line: at + 1, text: line.trim().to_owned() });
            }
        }
        // A system that does not write to the serial console would otherwise have no trouble, ever.
        let of_firmware = |sighting: &Sighting| sighting.trouble == Trouble::NothingToBoot;
        if !system_spoke && log.troubles.iter().all(of_firmware) {
            return Err(Unreadable::new("no kernel, service manager or login prompt wrote to the serial console"));
        }
        Ok(log)
    }
}

/// Whether a line was written by a kernel, a service manager or a login prompt, and not by firmware or a boot loader.
fn is_of_a_system(line: &str) -> bool {
    let kernel = line.strip_prefix('[').and_then(|rest| rest.split_once(']')).is_some_and(|(stamp, _)| {
        let stamp = stamp.trim_start();
        stamp == "OK" || stamp.trim_end() == "OK" || stamp.parse::<f64>().is_ok()
    });
    kernel || line.contains("systemd[1]: ") || line.trim_end().ends_with(" login:")
}
