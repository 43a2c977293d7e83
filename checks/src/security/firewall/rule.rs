//! One rule of a chain, read as far as the walk of a packet needs it: its conditions and its verdict.
//!
//! A rule with words that are not known here has a hidden condition: the walk then says that it cannot tell, if such
//! a rule decides.

use std::collections::BTreeMap;

use super::{
    condition::{Condition, Sense, all_senders, many_receivers, ports, words},
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

type Sets = BTreeMap<String, Vec<Token>>;

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
fn last_action(text: &str) -> Option<Action> {
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

struct Reader<'a> {
    rest: &'a [Token],
    sets: &'a Sets,
    conditions: Vec<Condition>,
    map: Option<Vec<(Vec<Condition>, Action)>>,
    action: Action,
}

/// What a condition is about.
#[derive(Clone, Copy)]
enum Subject {
    Interface,
    Protocol,
    Port,
    State,
    Sender,
    Receiver,
    Family,
    /// Marks: set by an earlier rule, not by the sender.
    Mark,
    Other,
}

impl Reader<'_> {
    fn all(&mut self) -> Result<(), ()> {
        while let Some(first) = self.rest.first() {
            match first {
                Token::Hidden(text) => {
                    self.action = last_action(text).unwrap_or_else(|| self.action.clone());
                    self.rest = &self.rest[1..];
                    self.conditions.push(Condition::Hidden);
                }
                Token::Word(word) => {
                    let word = word.clone();
                    self.rest = &self.rest[1..];
                    self.statement(&word)?;
                }
                _ => return Err(()),
            }
        }
        Ok(())
    }

    fn statement(&mut self, word: &str) -> Result<(), ()> {
        if let Some(action) = self.decision(word)? {
            self.action = action;
            return Ok(());
        }
        match word {
            "counter" => {
                if self.take("packets") {
                    self.skip(3)?;
                } else if self.take("name") {
                    self.skip(1)?;
                }
            }
            "comment" => self.skip(1)?,
            "log" => {
                while ["prefix", "level", "flags", "group", "snaplen", "queue-threshold"]
                    .iter()
                    .any(|word| self.take(word))
                {
                    self.value()?;
                }
            }
            "notrack" => {}
            "limit" => {
                if !self.take("name") && !self.take("rate") {
                    return Err(());
                }
                self.take("over");
                // `10/second`, `10 mbytes/second`, or the name of a limit.
                if self.name()?.bytes().all(|byte| byte.is_ascii_digit()) {
                    self.skip(1)?;
                }
                if self.take("burst") {
                    self.skip(2)?;
                }
                self.conditions.push(Condition::Sometimes);
            }
            "quota" => {
                self.conditions.push(Condition::Sometimes);
                self.until_verdict();
            }
            "add" | "update" | "delete" => {
                self.skip(1)?;
                let Some((Token::Braces(_), rest)) = self.rest.split_first() else { return Err(()) };
                self.rest = rest;
                self.conditions.push(Condition::Sometimes);
            }
            "meter" => {
                self.until_verdict();
                self.conditions.push(Condition::Sometimes);
            }
            "xt" => {
                let target = self.name()? == "target";
                let name = self.name()?;
                match name.as_str() {
                    _ if !target => self.conditions.push(Condition::Hidden),
                    "REJECT" | "DROP" => self.action = Action::Drop,
                    "LOG" | "NFLOG" | "MARK" | "CONNMARK" | "SET" | "TRACE" | "AUDIT" => {}
                    _ => self.action = Action::Queue,
                }
            }
            _ => self.condition(word)?,
        }
        Ok(())
    }

    fn decision(&mut self, word: &str) -> Result<Option<Action>, ()> {
        Ok(Some(match word {
            "accept" => Action::Accept,
            "drop" => Action::Drop,
            "reject" => {
                if self.take("with") {
                    self.skip(1)?;
                    self.take("type");
                    self.skip(1)?;
                }
                Action::Drop
            }
            "return" => Action::Return,
            "continue" => Action::Continue,
            "jump" => Action::Jump(self.name()?),
            "goto" => Action::Goto(self.name()?),
            "queue" => {
                self.until_verdict();
                Action::Queue
            }
            _ => return Ok(None),
        }))
    }

    fn condition(&mut self, word: &str) -> Result<(), ()> {
        let mut subjects = vec![self.subject(word)?];
        while self.take(".") {
            let next = self.name()?;
            subjects.push(self.subject(&next)?);
        }
        if self.take("set") {
            self.until_verdict();
            return Ok(());
        }
        if self.take("vmap") {
            let map = self.braces()?;
            self.map = Some(self.entries(&subjects, &map)?);
            return Ok(());
        }
        let sense = if self.take("!=") || self.take("!") { Sense::IsNot } else { Sense::Is };
        let values = self.value()?;
        let [subject] = subjects[..] else {
            self.conditions.push(if matches!(sense, Sense::Is) {
                concatenated(&subjects)
            } else {
                Condition::Sometimes
            });
            return Ok(());
        };
        self.conditions.extend(stated(subject, &values, sense));
        Ok(())
    }

    /// Takes the words that say what is compared, after the first.
    fn subject(&mut self, word: &str) -> Result<Subject, ()> {
        let protocol = |name: &str| Condition::Protocol(vec![name.to_owned()], Sense::Is);
        Ok(match word {
            "iif" | "iifname" => Subject::Interface,
            "mark" => Subject::Mark,
            "pkttype" => Subject::Receiver,
            "oif" | "oifname" | "skuid" | "skgid" | "iifgroup" | "iiftype" | "cgroup" => Subject::Other,
            "meta" => match self.name()?.as_str() {
                "iif" | "iifname" => Subject::Interface,
                "l4proto" => Subject::Protocol,
                "nfproto" | "protocol" => Subject::Family,
                "mark" => Subject::Mark,
                "pkttype" => Subject::Receiver,
                _ => Subject::Other,
            },
            "ct" => match self.name()?.as_str() {
                // A new connection has no status yet, as it has no state but this.
                "state" | "status" => Subject::State,
                "mark" => Subject::Mark,
                "original" | "reply" => {
                    self.skip(1)?;
                    Subject::Other
                }
                "count" => {
                    self.take("over");
                    Subject::Other
                }
                _ => Subject::Other,
            },
            "ip" | "ip6" => {
                self.conditions.push(Condition::V6(word == "ip6", Sense::Is));
                match self.name()?.as_str() {
                    "saddr" => Subject::Sender,
                    "daddr" => Subject::Receiver,
                    "protocol" | "nexthdr" => Subject::Protocol,
                    _ => Subject::Other,
                }
            }
            "tcp" | "udp" | "sctp" | "dccp" | "udplite" | "th" | "icmp" | "icmpv6" | "igmp" | "esp" | "ah" => {
                match word {
                    "th" => {}
                    "icmpv6" => self.conditions.push(protocol("ipv6-icmp")),
                    name => self.conditions.push(protocol(name)),
                }
                match self.name()?.as_str() {
                    "dport" => Subject::Port,
                    "option" => {
                        self.skip(1)?;
                        Subject::Other
                    }
                    _ => Subject::Other,
                }
            }
            "ether" => match self.name()?.as_str() {
                "saddr" => Subject::Sender,
                _ => Subject::Other,
            },
            "fib" => self.fib()?,
            "rt" | "exthdr" | "frag" | "hbh" | "dst" | "mh" | "vlan" | "socket" => {
                self.skip(1)?;
                Subject::Other
            }
            _ => return Err(()),
        })
    }

    /// `fib daddr . iif type local`, after `fib`.
    fn fib(&mut self) -> Result<Subject, ()> {
        let mut receiver = false;
        loop {
            match self.name()?.as_str() {
                "daddr" => receiver = true,
                "saddr" | "iif" | "mark" | "." => {}
                "type" if receiver => return Ok(Subject::Receiver),
                "type" | "oif" | "oifname" | "check" => return Ok(Subject::Other),
                _ => return Err(()),
            }
        }
    }

    /// Takes a value with all that is tied to it by operators; the words of a named set where there is one.
    fn value(&mut self) -> Result<Vec<Token>, ()> {
        let operator = |token: &Token| {
            [",", "|", "&", "/", "==", "!=", "<", ">", "<=", ">=", "<<", ">>", "^", "."]
                .iter()
                .any(|word| token.is(word))
        };
        let mut values = Vec::new();
        loop {
            while self.rest.first().is_some_and(operator) {
                self.rest = &self.rest[1..];
            }
            let (first, rest) = self.rest.split_first().ok_or(())?;
            self.rest = rest;
            match first {
                Token::Braces(inside) => values.extend(inside.iter().cloned()),
                Token::Word(word) if word.starts_with('(') => {
                    let mut last = word.clone();
                    while !last.ends_with(')') {
                        last = self.name()?;
                    }
                    // A mask: what it leaves of the value is not worked out.
                    values.push(Token::Word("&".to_owned()));
                }
                Token::Word(word) => match word.strip_prefix('@') {
                    Some(name) => values.extend(self.sets.get(name).ok_or(())?.iter().cloned()),
                    None => values.push(first.clone()),
                },
                Token::Text(_) => values.push(first.clone()),
                Token::End | Token::Hidden(_) => return Err(()),
            }
            if !self.rest.first().is_some_and(operator) {
                return Ok(values);
            }
        }
    }

    /// The entries of a verdict map.
    fn entries(&mut self, subjects: &[Subject], map: &[Token]) -> Result<Vec<(Vec<Condition>, Action)>, ()> {
        let mut entries = Vec::new();
        let map: Vec<_> = map.iter().filter(|token| **token != Token::End).cloned().collect();
        for entry in map.split(|token| token.is(",")).filter(|entry| !entry.is_empty()) {
            let colon = entry.iter().rposition(|token| token.is(":")).ok_or(())?;
            let (key, verdict) = (&entry[..colon], &entry[colon + 1..]);
            let mut inner =
                Reader { rest: verdict, sets: self.sets, conditions: Vec::new(), map: None, action: Action::Continue };
            inner.all()?;
            let conditions = match subjects {
                [subject] => stated(*subject, key, Sense::Is),
                _ => vec![concatenated(subjects)],
            };
            entries.push((conditions, inner.action));
        }
        Ok(entries)
    }

    fn braces(&mut self) -> Result<Vec<Token>, ()> {
        let (first, rest) = self.rest.split_first().ok_or(())?;
        self.rest = rest;
        match first {
            Token::Braces(inside) => Ok(inside.clone()),
            Token::Word(word) => self.sets.get(word.strip_prefix('@').ok_or(())?).cloned().ok_or(()),
            _ => Err(()),
        }
    }

    fn take(&mut self, word: &str) -> bool {
        let taken = self.rest.first().is_some_and(|token| token.is(word));
        if taken {
            self.rest = &self.rest[1..];
        }
        taken
    }

    fn name(&mut self) -> Result<String, ()> {
        let (first, rest) = self.rest.split_first().ok_or(())?;
        self.rest = rest;
        first.word().map(str::to_owned).ok_or(())
    }

    fn skip(&mut self, count: usize) -> Result<(), ()> {
        self.rest = self.rest.get(count..).ok_or(())?;
        Ok(())
    }

    fn until_verdict(&mut self) {
        let ends = |token: &Token| {
            ["accept", "drop", "reject", "return", "jump", "goto", "counter", "comment", "log"]
                .iter()
                .any(|word| token.is(word))
        };
        let at = self.rest.iter().position(ends).unwrap_or(self.rest.len());
        self.rest = &self.rest[at..];
    }
}

/// The conditions that a comparison makes.
fn stated(subject: Subject, values: &[Token], sense: Sense) -> Vec<Condition> {
    if values.iter().any(|token| token.is("&")) {
        return vec![Condition::Sometimes];
    }
    let is = matches!(sense, Sense::Is);
    match subject {
        Subject::Interface => vec![Condition::Interface(words(values), sense)],
        Subject::Protocol => vec![Condition::Protocol(words(values), sense)],
        Subject::Port => vec![Condition::Port(ports(values), sense)],
        Subject::State => vec![Condition::State(words(values), sense)],
        Subject::Family => {
            let families = words(values);
            let v6 = |name: &String| matches!(name.as_str(), "ipv6" | "ip6");
            match families.as_slice() {
                [family] => vec![Condition::V6(v6(family), sense)],
                _ => vec![Condition::Sometimes],
            }
        }
        Subject::Sender if all_senders(values) => Vec::new(),
        Subject::Sender => vec![Condition::Sender(sense)],
        Subject::Mark | Subject::Receiver if is && (matches!(subject, Subject::Mark) || many_receivers(values)) => {
            vec![Condition::Sender(Sense::Is)]
        }
        Subject::Mark | Subject::Receiver | Subject::Other => vec![Condition::Sometimes],
    }
}

/// Several things compared at once: as narrow as the narrowest.
fn concatenated(subjects: &[Subject]) -> Condition {
    let narrow = subjects.iter().any(|subject| matches!(subject, Subject::Sender | Subject::Port));
    if narrow { Condition::Sender(Sense::Is) } else { Condition::Sometimes }
}
