//! Facts: one thing a machine can be asked, gathered once and typed once.

use std::any::Any;

use crate::{
    probe::{Output, Probe},
    traits::{Group, Traits},
};

/// Why the answers of a machine could not be read as a fact. Never a pass, never a fail: an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

impl Unreadable {
    /// A lower-case fragment that says what could not be read and why.
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// One thing a machine can be asked.
pub trait Fact: Sized + Send + Sync + 'static {
    /// `topic.noun`, unique.
    const ID: &'static str;

    /// What has to be asked, in the order in which [`Fact::parse`] reads the answers.
    fn probes() -> Vec<Probe>;

    /// Reads the answers; `out` has one entry per probe, in order.
    ///
    /// # Errors
    /// [`Unreadable`] if the answers do not say what the fact needs to know.
    fn parse(out: &[Output]) -> Result<Self, Unreadable>;

    /// The groups that [`Fact::tell`] tells of; most facts tell nothing.
    const GROUPS: &'static [Group] = &[];

    /// Says what of it belongs into the release notes of an image.
    fn tell(&self, _traits: &mut Traits) {}
}

/// A fact read and put behind `Any`, so that one list can hold all of them.
pub type Gathered = Box<dyn Any + Send + Sync>;

/// A kind of fact, without its type.
#[derive(Clone, Copy)]
pub struct FactKind {
    /// [`Fact::ID`].
    pub id: &'static str,
    /// [`Fact::probes`].
    pub probes: fn() -> Vec<Probe>,
    /// [`Fact::parse`].
    pub parse: fn(&[Output]) -> Result<Gathered, Unreadable>,
    /// [`Fact::GROUPS`].
    pub groups: &'static [Group],
    /// [`Fact::tell`] of a gathered fact; nothing of another fact.
    pub tell: fn(&(dyn Any + Send + Sync)) -> Option<Traits>,
}

impl FactKind {
    /// The kind of `F`.
    #[must_use]
    pub fn of<F: Fact>() -> Self {
        Self {
            id: F::ID,
            probes: F::probes,
            parse: |out| {
                let asked = F::probes().len();
                if out.len() != asked {
                    return Err(Unreadable::new(format!("{} of {asked} answers of {}", out.len(), F::ID)));
                }
                Ok(Box::new(F::parse(out)?))
            },
            groups: F::GROUPS,
            tell: |got| {
                let mut traits = Traits::of(F::GROUPS);
                got.downcast_ref::<F>()?.tell(&mut traits);
                Some(traits)
            },
        }
    }
}
