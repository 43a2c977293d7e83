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
    /// A check has come to its end.
    Judged(Box<Outcome>),
    /// The machine is gone; what is left is reading the rest of the image file.
    Hashing,
}
