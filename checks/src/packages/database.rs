//! dpkg's database: every package that it knows, and how far each is installed.

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// What dpkg knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debian {
    /// The packages, in the order of the database.
    pub packages: Vec<Package>,
}

/// One package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// What is wanted, what it is, and what is wrong with it, as dpkg abbreviates it: `ii ` for one that is installed.
    pub state: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture.
    pub architecture: String,
    /// The source that it was built from, with the version of that.
    pub source: (String, String),
}

impl Package {
    /// Whether its files are there, configured or not.
    #[must_use]
    pub fn has_files(&self) -> bool {
        !matches!(self.state.as_bytes().get(1), None | Some(b'n' | b'c'))
    }

    /// Whether nobody may take another version of it.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.state.starts_with('h')
    }

    /// Whether its files are there and it is configured.
    #[must_use]
    pub fn is_installed(&self) -> bool {
        self.state.get(1..) == Some("i ")
    }
}

impl Fact for Debian {
    const ID: &'static str = "packages.debian";

    fn probes() -> Vec<Probe> {
        let format = "${db:Status-Abbrev}\\t${Package}\\t${Version}\\t${Architecture}\\t${source:Package}\\t${source:Version}\\n";
        vec![Probe::root(["dpkg-query", "-W", "-f", format]).bound(4 << 20)]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let read = |line: &str| match line.split('\t').collect::<Vec<_>>()[..] {
            [state, name, version, architecture, source, source_version] if state.len() == 3 && !name.is_empty() => {
                Ok(Package {
                    state: state.to_owned(),
                    name: name.to_owned(),
                    version: version.to_owned(),
                    architecture: architecture.to_owned(),
                    source: (source.to_owned(), source_version.to_owned()),
                })
            }
            _ => Err(Unreadable::new(format!("not a line of dpkg-query: {line}"))),
        };
        let packages = out[0].ok()?.lines().map(read).collect::<Result<Vec<_>, _>>()?;
        if packages.is_empty() {
            return Err(Unreadable::new("dpkg knows no package"));
        }
        Ok(Self { packages })
    }
}

/// Every package is installed to its end.
pub struct InstalledWhole;

impl Check for InstalledWhole {
    type Fact = Debian;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "packages.installed-whole",
            demand: "every package that dpkg knows is installed and configured, or was removed on purpose",
            remedy: "`dpkg --audit` names what is wrong, `dpkg --configure -a` and `apt-get -f install` mend most of it",
            key: "packages.whole",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.packages.whole == Some(true)).then_some(())
    }

    fn judge(&self, got: &Debian, (): &()) -> Verdict {
        // Configuration of a removed package may stay, and a package may be held.
        let well = |package: &&Package| {
            package.is_installed() || ["rc ", "pc ", "un ", "pn "].contains(&package.state.as_str())
        };
        let ill = got.packages.iter().filter(|package| !well(package));
        let ill: Vec<_> = ill.map(|package| format!("{} is {}", package.name, package.state.trim_end())).collect();
        let installed = got.packages.iter().filter(|package| package.is_installed()).count();
        let said = if ill.is_empty() { format!("{installed} installed") } else { ill.join(", ") };
        let removed = got.packages.iter().filter(|package| package.state.ends_with("c ")).count();
        let verdict = Verdict::of(ill.is_empty(), "every package installed", said);
        if removed > 0 {
            verdict.note(format!("{removed} removed packages left configuration behind"))
        } else {
            verdict
        }
    }
}
