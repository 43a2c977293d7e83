//! The kernel's command line: of this boot, and of the loader's entries, which the next boot takes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{kernels::Kernels, small_files};
use std::collections::BTreeMap;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    pattern::Pattern,
    probe::{Output, Probe},
    traits::{Group, Traits},
};

/// Words that name the machine, and are others in each image of the same make.
const IDENTITY: [&str; 3] = ["spl.spl_hostid", "spl_hostid", "systemd.machine_id"];

/// Command lines, by where they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLines {
    /// The words of this boot's.
    pub running: Vec<String>,
    /// The words of each loader entry's, with its file.
    pub entries: Vec<(String, Vec<String>)>,
}

/// What a command line has to hold and what it must not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Words {
    /// Words that have to be there, each as a whole.
    pub required: Vec<String>,
    /// What no word may match.
    pub forbidden: Vec<Pattern>,
}

impl Fact for CommandLines {
    const ID: &'static str = "boot.command-lines";
    const GROUPS: &'static [Group] = &[Group::CommandLine];

    fn probes() -> Vec<Probe> {
        vec![small_files::probe(), Kernels::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let files = small_files::read(&out[0])?;
        let running = words(small_files::first(&files, small_files::COMMAND_LINE)?);
        let entries = Kernels::read(&out[1])?.entries;
        let entries = entries.into_iter().map(|entry| (entry.file, words(&entry.options))).collect();
        Ok(Self { running, entries })
    }

    fn tell(&self, traits: &mut Traits) {
        // Of a word that is there several times the last may be what counts.
        let mut values: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for word in &self.running {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            values.entry(name).or_default().push(value);
        }
        for (name, values) in values.iter().filter(|(name, _)| !IDENTITY.contains(name)) {
            traits.put(Group::CommandLine, name, values.join(", then "));
        }
    }
}

/// Words are parted by blanks, but not within double quotes, as the kernel has it.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        quoted ^= character == '"';
        match words.last_mut() {
            Some(word) if quoted || !character.is_ascii_whitespace() => word.push(character),
            _ => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

impl Words {
    /// What is wrong with a line, in words.
    fn faults(&self, line: &[String]) -> Vec<String> {
        let missing = self.required.iter().filter(|word| !line.contains(word)).map(|word| format!("no {word}"));
        let matched = line.iter().filter(|word| self.forbidden.iter().any(|pattern| pattern.matches(word)));
        missing.chain(matched.cloned()).collect()
    }
}

/// The command line is the one that the image is meant to boot with.
pub struct CommandLineExpected;

impl Check for CommandLineExpected {
    type Fact = CommandLines;
    type Want = Words;

    fn about(&self) -> &About {
        &About {
            id: "boot.command-line-expected",
            demand: "the kernel's command line, and that of every loader entry, has the words required and no word forbidden",
            remedy: "mend /etc/kernel/cmdline or GRUB_CMDLINE_LINUX, and write the loader's entries anew",
            key: "boot.command_line",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Words> {
        image.boot.command_line.clone()
    }

    fn judge(&self, got: &CommandLines, want: &Words) -> Verdict {
        let of_boot = want.faults(&got.running).into_iter().map(|fault| format!("this boot: {fault}"));
        let of_entries = got
            .entries
            .iter()
            .flat_map(|(file, line)| want.faults(line).into_iter().map(move |fault| format!("{file}: {fault}")));
        let faults: Vec<_> = of_boot.chain(of_entries).collect();
        let required = if want.required.is_empty() { String::new() } else { want.required.join(" ") + ", " };
        let wanted = format!("{required}nothing forbidden");
        let said = if faults.is_empty() { got.running.join(" ") } else { faults.join("; ") };
        Verdict::of(faults.is_empty(), wanted, said)
    }
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn blanks_within_quotes_part_no_words() {
        assert_eq!(words("ro  dyndbg=\"file x +p\" quiet\n"), ["ro", "dyndbg=\"file x +p\"", "quiet"]);
        assert!(words(" ").is_empty());
    }
}
