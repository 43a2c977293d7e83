//! What a diff says.

use std::{collections::BTreeSet, fmt};

use kverify_checks::traits::Scale;
use serde::Serialize;

use crate::report::Subject;

/// What changed from `a` to `b`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diff {
    /// The one image.
    pub a: Side,
    /// The other.
    pub b: Side,
    /// Whether both are the same file, byte by byte.
    pub same_image: bool,
    /// The groups in which something changed, in the order in which they are told.
    pub groups: Vec<Changed>,
    /// What was measured and is clearly another: it differs from run to run, and decides nothing.
    pub measured: Vec<Measured>,
    /// What was not compared.
    pub not_compared: Vec<NotCompared>,
    /// The exit status: 1 if something changed, else 2 if something was not compared that may have, else 0.
    pub exit: u8,
}

/// One image, and who looked at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Side {
    /// The image.
    pub subject: Subject,
    /// Version of kverify.
    pub kverify: String,
    /// The machine that was asked.
    pub machine: String,
}

/// What changed in one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// The group.
    pub group: String,
    /// By kind, then by name.
    pub changes: Vec<Change>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    /// What became of it.
    pub kind: Kind,
    /// What it is called.
    pub name: String,
    /// What it is in `a`, where it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<String>,
    /// What it is in `b`, where it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<String>,
}

/// Parts that make a value a list that nobody wants to compare by eye.
const LONG: usize = 3;

impl Change {
    /// Of two lists that have something in common, what is in the one alone and in the other alone.
    #[must_use]
    pub fn apart(&self) -> Option<[String; 2]> {
        let parts = |text: &'_ str| text.split(',').map(|part| part.trim().to_owned()).collect::<Vec<_>>();
        let (a, b) = (parts(self.a.as_deref()?), parts(self.b.as_deref()?));
        let (of_a, of_b): (BTreeSet<_>, BTreeSet<_>) = (a.iter().collect(), b.iter().collect());
        if a.len().max(b.len()) < LONG || of_a.is_disjoint(&of_b) {
            return None;
        }
        let alone = |parts: &[String], others: &BTreeSet<&String>| {
            parts.iter().filter(|part| !others.contains(part)).cloned().collect::<Vec<_>>().join(", ")
        };
        Some([alone(&a, &of_b), alone(&b, &of_a)])
    }
}

/// What became of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It is in `b` alone.
    Added,
    /// It is in `a` alone.
    Removed,
    /// It has a later version.
    Upgraded,
    /// It has an earlier version.
    Downgraded,
    /// It has another value.
    Changed,
}

impl Kind {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 5] = [Self::Added, Self::Removed, Self::Upgraded, Self::Downgraded, Self::Changed];

    /// As a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Upgraded => "upgraded",
            Self::Downgraded => "downgraded",
            Self::Changed => "changed",
        }
    }
}

/// A measured value of both.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// The group.
    pub group: String,
    /// What was measured.
    pub name: String,
    /// In what.
    pub scale: Scale,
    /// What it is in `a`.
    pub a: f64,
    /// What it is in `b`.
    pub b: f64,
}

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Which {
    /// The first that was named.
    A,
    /// The second.
    B,
    /// Neither is known.
    Both,
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "a",
            Self::B => "b",
            Self::Both => "either",
        })
    }
}

/// Something that was not compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NotCompared {
    /// The group.
    pub group: String,
    /// The fact that would tell it.
    pub fact: String,
    /// Of which image it is not known, or not whole.
    pub of: Which,
    /// Why.
    pub why: String,
}
