//! A run: what is asked of an image, in which order, with which deadlines, and what came of it.

mod ask;
mod begun;
mod boot;
mod choose;
mod fingerprint;
mod forks;
mod gather;
mod hashing;
mod observe;
mod observed;
mod plan;
mod progress;
mod reach;
mod record;
mod rest;
mod scenario;
mod told;
mod verify;
mod warm;
mod way_in;

pub use choose::GuestName;
pub use observe::observed;
pub(crate) use plan::Plan;
pub use plan::{Filter, FilterError};
pub use progress::Progress;
pub use reach::ReachError;
pub use record::{Case, Plan as RecordPlan, RecordError, RecordRequest, record};
pub use scenario::scenario_named;
pub(crate) use scenario::unplayed;
pub use verify::{Request, Run, RunError, verify};
pub use warm::{LIMIT as WARM_LIMIT, Swept, Warm};
