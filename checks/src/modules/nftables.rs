//! nftables at work: a rule drops a packet that passed without it, and address translation is taken.

use std::time::Duration;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// What came of two tables in a network namespace of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NfTables {
    /// Whether the packet that the filter is about was lost once it was there.
    pub dropped: bool,
    /// Whether the filter counted it.
    pub counted: bool,
    /// What was said to the table with a filter; nothing where it was taken.
    pub filter_refused: Option<String>,
    /// What was said to the table with address translation; nothing where it was taken.
    pub nat_refused: Option<String>,
}

impl Fact for NfTables {
    const ID: &'static str = "modules.nftables";

    fn probes() -> Vec<Probe> {
        let probe = Probe::root(["sh", "-c", include_str!("nftables.sh")]);
        vec![probe.touches().limit(Duration::from_mins(2))]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let mut lines = out[0].ok()?.lines();
        let mut said = |what: &str| {
            let words = lines.next().and_then(|line| line.strip_prefix(what));
            words.map(|words| words.trim().to_owned()).ok_or_else(|| Unreadable::new(format!("no line `{what}`")))
        };
        let ping = |said: String| match said.as_str() {
            "answered" => Ok(true),
            "lost" => Ok(false),
            _ => Err(Unreadable::new(format!("neither answered nor lost: {said}"))),
        };
        let table = |said: String| match (said.as_str(), said.strip_prefix("refused: ")) {
            ("taken", _) => Ok(None),
            (_, Some(words)) => Ok(Some(words.to_owned())),
            _ => Err(Unreadable::new(format!("neither taken nor refused: {said}"))),
        };
        if !ping(said("before")?)? {
            return Err(Unreadable::new("a ping to the loopback was lost before there was a rule"));
        }
        Ok(Self {
            filter_refused: table(said("filter")?)?,
            dropped: !ping(said("after")?)?,
            counted: said("counted")?.parse::<u64>().is_ok_and(|packets| packets > 0),
            nat_refused: table(said("nat")?)?,
        })
    }
}

/// nftables filters and translates.
pub struct NfTablesWork;

impl Check for NfTablesWork {
    type Fact = NfTables;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "modules.nftables-work",
            demand: "a table of nftables can be made in a new network namespace and drops a packet, and one with \
                     masquerading is taken",
            remedy: "install nftables and the full kernel package; take lines about nft_* and nf_* out of /etc/modprobe.d",
            key: "modules.nftables",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.modules.nftables == Some(true)).then_some(())
    }

    fn judge(&self, got: &NfTables, (): &()) -> Verdict {
        let mut amiss = Vec::new();
        match &got.filter_refused {
            Some(words) => amiss.push(format!("filter: {words}")),
            None if !got.dropped => amiss.push("filter: the packet passed".to_owned()),
            None if !got.counted => amiss.push("filter: the packet was lost, and not by the rule".to_owned()),
            None => {}
        }
        amiss.extend(got.nat_refused.iter().map(|words| format!("masquerading: {words}")));
        let words = if amiss.is_empty() { "a packet dropped, masquerading taken".to_owned() } else { amiss.join("; ") };
        Verdict::of(amiss.is_empty(), "a filter that drops, and masquerading", words)
    }
}
