//! That nobody has the pools any more: a pool that was not given up is refused by a machine of another host ID.

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    image::{Label, Layout},
    outcome::Verdict,
    probe::{ImageAspect, Output, Probe},
};

/// The labels of the pools' devices, as they stand in the image file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels(pub Vec<Label>);

impl Fact for Labels {
    const ID: &'static str = "seal.labels";

    fn probes() -> Vec<Probe> {
        vec![Probe::image(ImageAspect::Layout)]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        Ok(Self(Layout::parse(out)?.labels))
    }
}

/// Every pool was exported.
pub struct PoolsExported;

impl Check for PoolsExported {
    type Fact = Labels;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "seal.pools-exported",
            demand: "the label of every pool's device says EXPORTED",
            remedy: "a running system cannot export its own root pool: seal the image with `kverify seal`, or export it elsewhere",
            key: "seal.exported",
            cost: Cost::Quick,
            needs: &[Need::Sealed],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.seal.exported == Some(true)).then_some(())
    }

    fn judge(&self, got: &Labels, (): &()) -> Verdict {
        let said: Vec<_> = got.0.iter().map(|label| format!("{} {}", label.pool, label.state)).collect();
        let holds = !got.0.is_empty() && got.0.iter().all(|label| label.state == "EXPORTED");
        Verdict::of(holds, "every pool EXPORTED", if said.is_empty() { "no label".to_owned() } else { said.join(", ") })
    }
}
