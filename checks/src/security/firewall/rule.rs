//! One rule of a chain, read as far as the walk of a packet needs it: its conditions and its verdict.
//!
//! A rule with words that are not known here has a hidden condition: the walk then says that it cannot tell, if such
//! a rule decides.

use std::collections::BTreeMap;

use super::{
    condition::Condition,
    reader::Reader,
    token::{Token, line},
};

/// What a rule does with a packet that meets its conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Accept,
    Drop,
    /// Back to the chain that jumped here.
    Return,
    /// To another chain, and back from it if it decides nothing.
    Jump(String),
    /// To another chain, and back to the one before if it decides nothing.
    Goto(String),
    /// To a program that decides, or to a target of iptables that may.
    Queue,
    /// On to the next rule.
    Continue,
}

/// One rule. A verdict map is written as one rule for each of its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub conditions: Vec<Condition>,
    pub action: Action,
    /// As nft prints it.
    pub text: String,
}

/// The elements of named sets and maps.
pub(super) type Sets = BTreeMap<String, Vec<Token>>;

/// Reads a rule; `sets` are the named sets and maps of its table.
pub(super) fn read(tokens: &[Token], sets: &Sets) -> Vec<Rule> {
    let tokens: Vec<_> = tokens.iter().filter(|token| **token != Token::End).cloned().collect();
    let text = line(&tokens);
    let mut reader = Reader { rest: &tokens, sets, conditions: Vec::new(), map: None, action: Action::Continue };
    if reader.all().is_err() {
        reader.conditions.push(Condition::Hidden);
        reader.map = None;
        reader.action = last_action(&text).unwrap_or(Action::Queue);
    }
    let Reader { conditions, map, action, .. } = reader;
    let Some(map) = map else { return vec![Rule { conditions, action, text }] };
    let rule = |(more, action): (Vec<Condition>, Action)| {
        let conditions = conditions.iter().cloned().chain(more).collect();
        Rule { conditions, action, text: text.clone() }
    };
    map.into_iter().map(rule).collect()
}

/// The action at the end of a text that is not understood, or of a comment: nft before 1.0 writes what it has no words
/// for as a comment in the middle of a rule, and its action behind that. `None` where there is no sign of one.
pub(super) fn last_action(text: &str) -> Option<Action> {
    let words: Vec<_> = text.split_whitespace().collect();
    match words[..] {
        [.., "jump", to] => Some(Action::Jump(to.to_owned())),
        [.., "goto", to] => Some(Action::Goto(to.to_owned())),
        [.., "accept"] => Some(Action::Accept),
        [.., "drop"] => Some(Action::Drop),
        [.., "return"] => Some(Action::Return),
        _ => {
            let actions = ["accept", "drop", "reject", "return", "jump", "goto", "queue"];
            words.iter().any(|word| actions.contains(word)).then_some(Action::Queue)
        }
    }
}
