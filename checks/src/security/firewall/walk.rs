//! The way of one packet through the chains of the input hook.
//!
//! A stranger's packet is walked as the worst case, an SSH connection as the best one: a firewall that lets SSH in
//! from one network only still lets SSH in.

use std::collections::BTreeMap;

use crate::fact::Unreadable;

use super::{
    condition::{Condition, Met, Packet},
    rule::{self, Action, Rule},
    ruleset::Table,
};

/// No ruleset that the kernel takes jumps deeper.
const DEEPEST_JUMP: usize = 16;

/// What becomes of a packet, and by which rule or policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Accepted(String),
    Dropped(String),
    /// A rule decides that cannot be judged from here.
    Unknown(String),
}

/// The chains that packets for this machine go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Input {
    entries: Vec<Entry>,
}

/// A base chain at the input hook, with the chains of its table that can be reached from it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// `FAMILY TABLE CHAIN`.
    name: String,
    family: String,
    chain: String,
    drops: bool,
    chains: BTreeMap<String, Vec<Rule>>,
}

impl Input {
    /// Reads the rules of every chain that can be reached from the input hook.
    ///
    /// # Errors
    /// [`Unreadable`] names a chain that is jumped to and not there.
    pub(super) fn read(tables: &[Table]) -> Result<Self, Unreadable> {
        let mut entries = Vec::new();
        for table in tables.iter().filter(|table| matches!(table.family.as_str(), "ip" | "ip6" | "inet")) {
            for (name, chain) in &table.chains {
                if chain.hook.as_ref().is_some_and(|(kind, hook)| kind == "filter" && hook == "input") {
                    entries.push(Entry {
                        name: format!("{} {} {name}", table.family, table.name),
                        family: table.family.clone(),
                        chain: name.clone(),
                        drops: chain.drops,
                        chains: reached(table, name)?,
                    });
                }
            }
        }
        Ok(Self { entries })
    }

    /// The interfaces that rules name, without the loopback.
    pub(super) fn interfaces(&self) -> Vec<String> {
        let rules = self.entries.iter().flat_map(|entry| entry.chains.values().flatten());
        let conditions = rules.flat_map(|rule| &rule.conditions);
        let names = conditions.filter_map(|condition| match condition {
            Condition::Interface(names, _) => Some(names),
            _ => None,
        });
        let mut names: Vec<_> =
            names.flatten().map(|name| name.replace('*', "0")).filter(|name| name != "lo").collect();
        names.sort();
        names.dedup();
        names
    }

    /// Walks `packet`; every base chain has to accept it.
    pub(super) fn fate(&self, packet: &Packet, best: bool) -> Fate {
        let family = if packet.v6 { "ip6" } else { "ip" };
        let mut accepted = None;
        let mut unknown = None;
        for entry in self.entries.iter().filter(|entry| entry.family == family || entry.family == "inet") {
            let fate = entry.walk(&entry.chain, packet, best, DEEPEST_JUMP).unwrap_or_else(|| {
                let by = |policy: &str| format!("policy {policy} of {}", entry.name);
                if entry.drops { Fate::Dropped(by("drop")) } else { Fate::Accepted(by("accept")) }
            });
            match fate {
                Fate::Dropped(_) => return fate,
                Fate::Unknown(_) => unknown = Some(fate),
                Fate::Accepted(_) => accepted = Some(fate),
            }
        }
        unknown.or(accepted).unwrap_or_else(|| Fate::Accepted(format!("no chain of family {family} at the input hook")))
    }
}

/// The rules of `first` and of all that it leads to.
fn reached(table: &Table, first: &str) -> Result<BTreeMap<String, Vec<Rule>>, Unreadable> {
    let mut chains = BTreeMap::new();
    let mut next = vec![first.to_owned()];
    while let Some(name) = next.pop() {
        if chains.contains_key(&name) {
            continue;
        }
        let chain = table.chains.get(&name);
        let chain = chain.ok_or_else(|| Unreadable::new(format!("nft: table {} has no chain {name}", table.name)))?;
        let rules: Vec<_> = chain.rules.iter().flat_map(|tokens| rule::read(tokens, &table.sets)).collect();
        next.extend(rules.iter().filter_map(|rule| match &rule.action {
            Action::Jump(name) | Action::Goto(name) => Some(name.clone()),
            _ => None,
        }));
        chains.insert(name, rules);
    }
    Ok(chains)
}

impl Entry {
    /// What the chain decides; nothing if the packet reaches its end or returns.
    fn walk(&self, chain: &str, packet: &Packet, best: bool, depth: usize) -> Option<Fate> {
        let Some(deeper) = depth.checked_sub(1) else {
            return Some(Fate::Unknown(format!("{}: too many jumps", self.name)));
        };
        let mut returned = false;
        for rule in self.chains.get(chain)? {
            let met = rule.met(packet);
            let surely = met == Met::Yes;
            let by = || format!("`{}` in {}", rule.text, self.name);
            let fate = match (met, &rule.action) {
                (Met::No, _) | (_, Action::Continue) | (Met::Hidden, Action::Drop) => None,
                (Met::BySome, _) if !best => None,
                (Met::Hidden, _) | (_, Action::Queue) if !best => Some(Fate::Unknown(by())),
                (_, Action::Accept | Action::Queue) => Some(Fate::Accepted(by())),
                (_, Action::Drop) => Some(Fate::Dropped(by())).filter(|_| surely),
                (_, Action::Return) if surely => return None,
                (_, Action::Return) => {
                    returned = true;
                    None
                }
                (_, Action::Goto(to)) if surely => return self.walk(to, packet, best, deeper),
                (_, Action::Jump(to) | Action::Goto(to)) => {
                    self.walk(to, packet, best, deeper).filter(|fate| surely || !matches!(fate, Fate::Dropped(_)))
                }
            };
            // A packet that may have returned before is not dropped by what comes after.
            if fate.is_some() {
                return fate.filter(|fate| !(returned && matches!(fate, Fate::Dropped(_))));
            }
        }
        None
    }
}

impl Rule {
    /// How far the packet meets all conditions: as far as the one it meets least.
    fn met(&self, packet: &Packet) -> Met {
        let mets: Vec<_> = self.conditions.iter().map(|condition| condition.met(packet)).collect();
        let order = [Met::No, Met::BySome, Met::Hidden, Met::Perhaps];
        order.into_iter().find(|met| mets.contains(met)).unwrap_or(Met::Yes)
    }
}
