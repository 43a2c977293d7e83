//! The size of packets on the cards: one that is too large loses data silently where the network takes less.

use toml::Value;

use super::{Addressing, Interface};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    outcome::Verdict,
};

/// Every card that is up has the expected MTU.
pub struct MtuAsExpected;

impl Check for MtuAsExpected {
    type Fact = Addressing;
    type Want = u32;

    fn about(&self) -> &About {
        &About {
            id: "network.mtu-as-expected",
            demand: "every network card that is up takes packets of the expected size",
            remedy: "take `MTUBytes=`, `mtu` or `MTU=` out of the network's configuration, and leave it to the network",
            key: "network.mtu",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<u32> {
        image.network.mtu
    }

    fn judge(&self, got: &Addressing, want: &u32) -> Verdict {
        let cards: Vec<_> = got.interfaces.iter().filter(|card| card.uplink()).collect();
        let words: Vec<_> = cards.iter().map(|card| format!("{} {}", card.name, card.mtu)).collect();
        let words = if words.is_empty() { "no card is up".to_owned() } else { words.join(", ") };
        Verdict::of(!cards.is_empty() && cards.iter().all(|card| card.mtu == *want), want, words)
    }

    fn observed(&self, got: &Addressing) -> Option<Value> {
        let mut sizes = got.interfaces.iter().filter(|card| card.uplink()).map(|card: &Interface| card.mtu);
        let first = sizes.next()?;
        sizes.all(|size| size == first).then(|| i64::from(first).into())
    }
}
