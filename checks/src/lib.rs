//! What a golden image must be.
//!
//! A [`Fact`] is one thing a machine can be asked, typed; a [`Check`] judges one fact against what an [`Expectation`]
//! wants. Nothing here opens a file or a socket: the harness gathers, this crate reads and judges.
//!
//! A new check is a unit struct in its topic with one impl of [`Check`], its line in the topic's `CHECKS`, its
//! recordings, and its value in `matrices/distros`. Nothing else has to change.

pub mod boot;
pub mod check;
pub mod cloud;
pub mod console;
pub mod expect;
pub mod fact;
pub mod fault;
mod files;
pub mod image;
mod lists;
pub mod modules;
pub mod network;
pub mod outcome;
pub mod packages;
pub mod pattern;
pub mod probe;
pub mod recording;
pub mod replay;
pub mod scenarios;
pub mod seal;
pub mod security;
pub mod step;
pub mod traits;
pub mod zfs;

pub use check::{About, AnyCheck, Check, Cost, Need};
pub use expect::{Book, Expectation, Origin};
pub use fact::{Fact, Unreadable};
pub use outcome::{Outcome, SkipCause, Status, Verdict};
pub use probe::{Effect, Exit, Output, Probe, Source};
pub use traits::{Group, Traits};

/// Every check that is built in, by topic.
pub static TOPICS: &[&[&dyn AnyCheck]] = &[
    boot::CHECKS,
    cloud::CHECKS,
    console::CHECKS,
    image::CHECKS,
    modules::CHECKS,
    network::CHECKS,
    packages::CHECKS,
    seal::CHECKS,
    security::CHECKS,
    zfs::CHECKS,
];

/// Every built-in check, topics in order.
pub fn all() -> impl Iterator<Item = &'static dyn AnyCheck> {
    TOPICS.iter().flat_map(|topic| topic.iter().copied())
}
