//! The report: one record of a run, and the views of it. Views compute nothing.

pub mod plain;
mod record;

pub use record::{Access, Carrier, Chosen, ChosenBy, Conclusion, MachineRecord, Report, Subject, Timings};
