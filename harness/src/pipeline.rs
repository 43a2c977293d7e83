//! What stands before and behind a verdict: making an image, and naming it once it is done.

mod build;
mod named;

pub use build::{BuildError, BuildRequest, Done, build};
pub use named::name;
