//! Checks: each judges one fact against what is wanted, and says pass or fail, no more.

use std::any::Any;

use serde::{Deserialize, Serialize};
use toml::Value;

use crate::{
    expect::Expectation,
    fact::{Fact, FactKind},
    outcome::Verdict,
};

/// What a check costs on a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cost {
    /// Reads files or starts fast programs.
    Quick,
    /// Walks trees or starts slow programs.
    Deep,
}

/// What a check needs of the host or the network around the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// A name server that answers the guest.
    Dns,
    /// Processors of the host's while the guest wants them: what it then says of time is its own. Where they are not had,
    /// a failure is an error.
    Processors,
    /// A network that sees what the guest wants of the world.
    Watched,
    /// An image that is said to be sealed: it is looked at while it does not run, and two machines are made of it.
    Sealed,
    /// A machine that finished booting.
    Settled,
}

/// What a check is, for people.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct About {
    /// `topic.property`: names the condition that must hold.
    pub id: &'static str,
    /// One sentence: what must hold.
    pub demand: &'static str,
    /// How to mend an image that does not hold it.
    pub remedy: &'static str,
    /// The dotted key of the expectation that this check reads, as in `zfs.pool`.
    pub key: &'static str,
    /// What it costs.
    pub cost: Cost,
    /// What it needs; where that is missing the harness skips it as `not-here`.
    pub needs: &'static [Need],
}

/// Judges one fact against what is wanted.
pub trait Check: Send + Sync + 'static {
    /// What it looks at.
    type Fact: Fact;
    /// What it compares with, taken from the expectation.
    type Want;

    /// What it is, for people.
    fn about(&self) -> &About;

    /// What the expectation asks; `None` where it asks nothing, and the check is then skipped as `not-asked`.
    fn want(&self, image: &Expectation) -> Option<Self::Want>;

    /// Pass or fail. Pure.
    fn judge(&self, got: &Self::Fact, want: &Self::Want) -> Verdict;

    /// The value of [`About::key`] for which this fact holds; `None` where no value could make an ill machine well.
    ///
    /// `kverify expect` writes it.
    fn observed(&self, _got: &Self::Fact) -> Option<Value> {
        None
    }
}

/// A [`Check`] without its types, so that one list can hold all of them.
pub trait AnyCheck: Send + Sync {
    /// What it is, for people.
    fn about(&self) -> &About;

    /// The fact it looks at.
    fn fact(&self) -> FactKind;

    /// Whether the expectation asks for it.
    fn asked(&self, image: &Expectation) -> bool;

    /// [`Check::observed`] of a gathered fact.
    fn observed(&self, got: &(dyn Any + Send + Sync)) -> Option<Value>;

    /// Judges a gathered fact; `None` where the expectation asks nothing or `got` is another fact.
    fn judge(&self, got: &(dyn Any + Send + Sync), image: &Expectation) -> Option<Verdict>;
}

impl<C: Check> AnyCheck for C {
    fn about(&self) -> &About {
        Check::about(self)
    }

    fn fact(&self) -> FactKind {
        FactKind::of::<C::Fact>()
    }

    fn asked(&self, image: &Expectation) -> bool {
        self.want(image).is_some()
    }

    fn observed(&self, got: &(dyn Any + Send + Sync)) -> Option<Value> {
        Check::observed(self, got.downcast_ref::<C::Fact>()?)
    }

    fn judge(&self, got: &(dyn Any + Send + Sync), image: &Expectation) -> Option<Verdict> {
        let want = self.want(image)?;
        let got = got.downcast_ref::<C::Fact>()?;
        Some(Check::judge(self, got, &want))
    }
}
