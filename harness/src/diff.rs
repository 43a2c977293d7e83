//! What changed between two images: what one run knew of the one, held against what another knew of the other.
//!
//! Nothing is asked here, and nothing judged: a value that only one side was asked for is named as not compared.

mod between;
mod change;
pub(crate) mod html;
mod operand;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

pub use between::NothingShared;
pub use change::{Change, Changed, Diff, Kind, Measured, NotCompared, Side, Which};
pub use operand::{OperandError, is_image, read};
