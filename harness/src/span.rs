//! Times that people write, as 90s, 10m or 1h30m.

use std::time::Duration;

use jiff::SignedDuration;

/// The time, unless it is none, or a negative one.
pub(crate) fn span(text: &str) -> Option<Duration> {
    Duration::try_from(text.parse::<SignedDuration>().ok()?).ok()
}
