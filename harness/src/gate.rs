//! The gate: evidence that is signed, what a channel demands, and whether an image may move on.
//!
//! [`decide`] is pure: it reads no file and no clock. Statements are in-toto's, signed in DSSE, so that other tools can
//! check them too.

mod decide;
mod envelope;
mod evidence;
mod exported;
mod key;
mod policy;
mod record;
mod revocation;
mod statement;
mod summary;
mod waiver;

pub use decide::{Case, Decision, Missing, decide};
pub use envelope::{Envelope, EnvelopeError, PayloadType};
pub use evidence::{Evidence, EvidenceError, TestResult};
#[cfg(test)]
pub(crate) use exported::sample as sample_export;
pub use exported::{Exported, ExportedError, ExportedFile, Firmware, Proof, SignedExport, Target};
pub use key::{KEY_VARIABLE, KeyError, PublicKey, SigningKey};
pub use policy::{Policy, PolicyError};
pub use record::{Action, Record, RecordError};
pub use revocation::Revocation;
pub use statement::{Resource, Statement, Subject};
pub use summary::{Summary, SummaryError};
pub use waiver::{Waiver, WaiverError, Waivers};
