//! The words of `nft list ruleset`, with what stands in braces nested.
//!
//! nft's text is read and not its JSON, because JSON keeps silent about what iptables-nft's own matches compare.

use crate::fact::Unreadable;

/// One word of a ruleset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A bare word, a number, an address, an operator or a comma.
    Word(String),
    /// What stood in double quotes.
    Text(String),
    /// What stood in braces.
    Braces(Vec<Token>),
    /// The end of a statement: a line break or a semicolon.
    End,
    /// A comment among the rules, in which nft hides what it has no words for.
    Hidden(String),
}

impl Token {
    /// The word, quoted or not.
    pub(super) fn word(&self) -> Option<&str> {
        match self {
            Self::Word(word) | Self::Text(word) => Some(word),
            _ => None,
        }
    }

    /// Whether it is this bare word.
    pub(super) fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(mine) if mine == word)
    }
}

/// Splits a ruleset into its words.
///
/// # Errors
/// [`Unreadable`] if a brace or a quote is left open or closes nothing.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Unreadable> {
    let mut open: Vec<Vec<Token>> = vec![Vec::new()];
    let cut = || Unreadable::new("nft: the ruleset is cut off");
    for line in text.lines() {
        let mut rest = line.trim();
        let mut opened = false;
        while !rest.is_empty() {
            let nested = open.len() > 1;
            let into = open.last_mut().ok_or_else(cut)?;
            let first = rest.chars().next().unwrap_or_default();
            let used = match first {
                '#' => {
                    // Outside of tables and behind an opening brace it is a remark of nft or of the table's owner.
                    if nested && !opened {
                        into.push(Token::Hidden(rest.trim_start_matches('#').trim().to_owned()));
                    }
                    rest.len()
                }
                '"' => {
                    let end = rest[1..].find('"').ok_or_else(cut)?;
                    into.push(Token::Text(rest[1..=end].to_owned()));
                    end + 2
                }
                '{' => {
                    open.push(Vec::new());
                    1
                }
                '}' => {
                    let inside = open.pop().ok_or_else(cut)?;
                    open.last_mut()
                        .ok_or_else(|| Unreadable::new("nft: a brace closes nothing"))?
                        .push(Token::Braces(inside));
                    1
                }
                ';' => {
                    into.push(Token::End);
                    1
                }
                ',' => {
                    into.push(Token::Word(",".to_owned()));
                    1
                }
                _ => {
                    let ends = |at: char| at.is_whitespace() || matches!(at, '{' | '}' | ';' | ',' | '"');
                    let end = rest.find(ends).unwrap_or(rest.len());
                    into.push(Token::Word(rest[..end].to_owned()));
                    end
                }
            };
            opened = first == '{';
            rest = rest[used..].trim_start();
        }
        open.last_mut().ok_or_else(cut)?.push(Token::End);
    }
    let all = open.pop().ok_or_else(cut)?;
    if open.is_empty() { Ok(all) } else { Err(cut()) }
}

/// Splits words into statements; empty ones are left out.
pub(super) fn statements(tokens: &[Token]) -> impl Iterator<Item = &[Token]> {
    tokens.split(|token| *token == Token::End).filter(|statement| !statement.is_empty())
}

/// The words as nft would print them, in one line.
pub(super) fn line(tokens: &[Token]) -> String {
    let words: Vec<_> = tokens
        .iter()
        .map(|token| match token {
            Token::Word(word) => word.clone(),
            Token::Text(text) => format!("\"{text}\""),
            Token::Braces(inside) => format!("{{ {} }}", line(inside)),
            Token::End => String::new(),
            Token::Hidden(text) => format!("# {text}"),
        })
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ").replace(" ,", ",")
}
