//! Parameters of the ZFS module: as they are now, and as `modprobe.d` sets them at the next boot.
//!
//! Both are read: what is written there takes effect once the module is loaded anew, and what was set by hand in /sys
//! is gone then.

use std::collections::BTreeMap;

use toml::Value;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Exit, Output, Probe},
};

const FOLDER: &str = "/sys/module/zfs/parameters/";

/// The size of the ARC and the parameters with which a power cut or an error loses data, and where `modprobe` looks for
/// its files: of the first each number, of the second each line that gives options to the module.
const ARGV: [&str; 14] = [
    "grep",
    "-aRHE",
    "^-?[0-9]+$|^[[:blank:]]*options[[:blank:]]+zfs[[:blank:]]",
    "/sys/module/zfs/parameters/zfs_arc_max",
    "/sys/module/zfs/parameters/zfs_arc_min",
    "/sys/module/zfs/parameters/zfs_free_leak_on_eio",
    "/sys/module/zfs/parameters/zfs_nocacheflush",
    "/sys/module/zfs/parameters/zfs_recover",
    "/sys/module/zfs/parameters/zil_nocacheflush",
    "/sys/module/zfs/parameters/zil_replay_disable",
    "/etc/modprobe.d",
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
];

/// What the parameters are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Of the loaded module; those that it does not have are missing.
    pub loaded: BTreeMap<String, u64>,
    /// What `modprobe.d` says: file, parameter, value.
    pub configured: Vec<(String, String, String)>,
}

impl Fact for Parameters {
    const ID: &'static str = "zfs.parameters";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(ARGV)]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let text = out[0].whole()?;
        if !matches!(out[0].exit, Exit::Code(0..=2)) {
            return Err(Unreadable::new(format!("{}: {}", out[0].exit, out[0].stderr.trim())));
        }
        let away = |line: &str| line.starts_with("grep: /") && line.ends_with(": No such file or directory");
        if let Some(complaint) = out[0].stderr.lines().find(|line| !line.trim().is_empty() && !away(line)) {
            return Err(Unreadable::new(complaint.trim()));
        }
        let mut parameters = Self { loaded: BTreeMap::new(), configured: Vec::new() };
        for line in text.lines() {
            let unreadable = || Unreadable::new(format!("neither a parameter nor an option: {line}"));
            let (file, value) = line.split_once(':').ok_or_else(unreadable)?;
            if let Some(name) = file.strip_prefix(FOLDER) {
                parameters.loaded.insert(name.to_owned(), value.parse().map_err(|_| unreadable())?);
            } else {
                // What does not end so is not read by modprobe.
                let read = file.strip_suffix(".conf").is_some();
                let options = value.split_whitespace().skip(2).filter(|_| read);
                let options = options.map(|option| option.split_once('=').unwrap_or((option, "")));
                parameters.configured.extend(options.map(|(name, value)| (file.into(), name.into(), value.into())));
            }
        }
        if parameters.loaded.is_empty() {
            return Err(Unreadable::new("the module tells no parameter: it is not loaded"));
        }
        Ok(parameters)
    }
}

impl Parameters {
    /// What is not as wanted, now or at the next boot.
    fn others(&self, want: &BTreeMap<String, u64>) -> Vec<String> {
        let mut others = Vec::new();
        for (name, value) in want {
            match self.loaded.get(name) {
                Some(there) if there == value => {}
                Some(there) => others.push(format!("{name} {there}")),
                None => others.push(format!("{name} not told")),
            }
            let set = self.configured.iter().filter(|(_, option, said)| option == name && number(said) != Some(*value));
            others.extend(set.map(|(file, option, said)| format!("{file}: {option}={said}")));
        }
        others
    }

    fn verdict(&self, want: &BTreeMap<String, u64>) -> Verdict {
        let others = self.others(want);
        let words: Vec<_> = want.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let said = if others.is_empty() { words.join(", ") } else { others.join(", ") };
        Verdict::of(others.is_empty(), words.join(", "), said)
    }
}

/// A number as the kernel reads it: decimal or hexadecimal.
fn number(text: &str) -> Option<u64> {
    text.strip_prefix("0x").map_or_else(|| text.parse().ok(), |digits| u64::from_str_radix(digits, 16).ok())
}

/// The ARC is as large as expected.
pub struct ArcAsExpected;

impl Check for ArcAsExpected {
    type Fact = Parameters;
    type Want = u64;

    fn about(&self) -> &About {
        &About {
            id: "zfs.arc-as-expected",
            demand: "zfs_arc_max is as expected, now and at the next boot",
            remedy: "`options zfs zfs_arc_max=BYTES` in /etc/modprobe.d, and the initramfs made anew; an image for machines of any size leaves it out",
            key: "zfs.arc_max",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<u64> {
        image.zfs.arc_max
    }

    fn judge(&self, got: &Parameters, want: &u64) -> Verdict {
        got.verdict(&BTreeMap::from([("zfs_arc_max".to_owned(), *want)]))
    }

    fn observed(&self, got: &Parameters) -> Option<Value> {
        got.loaded.get("zfs_arc_max").and_then(|bytes| i64::try_from(*bytes).ok()).map(Value::from)
    }
}

/// The parameters that can lose data have safe values.
pub struct ParametersSafe;

impl Check for ParametersSafe {
    type Fact = Parameters;
    type Want = BTreeMap<String, u64>;

    fn about(&self) -> &About {
        &About {
            id: "zfs.parameters-safe",
            demand: "the parameters of the module with which data is lost have the expected values, now and at the next boot",
            remedy: "take them out of /etc/modprobe.d and the kernel's command line, and make the initramfs anew",
            key: "zfs.parameters",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Self::Want> {
        Some(image.zfs.parameters.clone()).filter(|want| !want.is_empty())
    }

    fn judge(&self, got: &Parameters, want: &Self::Want) -> Verdict {
        got.verdict(want)
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn a_number_is_read_as_the_kernel_reads_it() {
        assert_eq!(
            [number("0"), number("0x10"), number("16"), number("1G"), number("")],
            [Some(0), Some(16), Some(16), None, None]
        );
    }
}
