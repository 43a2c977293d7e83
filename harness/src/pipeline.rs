//! What stands before and behind a verdict: making an image, sealing it, keeping it, and moving channels to it.

mod build;
mod export;
mod fetch;
pub mod golden;
mod group;
pub mod journal;
mod named;
pub mod promotion;
pub mod rotation;
mod seal;
mod send;
pub mod shelf;
pub mod store;

pub use build::{BuildError, BuildRequest, CommandRequest, Done, build, build_by};
pub use export::{
    Compression, ConvertError, Export, ExportError, ExportRequest, Flaw, Prepared, RECORD, SUMS, export, finished,
};
pub use fetch::{FetchError, Wanted, fetch};
pub(crate) use named::folder_of;
pub use seal::{Scrub, SealError, SealRequest, Sealed, Snapshots, seal};
pub use send::{How, Parcel, ScpTarget, SendError, SendRequest, Sent, SentFile, Sums, TargetError, send, try_target};
