//! Tables, chains and named sets of a ruleset; rules are kept as words, for only some of them have to be understood.

use std::collections::BTreeMap;

use crate::fact::Unreadable;

use super::token::{Token, line, statements, tokens};

/// One table that is in force.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    /// `ip`, `ip6`, `inet`, `arp`, `bridge` or `netdev`.
    pub family: String,
    /// Its name.
    pub name: String,
    /// Its chains, by name.
    pub chains: BTreeMap<String, Chain>,
    /// The elements of its sets and maps, by name.
    pub sets: BTreeMap<String, Vec<Token>>,
}

/// One chain.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    /// Type and hook, if the kernel enters here, as in `filter` and `input`.
    pub hook: Option<(String, String)>,
    /// Whether a packet that reaches its end is dropped.
    pub drops: bool,
    /// Its rules.
    pub rules: Vec<Vec<Token>>,
}

/// Reads what `nft list ruleset` printed.
///
/// # Errors
/// [`Unreadable`] if it is cut off, or is not a list of tables.
pub(super) fn tables(text: &str) -> Result<Vec<Table>, Unreadable> {
    let tokens = tokens(text)?;
    let mut tables = Vec::new();
    for statement in statements(&tokens) {
        let (head, body) = head_and_body(statement)?;
        let [what, family, name] = head[..] else { return Err(odd(statement)) };
        if what != "table" {
            return Err(odd(statement));
        }
        tables.extend(table(family, name, body)?);
    }
    Ok(tables)
}

/// A table; `None` if it is dormant, as none of its chains is then entered.
fn table(family: &str, name: &str, body: &[Token]) -> Result<Option<Table>, Unreadable> {
    let mut table = Table { family: family.to_owned(), name: name.to_owned(), ..Table::default() };
    for statement in statements(body) {
        let words: Vec<_> = statement.iter().filter_map(Token::word).collect();
        match words.first() {
            Some(&"flags") if words.contains(&"dormant") => return Ok(None),
            Some(&("flags" | "comment")) => {}
            Some(&"chain") => {
                let (head, body) = head_and_body(statement)?;
                let name = head.get(1).ok_or_else(|| odd(statement))?;
                table.chains.insert((*name).to_owned(), chain(body)?);
            }
            Some(&("set" | "map")) => {
                let (head, body) = head_and_body(statement)?;
                let name = head.get(1).ok_or_else(|| odd(statement))?;
                table.sets.insert((*name).to_owned(), elements(body));
            }
            // Counters, limits, helpers, flow tables: they hold no rules.
            _ => {
                head_and_body(statement)?;
            }
        }
    }
    Ok(Some(table))
}

fn chain(body: &[Token]) -> Result<Chain, Unreadable> {
    let mut chain = Chain::default();
    for statement in statements(body) {
        let words: Vec<_> = statement.iter().map(|token| token.word().unwrap_or_default()).collect();
        match words[..] {
            ["type", kind, "hook", hook, ..] => chain.hook = Some((kind.to_owned(), hook.to_owned())),
            ["policy", "accept"] => chain.drops = false,
            ["policy", "drop"] => chain.drops = true,
            ["policy" | "type", ..] => return Err(odd(statement)),
            ["flags" | "comment", ..] if chain.rules.is_empty() => {}
            _ => chain.rules.push(statement.to_vec()),
        }
    }
    Ok(chain)
}

fn elements(body: &[Token]) -> Vec<Token> {
    let of = |statement: &[Token]| match statement {
        [name, equals, Token::Braces(inside)] if name.is("elements") && equals.is("=") => Some(inside.clone()),
        _ => None,
    };
    statements(body).find_map(of).unwrap_or_default()
}

/// `table inet filter { … }` as its words and what stands in its braces.
fn head_and_body(statement: &[Token]) -> Result<(Vec<&str>, &[Token]), Unreadable> {
    match statement {
        [head @ .., Token::Braces(body)] => {
            let words = head.iter().map(Token::word).collect::<Option<Vec<_>>>();
            Ok((words.ok_or_else(|| odd(statement))?, body))
        }
        _ => Err(odd(statement)),
    }
}

fn odd(statement: &[Token]) -> Unreadable {
    let text: String = line(statement).chars().take(120).collect();
    Unreadable::new(format!("nft: not understood: {text}"))
}
