//! What a run tells while it goes on. Whoever shows it decides how.

use std::time::Duration;

use kverify_checks::Outcome;

/// One step of a run.
#[derive(Clone, Debug)]
pub enum Progress {
    /// QEMU runs.
    Started {
        /// The accelerator.
        accel: String,
        /// Why that one.
        why: String,
    },
    /// A command still builds; told about once a second.
    Building {
        /// Time since it was started.
        age: Duration,
        /// The last line that it said.
        line: String,
    },
    /// It still boots; told about once a second.
    Booting {
        /// Time since QEMU was started.
        age: Duration,
        /// The console's last line.
        line: String,
    },
    /// Somebody logged in.
    LoggedIn {
        /// Time since QEMU was started.
        age: Duration,
    },
    /// Every boot job is done.
    Settled {
        /// Time since QEMU was started.
        age: Duration,
    },
    /// Probes are being answered.
    Asking {
        /// How many are answered.
        done: usize,
        /// How many there are.
        of: usize,
        /// `quick` or `deep`.
        what: &'static str,
    },
    /// The machine is left alone for a while, and what it sends is watched.
    Soaking {
        /// For how long.
        time: Duration,
    },
    /// The machine was captured.
    Captured {
        /// Time that it took.
        took: Duration,
    },
    /// The rest is asked of forks.
    Forking {
        /// How many forks are asked.
        forks: usize,
        /// How many forks are alive at once.
        at_once: usize,
        /// What limits that, where it is not the number of processors.
        limit: Option<String>,
    },
    /// The machine could not be captured; the rest is asked of itself.
    NotCaptured {
        /// Why.
        why: String,
    },
    /// A machine that an earlier run captured is forked instead of booted.
    Warm {
        /// When it was captured (RFC 3339).
        captured: String,
    },
    /// What an earlier run captured cannot be used, and is gone.
    Dropped {
        /// Why.
        why: String,
    },
    /// The captured machine was kept for the next run, or was not.
    Kept {
        /// Why not.
        why_not: Option<String>,
    },
    /// A scenario begins.
    Playing {
        /// Its name.
        name: String,
        /// What has to hold.
        about: String,
    },
    /// A step of a scenario begins.
    Step {
        /// What it does.
        about: String,
    },
    /// A check has come to its end.
    Judged(Box<Outcome>),
    /// The machine is gone; what is left is reading the rest of the image file.
    Hashing,
}
