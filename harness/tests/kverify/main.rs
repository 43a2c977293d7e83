//! The `kverify` command as its users run it: what it is given, what it says, how it exits, what it leaves behind.
//!
//! One binary for all integration tests, so that linking happens once. The guests are those of `fixtures/tiny`; the
//! modules that boot them are named in `.config/nextest.toml`, which keeps them from starving each other.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

mod boots;
mod builds;
mod call;
mod diffs;
mod exports;
mod forks;
mod host;
mod images;
mod interrupts;
mod leads;
mod left;
mod logins;
mod matrices;
mod pipelines;
mod place;
mod promotes;
mod running;
mod scenarios;
mod seals;
mod sends;
mod sshd;
mod tiny;
mod usage;
mod warm;
