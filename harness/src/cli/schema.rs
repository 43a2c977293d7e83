//! `kverify schema`.

use super::said::Said;
use crate::report::json;

/// Options of `kverify schema`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Of which file of a report.
    #[arg(value_enum, value_name = "FILE", default_value = "report.json")]
    of: Of,
}

/// The files of a report that have a schema.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Of {
    /// What came of the run.
    #[value(name = "report.json")]
    Report,
    /// What is known of the image.
    #[value(name = "facts.json")]
    Facts,
    /// What came of a matrix.
    #[value(name = "matrix.json")]
    Matrix,
}

/// The JSON schema.
pub(crate) fn said(args: &Args) -> Said {
    Said::well(match args.of {
        Of::Report => json::schema(),
        Of::Facts => json::schema_of_facts(),
        Of::Matrix => json::schema_of_matrix(),
    })
}
