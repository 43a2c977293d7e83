//! The machine's own name: programs that look it up wait for the network, or reach the machine the image was made on.

use super::Names;
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    outcome::Verdict,
};

/// The machine's own name is found, and comes to the machine itself.
pub struct OwnNameResolves;

impl Check for OwnNameResolves {
    type Fact = Names;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "network.own-name-resolves",
            demand: "the machine's own name is found, and every address of it is the machine's own",
            remedy: "write `127.0.1.1 NAME` into /etc/hosts, or have `myhostname` or `resolve` in nsswitch.conf and its library installed",
            key: "network.own_name",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.network.own_name == Some(true)).then_some(())
    }

    fn judge(&self, got: &Names, (): &()) -> Verdict {
        let own = |address: &std::net::IpAddr| address.is_loopback() || got.local.contains(address);
        let holds = !got.own.is_empty() && !got.own_addresses.is_empty() && got.own_addresses.iter().all(own);
        let words: Vec<_> = got.own_addresses.iter().map(ToString::to_string).collect();
        let words = if words.is_empty() { "not found".to_owned() } else { words.join(", ") };
        Verdict::of(holds, "an address of this machine", format_args!("{}: {words}", got.own))
    }
}
