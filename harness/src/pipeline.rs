//! What stands before and behind a verdict: making an image, and keeping it.

mod build;
mod named;
pub mod store;

pub use build::{BuildError, BuildRequest, Done, build};
pub use named::name;
