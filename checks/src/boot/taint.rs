//! What taints the kernel: its own flags, and those of each module, since one module hides behind the flags of another.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Value;

use super::small_files;
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// The letters of the kernel's flags, the lowest bit first, as `Documentation/admin-guide/tainted-kernels.rst` has them.
const LETTERS: [char; 20] =
    ['P', 'F', 'S', 'R', 'M', 'B', 'U', 'D', 'A', 'W', 'C', 'I', 'O', 'E', 'L', 'K', 'X', 'T', 'N', 'J'];

/// What taints the running kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taint {
    /// The letters of the kernel's flags, in the kernel's order.
    pub flags: String,
    /// The letters of each module that has any.
    pub modules: BTreeMap<String, String>,
}

/// What may taint a kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaintAllowed {
    /// Letters of the kernel's flags, as in `POE`.
    pub flags: String,
    /// Modules that may be the cause of flags.
    pub modules: Vec<String>,
}

impl Fact for Taint {
    const ID: &'static str = "boot.taint";

    fn probes() -> Vec<Probe> {
        vec![small_files::probe(), Probe::file("/proc/modules")]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let files = small_files::read(&out[0])?;
        Ok(Self {
            flags: letters(small_files::first(&files, small_files::TAINTED)?)?,
            modules: out[1].ok()?.lines().map(module).filter_map(Result::transpose).collect::<Result<_, _>>()?,
        })
    }
}

fn letters(number: &str) -> Result<String, Unreadable> {
    let unknown = || Unreadable::new(format!("{} has a flag without a letter: {number}", small_files::TAINTED));
    let bits: u64 = number.trim().parse().map_err(|_| unknown())?;
    (0..u64::BITS)
        .filter(|bit| bits >> bit & 1 == 1)
        .map(|bit| LETTERS.get(bit as usize).copied().ok_or_else(unknown))
        .collect()
}

/// `name size users by state address (flags)`; most modules have no flags.
fn module(line: &str) -> Result<Option<(String, String)>, Unreadable> {
    let words: Vec<_> = line.split_whitespace().collect();
    match words[..] {
        [_, _, _, _, "Live" | "Loading" | "Unloading", _] => Ok(None),
        [name, _, _, _, "Live" | "Loading" | "Unloading", _, flags] => {
            // `+` and `-` stand behind the flags of a module that comes or goes.
            let flags = flags.trim_matches(['(', ')', '+', '-']);
            Ok((!flags.is_empty()).then(|| (name.to_owned(), flags.to_owned())))
        }
        _ => Err(Unreadable::new(format!("not a line of /proc/modules: {line}"))),
    }
}

/// Nothing taints the kernel but what is known to.
pub struct TaintExpected;

impl Check for TaintExpected {
    type Fact = Taint;
    type Want = TaintAllowed;

    fn about(&self) -> &About {
        &About {
            id: "boot.taint-expected",
            demand: "nothing taints the kernel but the modules that are known to, and with no other flags",
            remedy: "the letter says why (W warned, D oopsed, L locked up, F forced, S out of specification …): mend that; \
                     sign or remove a module that is not the image's own",
            key: "boot.taint",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<TaintAllowed> {
        image.boot.taint.clone()
    }

    fn judge(&self, got: &Taint, want: &TaintAllowed) -> Verdict {
        let flags_known = got.flags.chars().all(|flag| want.flags.contains(flag));
        let modules_known = got.modules.keys().all(|module| want.modules.contains(module));
        Verdict::of(flags_known && modules_known, said(&want.flags, &want.modules), {
            let modules: Vec<_> = got.modules.iter().map(|(module, flags)| format!("{module} ({flags})")).collect();
            said(&got.flags, &modules)
        })
    }

    fn observed(&self, got: &Taint) -> Option<Value> {
        let modules = got.modules.keys().cloned().collect();
        Value::try_from(TaintAllowed { flags: got.flags.clone(), modules }).ok()
    }
}

fn said(flags: &str, modules: &[String]) -> String {
    let flags = if flags.is_empty() { "no flags" } else { flags };
    let modules = if modules.is_empty() { "no module".to_owned() } else { modules.join(", ") };
    format!("{flags}, by {modules}")
}

#[cfg(test)]
mod tests {
    use super::{letters, module};

    #[test]
    fn bits_are_letters() {
        assert_eq!(letters("0").as_deref(), Ok(""));
        // What ZFS leaves, and the same after a warning.
        assert_eq!(letters("12289").as_deref(), Ok("POE"));
        assert_eq!(letters("12801").as_deref(), Ok("PWOE"));
        assert!(letters("-1").is_err() && letters("").is_err() && letters("4611686018427387904").is_err());
    }

    #[test]
    fn modules_without_flags_are_left_out() {
        let zfs = "zfs 6668288 13 - Live 0xffffffffc0a00000 (POE)";
        assert_eq!(module(zfs), Ok(Some(("zfs".to_owned(), "POE".to_owned()))));
        assert_eq!(module("dm_mod 225280 0 - Live 0xffffffffc06ad000"), Ok(None));
        assert_eq!(module("fuse 200704 1 - Loading 0xffffffffc06ad000 (+)"), Ok(None));
        assert!(module("zfs 6668288 13 - Dead 0x0").is_err() && module("").is_err());
    }
}
