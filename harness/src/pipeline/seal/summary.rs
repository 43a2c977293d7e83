//! What was done to an image on its way to a sealed one: for people, and as JSON.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::Snapshots;
use crate::report::plain;

/// The most characters of one line of a guest's.
const LINE: usize = 1024;

/// A sealed image, and what became of what it was made of.
#[derive(Debug, Default, Serialize)]
pub struct Sealed {
    /// kverify's version.
    pub kverify: String,
    /// The image that was sealed, as it was given.
    pub image: String,
    /// The sealed one.
    pub out: String,
    /// What sealed the running system: a program of its own, or `kverify`.
    pub sealed_by: String,
    /// The script of the caller's that ran after that.
    pub steps: Option<String>,
    /// What was removed once the system was off.
    pub removed: Vec<String>,
    /// Files that were emptied.
    pub emptied: Vec<String>,
    /// What was left, for a person to judge.
    pub left: Vec<String>,
    /// What was done about snapshots.
    pub snapshots: Snapshots,
    /// Those destroyed and taken again.
    pub renewed: Vec<String>,
    /// Those destroyed.
    pub destroyed: Vec<String>,
    /// Those kept as they were.
    pub kept: Vec<String>,
    /// Whether free blocks were left behind.
    pub scrubbed: bool,
    /// The pools with the bytes that they hold.
    pub pools: Vec<(String, u64)>,
    /// What the EFI system partition holds, in bytes.
    pub esp_bytes: u64,
    /// What the sealed file takes on its file system, in bytes.
    pub allocated_bytes: u64,
    /// The steps, with the time of each in seconds.
    pub stages: Vec<(&'static str, f64)>,
}

impl Sealed {
    /// What pools and EFI system partition hold, in bytes.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.pools.iter().map(|(_, bytes)| bytes).sum::<u64>() + self.esp_bytes
    }

    /// How much larger the file is than what it holds, in per cent.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
    pub fn over_percent(&self) -> f64 {
        (self.allocated_bytes as f64 / self.held_bytes().max(1) as f64 - 1.0) * 100.0
    }

    /// Takes down how long a step took that began at `begun`.
    pub(super) fn stage(&mut self, name: &'static str, begun: Instant) {
        self.stages.push((name, seconds(begun.elapsed())));
    }

    /// Takes down the `KEY=VALUE` lines of a script.
    pub(super) fn note(&mut self, said: &str) {
        for (key, value) in said.lines().filter_map(|line| line.split_once('=')) {
            let text = || plain::line(value, LINE);
            match key {
                "removed" => self.removed.push(text()),
                "emptied" => self.emptied.push(text()),
                "left" => self.left.push(text()),
                "renewed" => self.renewed.push(text()),
                "destroyed" => self.destroyed.push(text()),
                "kept" => self.kept.push(text()),
                "esp_kib" => self.esp_bytes = value.trim().parse::<u64>().unwrap_or(0) * 1024,
                "pool" => {
                    let (name, bytes) = value.rsplit_once(' ').unwrap_or((value, "0"));
                    self.pools.push((plain::line(name, LINE), bytes.trim().parse().unwrap_or(0)));
                }
                _ => {}
            }
        }
    }
}

fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::Sealed;

    #[test]
    fn what_scripts_say_is_taken_down() {
        let mut sealed = Sealed::default();
        sealed.note(
            "removed=/etc/ssh/ssh_host_key\nnothing\nleft=\u{1b}[31m/etc/key\nesp_kib=40960\npool=r pool 1000000\n",
        );
        assert_eq!(sealed.removed, ["/etc/ssh/ssh_host_key"]);
        assert_eq!(sealed.left, ["/etc/key"]);
        assert_eq!(sealed.pools, [("r pool".to_owned(), 1_000_000)]);
        assert_eq!(sealed.held_bytes(), 1_000_000 + 40_960 * 1024);
        sealed.allocated_bytes = sealed.held_bytes() / 100 * 103;
        assert!((sealed.over_percent() - 3.0).abs() < 0.01);
    }
}
