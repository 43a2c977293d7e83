//! How it is found out what an image is, and what follows from it.
//!
//! It flows one way: [`report`] is made from what a run gathered, views are made from the report, and nothing to the
//! right is known to anything on its left.

pub mod book;
pub mod cli;
mod cloud;
pub mod diff;
pub mod faults;
pub mod gate;
mod glob;
pub mod image;
pub mod lab;
pub mod lead;
pub mod machine;
pub mod matrix;
mod memory;
pub mod pipeline;
mod replay;
pub mod report;
pub mod rescue;
pub mod run;
pub mod session;
mod shell;
mod span;
