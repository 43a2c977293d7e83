//! What the kernel keeps even from root: its lockdown, and whose modules it takes.
//!
//! A machine with Secure Boot on may be guarded more than declared, since some kernels then guard themselves.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Value;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// Prints the kernel's answers, and of the firmware's variable the four bytes of attributes and the one that counts.
const SCRIPT: &str = r"grep -aHs '' /sys/kernel/security/lsm /sys/kernel/security/lockdown /sys/module/module/parameters/sig_enforce
for variable in /sys/firmware/efi/efivars/SecureBoot-*; do
  if [ -e $variable ]; then echo SecureBoot:$(od -An -v -t u1 $variable); fi
done";

/// How far the kernel is locked down, from the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Lockdown {
    /// Not at all.
    None,
    /// Root cannot change it.
    Integrity,
    /// Nor read its memory.
    Confidentiality,
}

/// What the kernel keeps from root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelGuard {
    /// The lockdown; `None` where the kernel has no such thing.
    pub lockdown: Option<Lockdown>,
    /// Whether unsigned modules are refused; `None` where the kernel knows no signatures.
    pub signed_modules: Option<bool>,
    /// Whether the firmware checks signatures of what it starts.
    pub secure_boot: bool,
}

impl Fact for KernelGuard {
    const ID: &'static str = "security.kernel-guard";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["sh", "-c", SCRIPT])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let text = out[0].ok()?;
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        if value("/sys/kernel/security/lsm").is_none() {
            return Err(Unreadable::new("/sys/kernel/security is not there, so the lockdown is not told"));
        }
        let lockdown = value("/sys/kernel/security/lockdown").map(|line| {
            let chosen = line.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
            match chosen.map(|(level, _)| level) {
                Some("none") => Ok(Lockdown::None),
                Some("integrity") => Ok(Lockdown::Integrity),
                Some("confidentiality") => Ok(Lockdown::Confidentiality),
                _ => Err(Unreadable::new(format!("/sys/kernel/security/lockdown: {line}"))),
            }
        });
        let signed = value("/sys/module/module/parameters/sig_enforce").map(|line| match line {
            "Y" => Ok(true),
            "N" => Ok(false),
            other => Err(Unreadable::new(format!("sig_enforce: {other}"))),
        });
        let secure_boot = value("SecureBoot").map(|bytes| match bytes.split_whitespace().nth(4) {
            Some("0") => Ok(false),
            Some("1") => Ok(true),
            _ => Err(Unreadable::new(format!("the firmware's variable SecureBoot: {bytes}"))),
        });
        Ok(Self {
            lockdown: lockdown.transpose()?,
            signed_modules: signed.transpose()?,
            secure_boot: secure_boot.transpose()?.unwrap_or(false),
        })
    }
}

impl KernelGuard {
    fn told(self, what: impl fmt::Display) -> String {
        format!("{what}, Secure Boot {}", if self.secure_boot { "on" } else { "off" })
    }
}

impl fmt::Display for Lockdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Integrity => "integrity",
            Self::Confidentiality => "confidentiality",
        })
    }
}

/// The kernel is locked down as far as declared.
pub struct KernelLockdownAsDeclared;

impl Check for KernelLockdownAsDeclared {
    type Fact = KernelGuard;
    type Want = Lockdown;

    fn about(&self) -> &About {
        &About {
            id: "security.kernel-lockdown-as-declared",
            demand: "the kernel's lockdown is the declared one: looser is unsafe, tighter refuses modules and kexec",
            remedy: "set lockdown= on the kernel's command line, and have `lockdown` in lsm= where that is set",
            key: "security.lockdown",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Lockdown> {
        image.security.lockdown
    }

    fn judge(&self, got: &KernelGuard, want: &Lockdown) -> Verdict {
        let holds = got.lockdown.is_some_and(|level| level == *want || got.secure_boot && level > *want);
        let words = got.lockdown.map_or_else(|| "the kernel knows no lockdown".to_owned(), |level| level.to_string());
        Verdict::of(holds, want, got.told(words))
    }

    fn observed(&self, got: &KernelGuard) -> Option<Value> {
        got.lockdown.map(|level| level.to_string().into())
    }
}

/// The kernel refuses unsigned modules, or takes them, as declared.
pub struct ModuleSignaturesAsDeclared;

impl Check for ModuleSignaturesAsDeclared {
    type Fact = KernelGuard;
    type Want = bool;

    fn about(&self) -> &About {
        &About {
            id: "security.module-signatures-as-declared",
            demand: "the kernel refuses unsigned modules only where that is declared: modules built by DKMS may be unsigned",
            remedy: "set or remove module.sig_enforce=1 on the kernel's command line; once on, only a boot turns it off",
            key: "security.module_signatures",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<bool> {
        image.security.module_signatures
    }

    fn judge(&self, got: &KernelGuard, want: &bool) -> Verdict {
        let holds = got.signed_modules.unwrap_or(false) == *want || got.secure_boot && got.signed_modules == Some(true);
        let words = match got.signed_modules {
            Some(true) => "only signed modules",
            Some(false) => "unsigned modules are taken",
            None => "the kernel knows no signatures",
        };
        let demand = if *want { "only signed modules" } else { "unsigned modules are taken" };
        Verdict::of(holds, demand, got.told(words))
    }

    fn observed(&self, got: &KernelGuard) -> Option<Value> {
        got.signed_modules.map(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::{KernelGuard, KernelLockdownAsDeclared, Lockdown, ModuleSignaturesAsDeclared};
    use crate::Check;

    #[test]
    fn secure_boot_may_tighten_what_is_declared() {
        let (lockdown, signed_modules) = (Some(Lockdown::Integrity), Some(true));
        for secure_boot in [true, false] {
            let guard = KernelGuard { lockdown, signed_modules, secure_boot };
            assert_eq!(KernelLockdownAsDeclared.judge(&guard, &Lockdown::None).holds, secure_boot);
            assert_eq!(ModuleSignaturesAsDeclared.judge(&guard, &false).holds, secure_boot);
            assert!(KernelLockdownAsDeclared.judge(&guard, &Lockdown::Integrity).holds);
            assert!(!KernelLockdownAsDeclared.judge(&guard, &Lockdown::Confidentiality).holds);
        }
    }
}
