//! BPF programs, loaded for real by the system call: an image need not have a tool for it, but has the Python of cloud-init.

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

/// What came of a program of each kind: `cgroup` filters a service's packets, `filter` a socket's, `tracing` reads the
/// kernel's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bpf(Trials);

impl Fact for Bpf {
    const ID: &'static str = "modules.bpf";

    fn probes() -> Vec<Probe> {
        let probe = Probe::root(["python3", "-I", "-c", include_str!("bpf.py")]);
        vec![probe.touches().limit(Duration::from_mins(2))]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        Ok(Self(Trials::read(&out[0], 3)?))
    }
}

/// The kernel takes the expected kinds of BPF programs.
pub struct BpfLoads;

impl Check for BpfLoads {
    type Fact = Bpf;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "modules.bpf-loads",
            demand: "the kernel loads BPF programs of the expected kinds for root",
            remedy: "install a kernel with CONFIG_BPF_SYSCALL; tracing: take `lockdown=confidentiality` off the command line",
            key: "modules.bpf",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        (!image.modules.bpf.is_empty()).then(|| image.modules.bpf.clone())
    }

    fn judge(&self, got: &Bpf, want: &Vec<String>) -> Verdict {
        got.0.verdict(want)
    }

    fn observed(&self, got: &Bpf) -> Option<Value> {
        Some(got.0.working())
    }
}
