//! Which units are enabled and masked, read from the links that say so: asking systemd for all takes seconds.

use std::collections::{BTreeMap, BTreeSet};

use super::unit_file::{FOLDERS, File};
use crate::{
    fact::{Fact, Unreadable},
    probe::{Output, Probe},
    traits::{Group, Traits},
};

/// The unit files and links of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitFiles {
    /// What each name stands for, by the file that systemd prefers.
    units: BTreeMap<String, Definition>,
    /// The names that something wants at boot, with who does; and whether that is undone.
    wanted: BTreeMap<(String, String), bool>,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Definition {
    /// A unit.
    Unit,
    /// Another unit's name.
    Alias(String),
    /// Nothing: a link to `/dev/null`, or an empty file. With whether the administrator's folders say so.
    Masked { by_hand: bool },
}

impl UnitFiles {
    pub(super) fn probe() -> Probe {
        let mut argv = ["find"; 24];
        argv[1..11].copy_from_slice(&FOLDERS);
        argv[11..].copy_from_slice(&[
            "-mindepth",
            "1",
            "-maxdepth",
            "2",
            "(",
            "-type",
            "f",
            "-o",
            "-type",
            "l",
            ")",
            "-printf",
            "%p\t%s\t%y\t%l\n",
        ]);
        Probe::root(argv)
    }

    pub(super) fn read(out: &Output) -> Result<Self, Unreadable> {
        let missing = |line: &str| line.starts_with("find: ") && line.ends_with(": No such file or directory");
        if let Some(line) = out.stderr.lines().find(|line| !line.trim().is_empty() && !missing(line)) {
            return Err(Unreadable::new(line.trim()));
        }
        let mut files = Vec::new();
        for line in out.whole()?.lines() {
            files.push(File::read(line).ok_or_else(|| Unreadable::new(format!("not a unit file: {line:?}")))?);
        }
        // Whichever is preferred is put in last.
        files.sort_by_key(|file| std::cmp::Reverse(file.rank));
        let mut all = Self::default();
        for file in &files {
            all.take(file);
        }
        if all.units.is_empty() {
            return Err(Unreadable::new("no units in the folders of systemd"));
        }
        Ok(all)
    }

    fn take(&mut self, file: &File<'_>) {
        let nothing = file.target == Some("/dev/null") || (file.target.is_none() && file.size == 0);
        let Some(folder) = file.folder else {
            let target = file.target.map(|target| target.rsplit_once('/').map_or(target, |(_, name)| name));
            let definition = match target {
                _ if nothing => Definition::Masked { by_hand: file.by_hand },
                // `getty@tty1.service` may be a link to the template that it is made of.
                Some(target) if target != file.name && Some(target) != template(file.name).as_deref() => {
                    Definition::Alias(target.to_owned())
                }
                _ => Definition::Unit,
            };
            self.units.insert(file.name.to_owned(), definition);
            return;
        };
        for kind in [".wants", ".requires", ".upholds"] {
            if let Some(who) = folder.strip_suffix(kind) {
                self.wanted.insert((file.name.to_owned(), who.to_owned()), !nothing);
            }
        }
    }

    fn definition(&self, name: &str) -> Option<&Definition> {
        self.units.get(name).or_else(|| self.units.get(&template(name)?))
    }

    /// The unit that a name stands for in the end, if there is one.
    #[must_use]
    pub fn stands_for<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let mut name = name;
        for _ in 0..8 {
            match self.definition(name)? {
                Definition::Unit => return Some(name),
                Definition::Alias(other) => name = other,
                Definition::Masked { .. } => return None,
            }
        }
        None
    }

    /// Why a unit does not start at boot by itself; nothing where it does.
    #[must_use]
    pub fn off(&self, name: &str) -> Option<&'static str> {
        let Some(unit) = self.stands_for(name) else {
            let masked = matches!(self.definition(name), Some(Definition::Masked { .. }));
            return Some(if masked { "masked" } else { "not there" });
        };
        let mut wanted = self.wanted.iter().filter(|(_, wanted)| **wanted).map(|((wanted, _), _)| wanted);
        if wanted.any(|wanted| wanted == unit || self.stands_for(wanted) == Some(unit)) {
            None
        } else {
            Some("disabled")
        }
    }

    /// The units that the administrator's folders mask.
    #[must_use]
    pub fn masked(&self) -> BTreeSet<&str> {
        let by_hand = |definition: &Definition| *definition == Definition::Masked { by_hand: true };
        self.units.iter().filter(|(_, definition)| by_hand(definition)).map(|(name, _)| name.as_str()).collect()
    }
}

/// `a@.service` of `a@b.service`.
fn template(name: &str) -> Option<String> {
    let (stem, ending) = name.rsplit_once('.')?;
    let (stem, instance) = stem.split_once('@')?;
    (!instance.is_empty()).then(|| format!("{stem}@.{ending}"))
}

impl Fact for UnitFiles {
    const ID: &'static str = "boot.unit-files";
    const GROUPS: &'static [Group] = &[Group::System, Group::Units];

    fn probes() -> Vec<Probe> {
        vec![Self::probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        Self::read(&out[0])
    }

    fn tell(&self, traits: &mut Traits) {
        if let Some(target) = self.stands_for("default.target") {
            traits.put(Group::System, "default target", target);
        }
        let wanted = self.wanted.iter().filter(|(_, wanted)| **wanted).map(|((wanted, _), _)| wanted.as_str());
        for unit in wanted.filter_map(|wanted| self.stands_for(wanted)) {
            traits.put(Group::Units, unit, "enabled");
        }
        for unit in self.masked() {
            traits.put(Group::Units, unit, "masked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::unit_file::File, UnitFiles};

    fn files(lines: &[&str]) -> UnitFiles {
        let mut files: Vec<_> = lines.iter().map(|line| File::read(line).unwrap()).collect();
        files.sort_by_key(|file| std::cmp::Reverse(file.rank));
        let mut all = UnitFiles::default();
        for file in &files {
            all.take(file);
        }
        all
    }

    #[test]
    fn links_enable_alias_and_mask() {
        let all = files(&[
            "/usr/lib/systemd/system/ssh.service\t500\tf\t",
            "/etc/systemd/system/sshd.service\t35\tl\t/usr/lib/systemd/system/ssh.service",
            "/etc/systemd/system/multi-user.target.wants/ssh.service\t35\tl\t/usr/lib/systemd/system/ssh.service",
            "/usr/lib/systemd/system/getty@.service\t500\tf\t",
            "/etc/systemd/system/getty.target.wants/getty@tty1.service\t35\tl\t/usr/lib/systemd/system/getty@.service",
            "/usr/lib/systemd/system/lost.service\t500\tf\t",
            "/etc/systemd/system/lost.service\t9\tl\t/dev/null",
            "/etc/systemd/system/multi-user.target.wants/lost.service\t35\tl\t/usr/lib/systemd/system/lost.service",
            "/etc/systemd/system/empty.service\t0\tf\t",
            "/usr/lib/systemd/system/hwclock.service\t9\tl\t/dev/null",
            "/etc/systemd/system/multi-user.target.wants/gone.service\t35\tl\t/usr/lib/systemd/system/gone.service",
            "/usr/lib/systemd/system/sysinit.target.wants/off.service\t9\tl\t../off.service",
            "/etc/systemd/system/sysinit.target.wants/off.service\t9\tl\t/dev/null",
            "/usr/lib/systemd/system/off.service\t500\tf\t",
        ]);
        assert_eq!(
            (all.off("ssh.service"), all.off("sshd.service"), all.off("getty@tty1.service")),
            (None, None, None)
        );
        assert_eq!(all.off("lost.service"), Some("masked"));
        assert_eq!((all.off("gone.service"), all.off("off.service")), (Some("not there"), Some("disabled")));
        assert_eq!(all.masked().into_iter().collect::<Vec<_>>(), ["empty.service", "lost.service"]);
    }
}
