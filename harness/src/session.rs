//! The carriers of probes: what takes a batch of questions into a machine and brings the answers back.

mod batch;
mod credential;
mod port;
mod shell;
mod ssh;
mod terminal;

pub use batch::BatchError;
pub use credential::{Credential, RunKey};
pub(crate) use port::AGENT_LIMIT;
pub use port::PortShell;
pub(crate) use shell::nonce;
pub use shell::{Session, SessionError};
pub use ssh::{LoginError, Ssh};
pub use terminal::{attach, is_at_hand};
