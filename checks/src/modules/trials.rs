//! Trials of one script: a line for each thing that was tried, `NAME works`, `NAME loads` or `NAME fails: WORDS`.

use std::collections::BTreeMap;

use crate::{
    fact::Unreadable,
    outcome::Verdict,
    probe::{Exit, Output},
};

/// What was tried, each with the words of what went wrong, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trials(BTreeMap<String, Option<String>>);

impl Trials {
    /// Reads what a script said that tries `count` things.
    pub(super) fn read(out: &Output, count: usize) -> Result<Self, Unreadable> {
        let mut tried = BTreeMap::new();
        for line in out.ok()?.lines() {
            let bad = || Unreadable::new(format!("not the end of a trial: {line}"));
            let (name, end) = line.split_once(' ').ok_or_else(bad)?;
            let failed = match (end, end.strip_prefix("fails: ")) {
                ("works" | "loads", _) => None,
                (_, Some(words)) => Some(words.trim().to_owned()),
                _ => return Err(bad()),
            };
            tried.insert(name.to_owned(), failed);
        }
        if out.exit != Exit::Code(0) || tried.len() != count {
            return Err(Unreadable::new(format!("{} of {count} trials", tried.len())));
        }
        Ok(Self(tried))
    }

    /// Whether each of `want` was tried and worked.
    pub(super) fn verdict(&self, want: &[String]) -> Verdict {
        let amiss = want.iter().filter_map(|name| match self.0.get(name) {
            Some(None) => None,
            Some(Some(words)) => Some(format!("{name}: {words}")),
            None => Some(format!("{name}: not tried, there is none here")),
        });
        let amiss: Vec<_> = amiss.collect();
        let words = if amiss.is_empty() { "all work".to_owned() } else { amiss.join("; ") };
        Verdict::of(amiss.is_empty(), want.join(", "), words)
    }

    /// The names of those that worked, as an expectation lists them.
    pub(super) fn working(&self) -> toml::Value {
        let names = self.0.iter().filter(|(_, failed)| failed.is_none()).map(|(name, _)| name.clone());
        toml::Value::Array(names.map(toml::Value::String).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::{Exit, Output, Trials};

    #[test]
    fn fewer_trials_than_there_are_cannot_be_told() {
        let read = |stdout: &str, count| {
            let (stdout, stderr, took) = (stdout.to_owned(), String::new(), std::time::Duration::ZERO);
            Trials::read(&Output { exit: Exit::Code(0), stdout, stderr, truncated: false, took }, count)
        };
        let both = "dummy works\nbridge fails: Error: Unknown device type.\n";
        let verdict = read(both, 2).unwrap().verdict(&["dummy".to_owned(), "bridge".to_owned()]);
        assert!(!verdict.holds && verdict.got == "bridge: Error: Unknown device type.", "{verdict:?}");
        assert!(read(both, 3).is_err() && read("dummy half\n", 1).is_err());
    }
}
