//! What becomes of a program's memory when it crashes.
//!
//! Limits do not count where the kernel hands the memory to a program, and the other way round.

use super::LoginSession;
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// Prints the kernel's pattern, the limit that systemd gives to services, and what systemd-coredump is told to do, by
/// the file that counts last.
const SCRIPT: &str = r"echo pattern $(cat /proc/sys/kernel/core_pattern)
if command -v systemctl >/dev/null; then echo services $(systemctl show --property=DefaultLimitCORESoft --value); fi
storage=$(cd / && cat usr/lib/systemd/coredump.conf run/systemd/coredump.conf etc/systemd/coredump.conf \
  usr/lib/systemd/coredump.conf.d/*.conf run/systemd/coredump.conf.d/*.conf etc/systemd/coredump.conf.d/*.conf 2>/dev/null |
  grep -E '^[[:space:]]*Storage[[:space:]]*=' | tail -n 1 | cut -d= -f2)
echo storage $storage
echo end";

/// What becomes of a program's memory when it crashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreDumps {
    /// The soft limit of a login, as the shell tells it.
    login_limit: String,
    /// The soft limit of a service, as systemd tells it; `None` without systemd.
    service_limit: Option<String>,
    /// The file's name, or after a bar the program that gets it.
    pattern: String,
    /// What systemd-coredump does with it, where that is set.
    storage: Option<String>,
}

impl Fact for CoreDumps {
    const ID: &'static str = "security.core-dumps";

    fn probes() -> Vec<Probe> {
        vec![LoginSession::probe(), Probe::root(["sh", "-c", SCRIPT])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let login_limit = LoginSession::read(&out[0])?.core_limit;
        let text = out[1].ok()?;
        let value =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(|rest| rest.trim().to_owned());
        let service_limit = value("services");
        let pattern = value("pattern").filter(|pattern| !pattern.is_empty());
        let pattern = pattern.ok_or_else(|| Unreadable::new("/proc/sys/kernel/core_pattern: not told"))?;
        if !text.ends_with("end\n") || service_limit.as_deref() == Some("") {
            return Err(Unreadable::new("systemd does not tell the limit of its services"));
        }
        let storage = value("storage").filter(|storage| !storage.is_empty());
        Ok(Self { login_limit, service_limit, pattern, storage })
    }
}

impl CoreDumps {
    /// Who keeps the memory.
    fn kept(&self) -> Vec<String> {
        if let Some(program) = self.pattern.strip_prefix('|') {
            let program = program.split_whitespace().next().unwrap_or_default();
            let systemd = program.ends_with("/systemd-coredump");
            return match self.storage.as_deref() {
                Some("none") if systemd => Vec::new(),
                _ if program.ends_with("/false") || program.ends_with("/true") => Vec::new(),
                storage if systemd => {
                    vec![format!("systemd-coredump keeps it, Storage={}", storage.unwrap_or("external"))]
                }
                _ => vec![format!("{program} gets it")],
            };
        }
        let limits = [("a login", Some(&self.login_limit)), ("a service", self.service_limit.as_ref())];
        let open = limits.into_iter().filter_map(|(whose, limit)| Some((whose, limit.filter(|limit| *limit != "0")?)));
        open.map(|(whose, limit)| format!("{whose} leaves `{}`, limit {limit}", self.pattern)).collect()
    }
}

/// Nobody keeps the memory of a program that crashed.
pub struct CoreDumpsNotKept;

impl Check for CoreDumpsNotKept {
    type Fact = CoreDumps;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "security.core-dumps-not-kept",
            demand: "the memory of a program that crashes is kept by nobody: neither as a file, nor by a program that gets it",
            remedy: "`* soft core 0` in /etc/security/limits.d and DefaultLimitCORE=0 in system.conf, or Storage=none in coredump.conf",
            key: "security.core_dumps",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.security.core_dumps == Some(false)).then_some(())
    }

    fn judge(&self, got: &CoreDumps, (): &()) -> Verdict {
        let kept = got.kept();
        let words = if kept.is_empty() { format!("not kept, pattern `{}`", got.pattern) } else { kept.join("; ") };
        Verdict::of(kept.is_empty(), "not kept", words)
    }
}

#[cfg(test)]
mod tests {
    use super::CoreDumps;

    fn kept(pattern: &str, login: &str, storage: Option<&str>) -> String {
        let (login_limit, service_limit) = (login.to_owned(), Some("0".to_owned()));
        let storage = storage.map(str::to_owned);
        CoreDumps { login_limit, service_limit, pattern: pattern.to_owned(), storage }.kept().join("; ")
    }

    #[test]
    fn limits_count_for_files_and_storage_for_systemd() {
        let systemd = "|/usr/lib/systemd/systemd-coredump %P %u";
        assert_eq!(kept("core", "0", None), "");
        assert_eq!(kept("core", "unlimited", Some("none")), "a login leaves `core`, limit unlimited");
        assert_eq!(kept(systemd, "0", None), "systemd-coredump keeps it, Storage=external");
        assert_eq!(kept(systemd, "unlimited", Some("none")), "");
        assert_eq!(kept("|/usr/share/apport/apport -p%p", "0", Some("none")), "/usr/share/apport/apport gets it");
        assert_eq!(kept("|/bin/false", "unlimited", None), "");
    }
}
