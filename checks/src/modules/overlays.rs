//! Overlays, mounted and written through: what container runtimes keep their layers in.

use std::time::Duration;

use toml::Value;

use super::trials::Trials;
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// What came of an overlay on tmpfs, and of one where /var/tmp is, by the names of the file systems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlays(Trials);

impl Fact for Overlays {
    const ID: &'static str = "modules.overlays";

    fn probes() -> Vec<Probe> {
        let probe = Probe::root(["sh", "-c", include_str!("overlay.sh")]);
        vec![probe.touches().limit(Duration::from_mins(2))]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        Ok(Self(Trials::read(&out[0], 2)?))
    }
}

/// Overlays can be written on the expected file systems.
pub struct OverlaysWork;

impl Check for OverlaysWork {
    type Fact = Overlays;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "modules.overlays-work",
            demand: "an overlay mounts and takes writes on the expected file systems",
            remedy: "install the full kernel package and let the overlay module load; on ZFS it takes OpenZFS 2.2",
            key: "modules.overlays",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        (!image.modules.overlays.is_empty()).then(|| image.modules.overlays.clone())
    }

    fn judge(&self, got: &Overlays, want: &Vec<String>) -> Verdict {
        got.0.verdict(want)
    }

    fn observed(&self, got: &Overlays) -> Option<Value> {
        Some(got.0.working())
    }
}
