//! Whether a name is answered, through the resolver that the machine's own programs use.

use std::{net::IpAddr, time::Duration};

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Exit, MachineAspect, Output, Probe},
};

/// A name that is nowhere but in the lab's network, which has another address for it each time.
pub const LAB_NAME: &str = "answers.kverify.test";
/// getent's status for a key that was not found.
const NOT_FOUND: i32 = 2;

/// What was answered for [`LAB_NAME`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// The addresses that the machine's resolver gave; none if the name was not found.
    pub got: Vec<IpAddr>,
    /// The address that the network around it has for the name.
    pub served: IpAddr,
}

impl Fact for Answers {
    const ID: &'static str = "network.dns-answers";

    fn probes() -> Vec<Probe> {
        // Two servers that do not answer take glibc 20 s.
        let asked = Probe::root(["getent", "ahosts", LAB_NAME]).limit(Duration::from_secs(30));
        vec![asked, Probe::machine(MachineAspect::LabAddress)]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let served = out[1].ok()?.trim();
        let served =
            served.parse().map_err(|_| Unreadable::new(format!("the network's own: no address in {served:?}")))?;
        if out[0].exit == Exit::Code(NOT_FOUND) && out[0].stdout.is_empty() && out[0].stderr.is_empty() {
            return Ok(Self { got: Vec::new(), served });
        }
        let mut addresses = Vec::new();
        for line in out[0].ok()?.lines() {
            let address = line.split_whitespace().next().and_then(|address| address.parse().ok());
            let address = address.ok_or_else(|| Unreadable::new(format!("getent: no address in {line:?}")))?;
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        if addresses.is_empty() {
            return Err(Unreadable::new("getent: nothing said, and exit 0"));
        }
        Ok(Self { got: addresses, served })
    }
}

/// A name is answered as the network around the machine answers it.
pub struct DnsAnswers;

impl Check for DnsAnswers {
    type Fact = Answers;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "network.dns-answers",
            demand: "a name that only the network around the machine knows is answered with the address that it has there",
            remedy: "see network.resolver-configured; then whether the name server can be reached from the machine",
            key: "network.dns",
            cost: Cost::Quick,
            needs: &[Need::Settled, Need::Dns],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.network.dns == Some(true)).then_some(())
    }

    fn judge(&self, got: &Answers, (): &()) -> Verdict {
        let addresses: Vec<_> = got.got.iter().map(IpAddr::to_string).collect();
        let words = if addresses.is_empty() { "not found".to_owned() } else { addresses.join(", ") };
        let holds = got.got == [got.served];
        Verdict::of(holds, format_args!("{} for {LAB_NAME}", got.served), format_args!("{LAB_NAME}: {words}"))
    }
}
