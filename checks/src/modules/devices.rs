//! Virtual devices, made for real: what containers, virtual machines and tunnels ask of the kernel.

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

/// How many kinds the script tries.
const KINDS: usize = 11;

/// What came of making each kind: bond, bridge, dummy, fuse, macvlan, tun, veth, vhost-net, vhost-vsock, vlan, vxlan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Devices(Trials);

impl Fact for Devices {
    const ID: &'static str = "modules.devices";

    fn probes() -> Vec<Probe> {
        let probe = Probe::root(["sh", "-c", include_str!("devices.sh")]);
        vec![probe.touches().limit(Duration::from_mins(2))]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        Ok(Self(Trials::read(&out[0], KINDS)?))
    }
}

/// The kernel makes the expected kinds of virtual devices.
pub struct DevicesWork;

impl Check for DevicesWork {
    type Fact = Devices;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "modules.devices-work",
            demand: "the kernel makes virtual devices of the expected kinds, and loads what it needs for them by itself",
            remedy: "install the full kernel package; take `blacklist` and `install` lines of the module out of /etc/modprobe.d",
            key: "modules.devices",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        (!image.modules.devices.is_empty()).then(|| image.modules.devices.clone())
    }

    fn judge(&self, got: &Devices, want: &Vec<String>) -> Verdict {
        got.0.verdict(want)
    }

    fn observed(&self, got: &Devices) -> Option<Value> {
        Some(got.0.working())
    }
}
