//! Modules that kmod or the kernel is told not to load, with all that shadows and overrides such a line worked in.

use std::collections::BTreeMap;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// modprobe itself says what its files and the command line come to; with the aliases it would be two megabytes.
const SCRIPT: &str = "command -v modprobe >/dev/null || exit 127
modprobe -c | grep -aE '^(blacklist|install) '
echo end
cat /proc/cmdline";

/// What blocks a module, by the module's name with `_` for `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocks(BTreeMap<String, String>);

impl Fact for Blocks {
    const ID: &'static str = "modules.blocks";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["sh", "-c", SCRIPT])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let text = out[0].ok()?;
        // modprobe complains of a line that it does not understand, and goes on without it.
        if let Some(line) = out[0].stderr.lines().next() {
            return Err(Unreadable::new(line.trim()));
        }
        let (lines, command_line) = text.split_once("end\n").ok_or_else(|| Unreadable::new("cut off"))?;
        let mut blocks = BTreeMap::new();
        for line in lines.lines() {
            match line.split_once(' ').map(|(word, rest)| (word, rest.split_once(' ').unwrap_or((rest, "")))) {
                Some(("blacklist", (module, _))) => {
                    blocks.entry(name(module)).or_insert_with(|| "blacklist".to_owned());
                }
                // One that goes on to load it by another way is no block.
                Some(("install", (_, command))) if command.contains("modprobe") || command.contains("insmod") => {}
                Some(("install", (module, command))) if !command.is_empty() => {
                    blocks.insert(name(module), format!("install {command}"));
                }
                _ => return Err(Unreadable::new(format!("modprobe -c: {line}"))),
            }
        }
        let by_kernel = command_line.split_whitespace().filter_map(|word| word.strip_prefix("module_blacklist="));
        for module in by_kernel.flat_map(|list| list.split(',')) {
            blocks.insert(name(module), "module_blacklist".to_owned());
        }
        Ok(Self(blocks))
    }
}

/// The kernel takes both signs for one.
fn name(module: &str) -> String {
    module.replace('-', "_")
}

impl Blocks {
    fn of(&self, module: &str) -> Option<&str> {
        self.0.get(&name(module)).map(String::as_str)
    }
}

/// The modules that shall not be loaded are blocked.
pub struct BlockedAsExpected;

impl Check for BlockedAsExpected {
    type Fact = Blocks;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "modules.blocked-as-expected",
            demand: "the expected modules are blocked, by a blacklist or an install line",
            remedy: "`blacklist NAME` in /etc/modprobe.d/NAME.conf; `install NAME /bin/false` where root shall not load it either",
            key: "modules.blocked",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        (!image.modules.blocked.is_empty()).then(|| image.modules.blocked.clone())
    }

    fn judge(&self, got: &Blocks, want: &Vec<String>) -> Verdict {
        let open: Vec<_> = want.iter().filter(|module| got.of(module).is_none()).map(String::as_str).collect();
        let words =
            if open.is_empty() { "all blocked".to_owned() } else { format!("not blocked: {}", open.join(", ")) };
        Verdict::of(open.is_empty(), want.join(", "), words)
    }
}

/// The modules that the image lives on are not blocked.
pub struct NeededNotBlocked;

impl Check for NeededNotBlocked {
    type Fact = Blocks;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "modules.needed-not-blocked",
            demand: "no module that the image or a platform needs is blocked",
            remedy: "remove its line from /etc/modprobe.d (`grep -r NAME /etc/modprobe.d /usr/lib/modprobe.d`) or from the \
                     kernel's command line, and make the initramfs anew",
            key: "modules.needed",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        (!image.modules.needed.is_empty()).then(|| image.modules.needed.clone())
    }

    fn judge(&self, got: &Blocks, want: &Vec<String>) -> Verdict {
        let blocked = want.iter().filter_map(|module| Some(format!("{module} ({})", got.of(module)?)));
        let blocked: Vec<_> = blocked.collect();
        let words = if blocked.is_empty() { "none blocked".to_owned() } else { blocked.join(", ") };
        Verdict::of(blocked.is_empty(), format_args!("not blocked: {}", want.join(", ")), words)
    }
}

#[cfg(test)]
mod tests {
    use super::{Blocks, Fact};
    use crate::probe::{Exit, Output};

    fn read(stdout: &str) -> Result<Blocks, crate::Unreadable> {
        let (stdout, stderr, took) = (stdout.to_owned(), String::new(), std::time::Duration::ZERO);
        Blocks::parse(&[Output { exit: Exit::Code(0), stdout, stderr, truncated: false, took }])
    }

    #[test]
    fn lines_and_the_kernels_own_list_block() {
        let got = read(
            "blacklist usb_storage\ninstall overlay /sbin/modprobe -i overlay\ninstall cramfs /bin/true\nend\n\
             root=zfs:AUTO module_blacklist=floppy,pc-speaker quiet\n",
        );
        let got = got.unwrap();
        assert_eq!(got.of("usb-storage"), Some("blacklist"));
        assert_eq!((got.of("overlay"), got.of("cramfs")), (None, Some("install /bin/true")));
        assert_eq!(got.of("pc_speaker"), Some("module_blacklist"));
    }

    #[test]
    fn what_is_cut_or_odd_cannot_be_told() {
        assert!(read("blacklist zfs\n").is_err());
        assert!(read("options zfs x=1\nend\n").is_err());
    }
}
