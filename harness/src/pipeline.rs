//! What stands before and behind a verdict: making an image.

mod build;

pub use build::{BuildError, BuildRequest, Done, build};
