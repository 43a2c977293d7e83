//! `kverify schema`.

use super::said::Said;
use crate::report::json;

/// The JSON schema of report.json.
pub(crate) fn said() -> Said {
    Said::well(json::schema())
}
