//! The packages that are installed, whatever the machine's package manager: what dpkg, rpm, apk or pacman says.

use std::{cmp::Ordering, collections::BTreeSet, fmt};

use crate::{
    fact::{Fact, Unreadable},
    packages::{Debian, Package, version},
    probe::{Exit, Output, Probe},
    traits::{Group, Scale, Traits},
};

/// A package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// Debian's and its descendants'.
    Dpkg,
    /// Fedora's, Red Hat's and their relatives'.
    Rpm,
    /// Alpine's.
    Apk,
    /// Arch's.
    Pacman,
}

impl Manager {
    /// How two versions stand to each other; `None` where this crate does not know the manager's order, unless they are
    /// the same text.
    #[must_use]
    pub fn compare(self, one: &str, other: &str) -> Option<Ordering> {
        match self {
            Self::Dpkg => Some(version::debian(one, other)),
            Self::Rpm => Some(version::rpm(one, other)),
            Self::Apk | Self::Pacman => (one == other).then_some(Ordering::Equal),
        }
    }
}

impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dpkg => "dpkg",
            Self::Rpm => "rpm",
            Self::Apk => "apk",
            Self::Pacman => "pacman",
        })
    }
}

/// What is installed, and for which architectures packages may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Who says so.
    pub manager: Manager,
    /// The packages whose files are there.
    pub packages: Vec<InstalledPackage>,
    /// The architectures that dpkg takes packages of, its own first; empty for other managers, which have no such list.
    pub architectures: Vec<String>,
}

/// One package that is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledPackage {
    /// Its name.
    pub name: String,
    /// Its version as the manager writes it, for rpm `epoch:version-release`.
    pub version: String,
    /// Its architecture; the words for none are the manager's (`all`, `noarch`, `any`).
    pub architecture: String,
}

/// dpkg's packages are told by the other probe, which other facts ask too.
const SCRIPT: &str = "if [ -f /var/lib/dpkg/status ]; then echo dpkg; cat /var/lib/dpkg/arch; exit; fi
if command -v rpm >/dev/null; then echo rpm; exec rpm -qa --qf '%{NAME}\\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\\t%{ARCH}\\n'; fi
if command -v apk >/dev/null; then echo apk; exec apk list -I; fi
if command -v pacman >/dev/null; then echo pacman; exec pacman -Qi; fi
echo 'no dpkg, rpm, apk or pacman' >&2
exit 127";

impl Fact for Installed {
    const ID: &'static str = "packages.installed";
    const GROUPS: &'static [Group] = &[Group::Packages];

    fn probes() -> Vec<Probe> {
        let mut probes = Debian::probes();
        probes.push(Probe::root(["sh", "-c", SCRIPT]).bound(4 << 20));
        probes
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let [dpkg, others] = out else { return Err(Unreadable::new("two answers are needed")) };
        let (manager, text) = others.whole()?.split_once('\n').unwrap_or(("", ""));
        // dpkg's list of architectures is only there once another than its own was added.
        let listless = manager == "dpkg" && others.stderr.contains("/var/lib/dpkg/arch: No such file");
        if others.exit != Exit::Code(0) && !listless {
            others.ok()?;
        }
        let (manager, packages) = match manager {
            "dpkg" => (Manager::Dpkg, of_dpkg(dpkg)?),
            "rpm" => (Manager::Rpm, text.lines().map(of_rpm).collect::<Result<Vec<_>, _>>()?),
            "apk" => (Manager::Apk, text.lines().map(of_apk).collect::<Result<Vec<_>, _>>()?),
            "pacman" => (
                Manager::Pacman,
                text.split("\n\n")
                    .filter(|part| !part.trim().is_empty())
                    .map(of_pacman)
                    .collect::<Result<Vec<_>, _>>()?,
            ),
            other => return Err(Unreadable::new(format!("`{other}` is no package manager known here"))),
        };
        if packages.is_empty() {
            return Err(Unreadable::new(format!("{manager} knows no package")));
        }
        let listed = if manager == Manager::Dpkg { text.lines().map(str::to_owned).collect() } else { Vec::new() };
        Ok(Self { manager, packages, architectures: listed })
    }

    fn tell(&self, traits: &mut Traits) {
        let scale = match self.manager {
            Manager::Dpkg => Scale::Dpkg,
            Manager::Rpm => Scale::Rpm,
            Manager::Apk | Manager::Pacman => Scale::Text,
        };
        traits.order(Group::Packages, scale);
        let own = self.own_architecture();
        for package in &self.packages {
            let foreign = !any(&package.architecture) && Some(package.architecture.as_str()) != own;
            let name =
                if foreign { format!("{}:{}", package.name, package.architecture) } else { package.name.clone() };
            traits.put(Group::Packages, name, &package.version);
        }
    }
}

impl Installed {
    /// The packages of that name: more than one where several versions or architectures are there side by side.
    pub(super) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a InstalledPackage> {
        self.packages.iter().filter(move |package| package.name == name)
    }

    /// The architectures that packages are of or may be of, without the words for none.
    pub(super) fn architectures(&self) -> BTreeSet<&str> {
        let of_packages = self.packages.iter().map(|package| package.architecture.as_str());
        of_packages.chain(self.architectures.iter().map(String::as_str)).filter(|name| !any(name)).collect()
    }

    /// The architecture that most packages are of.
    fn own_architecture(&self) -> Option<&str> {
        let of = |name: &str| self.packages.iter().filter(|package| package.architecture == name).count();
        self.architectures().into_iter().max_by_key(|name| of(name))
    }
}

/// Whether a word stands for no architecture.
fn any(architecture: &str) -> bool {
    ["all", "any", "noarch", "(none)"].contains(&architecture)
}

fn of_dpkg(out: &Output) -> Result<Vec<InstalledPackage>, Unreadable> {
    let packages = Debian::parse(std::slice::from_ref(out))?.packages;
    let there = packages.into_iter().filter(Package::has_files);
    Ok(there
        .map(|package| InstalledPackage {
            name: package.name,
            version: package.version,
            architecture: package.architecture,
        })
        .collect())
}

fn of_rpm(line: &str) -> Result<InstalledPackage, Unreadable> {
    match line.split('\t').collect::<Vec<_>>()[..] {
        [name, version, architecture] if !name.is_empty() => Ok(InstalledPackage {
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: architecture.to_owned(),
        }),
        _ => Err(Unreadable::new(format!("not a line of rpm: {line}"))),
    }
}

/// `busybox-1.36.1-r5 x86_64 {busybox} (GPL-2.0-only) [installed]`; the release may be left out.
fn of_apk(line: &str) -> Result<InstalledPackage, Unreadable> {
    let release = |text: &str| text.strip_prefix('r').is_some_and(|digits| digits.parse::<u32>().is_ok());
    let read = || {
        let (full, rest) = line.split_once(' ')?;
        let bare = full.rsplit_once('-').filter(|(_, last)| release(last)).map_or(full, |(bare, _)| bare);
        let (name, version) =
            bare.rsplit_once('-').filter(|(_, version)| version.starts_with(|sign: char| sign.is_ascii_digit()))?;
        let version = &full[bare.len() - version.len()..];
        Some(InstalledPackage {
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: rest.split(' ').next()?.to_owned(),
        })
    };
    read().ok_or_else(|| Unreadable::new(format!("not a line of apk: {line}")))
}

/// A block of `Name            : acl` and further fields.
fn of_pacman(block: &str) -> Result<InstalledPackage, Unreadable> {
    let field = |name: &str| {
        let of = |line: &str| Some(line.split_once(':').filter(|(key, _)| key.trim_end() == name)?.1.trim().to_owned());
        block.lines().find_map(of).ok_or_else(|| Unreadable::new(format!("pacman: no {name} in `{}`", first(block))))
    };
    Ok(InstalledPackage { name: field("Name")?, version: field("Version")?, architecture: field("Architecture")? })
}

fn first(block: &str) -> &str {
    block.trim_start().lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{cmp::Ordering, time::Duration};

    use super::{Installed, Manager};
    use crate::{Exit, Fact, Output};

    fn read(said: &str) -> Result<Installed, String> {
        let out = |code: i32, stdout: &str| Output {
            exit: Exit::Code(code),
            stdout: stdout.to_owned(),
            stderr: String::new(),
            truncated: false,
            took: Duration::ZERO,
        };
        Installed::parse(&[out(127, ""), out(0, said)]).map_err(|why| why.to_string())
    }

    fn told(installed: &Installed) -> Vec<[&str; 3]> {
        installed
            .packages
            .iter()
            .map(|one| [one.name.as_str(), one.version.as_str(), one.architecture.as_str()])
            .collect()
    }

    /// The lines are those of <https://github.com/netxms/netxms/issues/3176> (2026-04-11): versions without a release, too.
    #[test]
    fn what_apk_says_is_read() {
        let said = "apk\napk-mbedtls-3.0.5-r2 mips_24kc {feeds/base/system/apk} (GPL-2.0-only) [installed]\n\
                    ath10k-board-qca988x-20251125-r1 mips_24kc {feeds/base/firmware/linux-firmware} () [installed]\n\
                    attendedsysupgrade-common-9 noarch {feeds/packages/feeds/packages/utils/attendedsysupgrade-common} (GPL-2.0) [installed]\n\
                    base-files-1696~b21cfa8f8c mips_24kc {feeds/base/base-files} (GPL-2.0) [installed]\n";
        let installed = read(said).unwrap();
        assert_eq!(
            told(&installed),
            [
                ["apk-mbedtls", "3.0.5-r2", "mips_24kc"],
                ["ath10k-board-qca988x", "20251125-r1", "mips_24kc"],
                ["attendedsysupgrade-common", "9", "noarch"],
                ["base-files", "1696~b21cfa8f8c", "mips_24kc"],
            ]
        );
        assert_eq!(installed.architectures().into_iter().collect::<Vec<_>>(), ["mips_24kc"]);
        assert_eq!(installed.manager.compare("3.0.5-r2", "3.0.5-r10"), None);
    }

    #[test]
    fn what_rpm_and_pacman_say_is_read() {
        let said = "rpm\nopenssh-server\t0:8.7p1-38.el9\tx86_64\ntzdata\t0:2024a-1.el9\tnoarch\n";
        let installed = read(said).unwrap();
        assert_eq!(told(&installed)[0], ["openssh-server", "0:8.7p1-38.el9", "x86_64"]);
        assert_eq!(installed.manager.compare("0:8.7p1-38.el9", "8.7p1-38.el9_4.1"), Some(Ordering::Less));
        assert_eq!(installed.architectures().into_iter().collect::<Vec<_>>(), ["x86_64"]);
        let said = "pacman\nName            : acl\nVersion         : 2.3.2-1\nDescription     : Access control: tools\n\
                    Architecture    : x86_64\n\nName            : adwaita\nVersion         : 1:4-2\nArchitecture    : any\n";
        assert_eq!(told(&read(said).unwrap()), [["acl", "2.3.2-1", "x86_64"], ["adwaita", "1:4-2", "any"]]);
    }

    #[test]
    fn what_is_not_a_list_of_packages_is_an_error() {
        for broken in [
            "",
            "rpm\n",
            "apk\nbusybox\n",
            "apk\nbusy-box x86_64\n",
            "pacman\nName : acl\n",
            "rpm\nerror: cannot open db\n",
            "zypper\n",
        ] {
            assert!(read(broken).is_err(), "{broken}");
        }
        assert_eq!(Manager::Dpkg.compare("1~rc1", "1"), Some(Ordering::Less));
    }
}
