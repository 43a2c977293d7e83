//! The words of a rule, read from left to right: statements, conditions with their values, and actions.
//!
//! It is apart from the rule, for it is the one place that knows how nft writes.

use super::{
    condition::{Condition, Sense, Subject, concatenated, stated},
    rule::{Action, Sets, last_action},
    token::Token,
};

/// Reads the words of one rule from left to right.
pub(super) struct Reader<'a> {
    pub rest: &'a [Token],
    pub sets: &'a Sets,
    pub conditions: Vec<Condition>,
    /// The entries of a verdict map, each with what it adds to the conditions.
    pub map: Option<Vec<(Vec<Condition>, Action)>>,
    pub action: Action,
}

impl Reader<'_> {
    /// Reads all words; fails at the first that is not known here.
    pub(super) fn all(&mut self) -> Result<(), ()> {
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
