//! What crashes leave on disk: cores of programs, wherever the kernel or a collector puts them, and the kernel's own.

use toml::Value;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    pattern::Pattern,
    probe::{Output, Probe},
};

/// Dumps on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrashDumps {
    /// Where the kernel puts cores: a file name, or a program behind `|`.
    pub core_pattern: String,
    /// Paths of dumps.
    pub dumps: Vec<String>,
}

/// The folders are those of systemd, kdump, apport and abrt; then where services and people run programs; then where the
/// kernel's own pattern points, up to its first `%`.
const SCRIPT: &str = r#"read -r p </proc/sys/kernel/core_pattern || exit
printf 'pattern %s\n' "$p"
say() { for f do if [ -f "$f" ]; then printf 'dump %s\n' "$f"; fi; done; }
say /var/lib/systemd/coredump/* /var/lib/systemd/pstore/* /var/lib/systemd/pstore/*/* /sys/fs/pstore/* \
/var/crash/*.crash /var/crash/*/dump* /var/crash/*/vmcore* /var/lib/apport/coredump/* /var/spool/abrt/*/coredump
for d in / /root/ /tmp/ /var/tmp/ /var/lib/*/ /home/*/; do say "$d"core "$d"core.[0-9]* "$d"vgcore.*; done
case $p in
/*/%*) say "${p%/*}"/*core* ;;
/*) say "${p%%[%]*}"* ;;
esac
:"#;

impl Fact for CrashDumps {
    const ID: &'static str = "boot.crash-dumps";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["sh", "-c", SCRIPT])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let mut lines = out[0].ok()?.lines();
        let pattern = lines.next().and_then(|line| line.strip_prefix("pattern "));
        let core_pattern = pattern.ok_or_else(|| Unreadable::new("no pattern of cores"))?.to_owned();
        let mut dumps: Vec<String> = Vec::new();
        for line in lines {
            let path = line.strip_prefix("dump ").ok_or_else(|| Unreadable::new(format!("not a dump: {line}")))?;
            dumps.push(path.to_owned());
        }
        dumps.sort_unstable();
        dumps.dedup();
        Ok(Self { core_pattern, dumps })
    }
}

/// No crash left a dump on the disk.
pub struct NoCrashDumps;

impl Check for NoCrashDumps {
    type Fact = CrashDumps;
    /// Dumps that are known.
    type Want = Vec<Pattern>;

    fn about(&self) -> &About {
        &About {
            id: "boot.no-crash-dumps",
            demand: "no program and no kernel left a dump of its memory on the disk",
            remedy: "find out what crashed (`coredumpctl`, or `gdb -c`), mend it, and remove the dump: it holds secrets",
            key: "boot.crash_dumps",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<Pattern>> {
        image.boot.crash_dumps.clone()
    }

    fn judge(&self, got: &CrashDumps, known: &Vec<Pattern>) -> Verdict {
        let unknown = got.dumps.iter().filter(|path| !known.iter().any(|pattern| pattern.matches(path)));
        let unknown: Vec<_> = unknown.map(String::as_str).collect();
        let said = if unknown.is_empty() { "none".to_owned() } else { unknown.join(", ") };
        Verdict::of(unknown.is_empty(), "none", said).note(format!("cores go to {}", got.core_pattern))
    }

    fn observed(&self, got: &CrashDumps) -> Option<Value> {
        got.dumps.is_empty().then(|| Value::Array(Vec::new()))
    }
}
