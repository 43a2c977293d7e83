//! The lines of the machine's configuration that may stem from the network it was made in, gathered once for three facts.

use crate::{
    fact::Unreadable,
    probe::{Output, Probe},
};

/// Reads what is there of some ninety places; secrets stay in the machine.
const SCRIPT: &str = include_str!("config.sh");

/// What a line may be of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Pin,
    Proxy,
    Time,
}

/// A line of a file of the machine's configuration, without leading blanks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigLine {
    /// The file.
    pub file: String,
    /// The line.
    pub line: String,
}

impl ConfigLine {
    pub(super) fn probe() -> Probe {
        Probe::root(["sh", "-c", SCRIPT])
    }

    /// The lines that may be of a kind.
    pub(super) fn read(out: &Output, kind: Kind) -> Result<Vec<Self>, Unreadable> {
        let text = out.ok()?.strip_suffix("end\n").ok_or_else(|| Unreadable::new("cut off"))?;
        // awk says here what it could not read, and goes on or not.
        if let Some(line) = out.stderr.lines().next() {
            return Err(Unreadable::new(line.trim()));
        }
        let mut found = Vec::new();
        for line in text.lines() {
            let bad = || Unreadable::new(format!("not a kind, a file and a line: {line}"));
            let [what, file, line] = line.splitn(3, '\t').collect::<Vec<_>>()[..] else { return Err(bad()) };
            let what = match what {
                "pin" => Kind::Pin,
                "proxy" => Kind::Proxy,
                "time" => Kind::Time,
                _ => return Err(bad()),
            };
            if what == kind {
                found.push(Self { file: file.to_owned(), line: line.trim_end().to_owned() });
            }
        }
        Ok(found)
    }
}

impl std::fmt::Display for ConfigLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.file, self.line)
    }
}
