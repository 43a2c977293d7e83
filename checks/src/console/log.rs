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
    // A console that logs in by itself adds to the prompt, or prints none.
    let login = line.trim_end().ends_with(" login:") || line.contains(" (automatic login)");
    kernel || login || line.contains("systemd[1]: ") || is_of_alpine(line)
}

/// With a quiet kernel, the initramfs of Alpine and `OpenRC` name themselves once each.
fn is_of_alpine(line: &str) -> bool {
    let line = line.trim_start();
    let openrc = line.strip_prefix("OpenRC ").is_some_and(|rest| rest.contains(" is starting up Linux "));
    openrc || line.starts_with("Alpine Init ")
}

#[cfg(test)]
mod tests {
    use super::is_of_a_system;

    #[test]
    fn lines_of_a_system_are_told_from_those_of_firmware() {
        for line in [
            "[    0.000000] Linux version 6.12.5-arch1-1",
            "[  OK  ] Reached target local-fs.target.",
            "Alpine Init 3.10.1-r0",
            "   OpenRC 0.63 is starting up Linux 6.18.44-0-lts (aarch64)",
            "localhost login: ",
            "localhost login: root (automatic login)",
        ] {
            assert!(is_of_a_system(line), "{line}");
        }
        for line in ["BdsDxe: starting Boot0001", "ISOLINUX 6.04 6.04-pre1", "[Bds]Booting", "boot:"] {
            assert!(!is_of_a_system(line), "{line}");
        }
    }
}
