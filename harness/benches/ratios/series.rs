//! Several measurements of one thing.

use std::fmt;

/// Measurements in the order in which they were made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series(pub(crate) Vec<f64>);

impl Series {
    /// The `share`-quantile, by the nearest rank.
    fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few dozen"
        )]
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted[rank.clamp(1, sorted.len()) - 1]
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    pub(crate) fn push(&mut self, seconds: f64) {
        self.0.push(seconds);
    }

    /// Least, median, and what 19 of 20 stay under.
    pub(crate) fn spread(&self) -> String {
        format!("{:.2} / {:.2} / {:.2}", self.quantile(0.0), self.median(), self.quantile(0.95))
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} (", self.median())?;
        for (index, seconds) in self.0.iter().enumerate() {
            write!(f, "{}{seconds:.2}", if index == 0 { "" } else { ", " })?;
        }
        write!(f, ")")
    }
}
