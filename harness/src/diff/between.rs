//! Holds what is known of two images against each other.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use kverify_checks::{Group, traits::Scale};

use super::{Change, Changed, Diff, Kind, Measured, NotCompared, Side, Which};
use crate::report::{Facts, Known};

/// The groups in which a name, a blank and a word are a part of that name.
const WITH_PARTS: [Group; 2] = [Group::Datasets, Group::Pools];
/// Bytes that are clearly other bytes: so much of the larger, and so many.
const BYTES: (f64, f64) = (0.01, 1_048_576.0);
/// The same for seconds, which depend on what else the host does.
const SECONDS: (f64, f64) = (0.25, 1.0);

/// Of nothing that is known of one image anything is known of the other.
#[derive(Debug, thiserror::Error)]
#[error("{a} and {b}: nothing is known of both; verify them with the same --only and --skip")]
pub struct NothingShared {
    a: String,
    b: String,
}

/// What both know of one group by one fact; of which none is there, is not known there.
type Pair<'a> = (Option<&'a Known>, Option<&'a Known>);

impl Diff {
    /// What changed from `a` to `b`.
    ///
    /// # Errors
    /// [`NothingShared`]: then not even "no difference" can be said.
    pub fn between(a: &Facts, b: &Facts) -> Result<Self, NothingShared> {
        let mut pairs: BTreeMap<(usize, &str, &str), Pair<'_>> = BTreeMap::new();
        for known in &a.known {
            pairs.entry(key(known)).or_default().0 = Some(known);
        }
        for known in &b.known {
            pairs.entry(key(known)).or_default().1 = Some(known);
        }
        let mut diff = Self {
            a: side(a),
            b: side(b),
            same_image: a.subject.digest == b.subject.digest,
            groups: Vec::new(),
            measured: Vec::new(),
            not_compared: Vec::new(),
            exit: 0,
        };
        let mut shared = false;
        for pair in pairs.into_values() {
            match pair {
                (Some(one), Some(other)) => {
                    shared |= !one.scale.is_measured();
                    diff.compare(one, other);
                }
                (Some(known), None) => diff.unknown(known, Which::B, b),
                (None, Some(known)) => diff.unknown(known, Which::A, a),
                (None, None) => {}
            }
        }
        for unknown in a.unknown.iter().filter(|one| b.unknown.iter().any(|other| other.fact == one.fact)) {
            for group in &unknown.groups {
                let (group, fact, why) = (group.clone(), unknown.fact.clone(), unknown.why.clone());
                diff.not_compared.push(NotCompared { group, fact, of: Which::Both, why });
            }
        }
        if !shared {
            return Err(NothingShared { a: a.subject.name.clone(), b: b.subject.name.clone() });
        }
        for group in &mut diff.groups {
            group.changes.sort();
        }
        let measured = [Group::Times.name(), Group::Sizes.name()];
        // The bytes of one image are the same, whatever was asked of it; of two, what was not compared may differ.
        let untold = !diff.same_image && diff.not_compared.iter().any(|left| !measured.contains(&left.group.as_str()));
        diff.exit = if diff.groups.is_empty() { 2 * u8::from(untold) } else { 1 };
        Ok(diff)
    }

    fn compare(&mut self, a: &Known, b: &Known) {
        if a.scale.is_measured() || b.scale.is_measured() {
            self.measure(a, b);
            return;
        }
        // What is left out beyond a limit may be there all the same.
        let last = |known: &Known| known.values.keys().next_back().cloned().filter(|_| known.left_out > 0);
        let end = [last(a), last(b)].into_iter().flatten().min();
        for (known, of) in [(a, Which::A), (b, Which::B)] {
            if known.left_out > 0 {
                let why = format!("{} more are left out of its facts.json", known.left_out);
                self.leave(known, of, why);
            }
        }
        let names: BTreeSet<_> = a.values.keys().chain(b.values.keys()).collect();
        let within = names.into_iter().filter(|name| end.as_ref().is_none_or(|end| *name <= end));
        let parts = WITH_PARTS.iter().any(|group| group.name() == a.group);
        let scale = if a.scale == b.scale { a.scale } else { Scale::Text };
        let changes = within.filter_map(|name| {
            let whole = name.rsplit_once(' ').map(|(whole, _)| whole).filter(|_| parts);
            // Where all of it came or went, its parts did.
            if whole.is_some_and(|whole| a.values.contains_key(whole) != b.values.contains_key(whole)) {
                return None;
            }
            change(scale, name, a.values.get(name), b.values.get(name))
        });
        let changes: Vec<_> = changes.collect();
        match self.groups.last_mut() {
            _ if changes.is_empty() => {}
            Some(last) if last.group == a.group => last.changes.extend(changes),
            _ => self.groups.push(Changed { group: a.group.clone(), changes }),
        }
    }

    fn measure(&mut self, a: &Known, b: &Known) {
        if a.scale == Scale::Seconds && self.a.machine != self.b.machine {
            let why = format!("one was measured on {}, the other on {}", self.a.machine, self.b.machine);
            self.leave(a, Which::B, why);
            return;
        }
        let (part, least) = if a.scale == Scale::Seconds { SECONDS } else { BYTES };
        for (name, value) in &a.values {
            let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
            let both = number(value).zip(b.values.get(name).and_then(|value| number(value)));
            let Some((a_is, b_is)) = both else { continue };
            let apart = (a_is - b_is).abs();
            if apart >= least && apart > a_is.max(b_is) * part {
                let (group, name) = (a.group.clone(), name.clone());
                self.measured.push(Measured { group, name, scale: a.scale, a: a_is, b: b_is });
            }
        }
    }

    /// Says that one side does not know what the other does.
    fn unknown(&mut self, known: &Known, of: Which, there: &Facts) {
        let told = there.unknown.iter().find(|unknown| unknown.fact == known.fact);
        let why = told.map_or_else(|| format!("kverify {} did not ask it", there.kverify), |told| told.why.clone());
        self.leave(known, of, why);
    }

    fn leave(&mut self, known: &Known, of: Which, why: String) {
        self.not_compared.push(NotCompared { group: known.group.clone(), fact: known.fact.clone(), of, why });
    }
}

/// Groups are told in their order, those that this version does not know last.
fn key(known: &Known) -> (usize, &str, &str) {
    let place = Group::ALL.iter().position(|group| group.name() == known.group);
    (place.unwrap_or(usize::MAX), &known.group, &known.fact)
}

fn side(facts: &Facts) -> Side {
    Side { subject: facts.subject.clone(), kverify: facts.kverify.clone(), machine: facts.machine.clone() }
}

fn change(scale: Scale, name: &str, a: Option<&String>, b: Option<&String>) -> Option<Change> {
    let kind = match (a, b) {
        (Some(one), Some(other)) if one == other => return None,
        (Some(one), Some(other)) => match scale.manager().and_then(|manager| manager.compare(one, other)) {
            // Several versions beside each other have no order, and none at all has neither.
            _ if [one, other].iter().any(|value| value.is_empty() || value.contains(", ")) => Kind::Changed,
            Some(Ordering::Less) => Kind::Upgraded,
            Some(Ordering::Greater) => Kind::Downgraded,
            Some(Ordering::Equal) | None => Kind::Changed,
        },
        (None, Some(_)) => Kind::Added,
        (Some(_), None) => Kind::Removed,
        (None, None) => return None,
    };
    Some(Change { kind, name: name.to_owned(), a: a.cloned(), b: b.cloned() })
}
