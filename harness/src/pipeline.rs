//! What stands before and behind a verdict: making an image, and sealing it.

mod build;
mod flatten;
mod named;
mod rescue;
mod seal;

pub use build::{BuildError, BuildRequest, Done, build};
pub use flatten::FlattenError;
pub use rescue::RescueError;
pub use seal::{Scrub, SealError, SealRequest, Sealed, Snapshots, seal};
