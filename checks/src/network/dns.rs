//! Whether a name is answered, through the resolver that the machine's own programs use.

use std::{net::IpAddr, time::Duration};

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Exit, Output, Probe},
};

/// A name that IANA keeps for examples: it is there on the internet, and a laboratory can serve it.
const NAME: &str = "example.com";
/// getent's status for a key that was not found.
const NOT_FOUND: i32 = 2;

/// The addresses that were answered for `example.com`; none if the name was not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers(pub Vec<IpAddr>);

impl Fact for Answers {
    const ID: &'static str = "network.dns-answers";

    fn probes() -> Vec<Probe> {
        // Two servers that do not answer take glibc 20 s.
        vec![Probe::root(["getent", "ahosts", NAME]).limit(Duration::from_secs(30))]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        if out[0].exit == Exit::Code(NOT_FOUND) && out[0].stdout.is_empty() && out[0].stderr.is_empty() {
            return Ok(Self(Vec::new()));
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
        Ok(Self(addresses))
    }
}

/// A name is answered.
pub struct DnsAnswers;

impl Check for DnsAnswers {
    type Fact = Answers;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "network.dns-answers",
            demand: "a name is answered with an address",
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
        let addresses: Vec<_> = got.0.iter().map(IpAddr::to_string).collect();
        let words = if addresses.is_empty() { "not found".to_owned() } else { addresses.join(", ") };
        Verdict::of(!got.0.is_empty(), format_args!("an address for {NAME}"), format_args!("{NAME}: {words}"))
    }
}
