//! The report: one record of a run, and the views of it. Views compute nothing.

pub(crate) mod facts;
mod folder;
pub mod formats;
pub(crate) mod html;
mod human;
pub mod json;
pub mod junit;
mod matrix;
mod page;
pub mod plain;
mod record;
#[cfg(test)]
mod samples;
mod sbom;
mod style;
mod words;

#[cfg(test)]
pub(crate) use samples::{refuted as sample_refuted, verified as sample_verified};

pub use facts::{Facts, Known, Unknown};
pub(crate) use folder::{FACTS, REPORT, SBOM};
pub use folder::{Files, Folder, FolderError};
pub(crate) use human::mark;
pub use human::{finding, summary, table};
pub use matrix::{Difference, MatrixReport, RowReport, Shard, matrix_page, matrix_table};
pub use record::{Access, Carrier, Chosen, ChosenBy, Conclusion, MachineRecord, Report, Subject, Timings};
pub(crate) use record::{FORK_OF, TWIN};
pub use sbom::sbom;
pub use style::{Detail, Style};

pub(crate) use page::Page;
pub(crate) use style::Ink;
