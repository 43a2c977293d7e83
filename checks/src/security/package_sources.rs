//! Where packages come from, and whether their signatures are demanded: what apt or dnf is told.

mod apt;
mod dnf;

use std::time::Duration;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    lists::{allows, some},
    outcome::Verdict,
    probe::{Output, Probe},
    traits::{Group, Traits},
};

/// Prints the sources that apt or dnf reads, the settings that apt ends up with, and the keys that apt trusts. Passwords
/// in addresses are left out.
const SCRIPT: &str = r#"lines() { grep -aHs '' "$@" | sed 's|://[^/@[:space:]]*@|://|'; }
if command -v apt-config >/dev/null; then
  settings=$(apt-config dump) || exit
  echo '= apt'
  lines /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources
  echo '= settings'
  printf '%s\n' "$settings" | grep -aiE '^(acquire|apt::get::allow|dir::etc|dir )' |
    grep -aivE '^acquire::(changelogs|compressiontypes|indextargets|languages|snapshots)' | sed 's|://[^/@[:space:]]*@|://|'
  echo '= keys'
  find /etc/apt/trusted.gpg /etc/apt/trusted.gpg.d /etc/apt/keyrings ! -type d -print 2>/dev/null
elif [ -d /etc/yum.repos.d ]; then
  echo '= dnf'
  lines /etc/dnf/dnf.conf /etc/yum.repos.d/*.repo
else
  echo 'neither apt nor dnf is here' >&2
  exit 3
fi
echo end"#;

/// Where packages come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackageSources {
    /// Addresses that packages are fetched from or through, each with the place that names it.
    pub addresses: Vec<Address>,
    /// Settings by which packages are taken whose signature was not checked, each with the place that names it.
    pub loose: Vec<String>,
    /// Files of keys that are trusted.
    pub keys: Vec<String>,
}

/// An address that packages are fetched from or through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub uri: String,
    /// The file that names it.
    pub at: String,
}

impl Fact for PackageSources {
    const ID: &'static str = "security.package-sources";
    const GROUPS: &'static [Group] = &[Group::Sources];

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["sh", "-c", SCRIPT]).limit(Duration::from_mins(1))]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let whole = out[0].ok()?.strip_suffix("end\n").ok_or_else(|| Unreadable::new("package sources: cut off"))?;
        if let Some(said) = whole.strip_prefix("= apt\n") {
            return apt::read(said);
        }
        whole.strip_prefix("= dnf\n").map(dnf::read).ok_or_else(|| Unreadable::new("package sources: of neither kind"))
    }

    fn tell(&self, traits: &mut Traits) {
        for Address { uri, at } in &self.addresses {
            traits.put(Group::Sources, uri, at);
        }
    }
}

/// Packages come from the declared places.
pub struct PackageSourcesAsDeclared;

impl Check for PackageSourcesAsDeclared {
    type Fact = PackageSources;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "security.package-sources-as-declared",
            demand: "packages come from the declared addresses, from some at least, and through no other: nothing of the build's is left",
            remedy: "mend /etc/apt/sources.list and sources.list.d; look for a proxy of the build in /etc/apt/apt.conf.d",
            key: "security.package_sources",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        image.security.package_sources.clone()
    }

    fn judge(&self, got: &PackageSources, want: &Vec<String>) -> Verdict {
        let stray = got.addresses.iter().filter(|one| !allows(want, &one.uri));
        let mut stray: Vec<_> = stray.map(|one| format!("{} ({})", one.uri, one.at)).collect();
        if got.addresses.is_empty() {
            stray.push("no source at all".to_owned());
        }
        let none = format!("{} addresses, all declared", got.addresses.len());
        Verdict::of(stray.is_empty(), format_args!("only {}", want.join(", ")), some(&stray, &none))
    }
}

/// No package is taken whose signature was not checked.
pub struct PackageSignaturesDemanded;

impl Check for PackageSignaturesDemanded {
    type Fact = PackageSources;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "security.package-signatures-demanded",
            demand: "no source and no setting lets packages in whose signature, date or server was not checked",
            remedy: "take `trusted=yes`, AllowUnauthenticated, AllowInsecureRepositories, gpgcheck=0 and their like out",
            key: "security.package_signatures",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.security.package_signatures == Some(true)).then_some(())
    }

    fn judge(&self, got: &PackageSources, (): &()) -> Verdict {
        Verdict::of(got.loose.is_empty(), "all checked", some(&got.loose, "nothing lets them in unchecked"))
    }
}

/// Packages are signed by the declared keys.
pub struct PackageKeysAsDeclared;

impl Check for PackageKeysAsDeclared {
    type Fact = PackageSources;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "security.package-keys-as-declared",
            demand: "the package manager trusts the declared files of keys and no other",
            remedy: "remove the file from /etc/apt/trusted.gpg.d: what is there is trusted for every source; name it by Signed-By",
            key: "security.package_keys",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        image.security.package_keys.clone()
    }

    fn judge(&self, got: &PackageSources, want: &Vec<String>) -> Verdict {
        let stray: Vec<_> = got.keys.iter().filter(|key| !allows(want, key)).cloned().collect();
        let none = format!("{} files, all declared", got.keys.len());
        Verdict::of(stray.is_empty(), format_args!("at most {}", want.join(", ")), some(&stray, &none))
    }
}
