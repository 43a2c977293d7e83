//! The carriers of probes: what takes a batch of questions into a machine and brings the answers back.

mod batch;
mod credential;
mod ssh;

pub use batch::BatchError;
pub use credential::{Credential, RunKey};
pub use ssh::{LoginError, Ssh, SshError};
