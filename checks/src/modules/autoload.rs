//! The modules that are to be loaded at boot, and whether they are there: a name without a module makes the boot degraded.

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

/// The modules named in modules-load.d and /etc/modules, in the order of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Autoload(pub Vec<Named>);

/// A module that a file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The file.
    pub file: String,
    /// The module's name.
    pub module: String,
    /// The installed kernels that have no such module.
    pub missing_for: Vec<String>,
}

impl Fact for Autoload {
    const ID: &'static str = "modules.autoload";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["sh", "-c", include_str!("autoload.sh")])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let text = out[0].ok()?.strip_suffix("end\n").ok_or_else(|| Unreadable::new("cut off"))?;
        let mut named: Vec<Named> = Vec::new();
        for line in text.lines() {
            let bad = || Unreadable::new(format!("neither a module to load nor a kernel: {line}"));
            match (line.split(' ').collect::<Vec<_>>()[..].split_first(), named.last_mut()) {
                (Some((&"load", [file, module])), _) => {
                    let (file, module) = ((*file).to_owned(), (*module).to_owned());
                    named.push(Named { file, module, missing_for: Vec::new() });
                }
                (Some((&"kernel", [_, found])), Some(_)) if found.starts_with('/') || *found == "(builtin)" => {}
                (Some((&"kernel", [kernel, "modinfo:", "ERROR:", ..])), Some(named)) => {
                    named.missing_for.push((*kernel).to_owned());
                }
                _ => return Err(bad()),
            }
        }
        Ok(Self(named))
    }
}

/// Every module that is to be loaded at boot is there.
pub struct AutoloadFound;

impl Check for AutoloadFound {
    type Fact = Autoload;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "modules.autoload-found",
            demand: "every module that modules-load.d or /etc/modules names is there for every installed kernel",
            remedy: "take the name out of the file, or install the package of the module for the kernel",
            key: "modules.autoload",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.modules.autoload == Some(true)).then_some(())
    }

    fn judge(&self, got: &Autoload, (): &()) -> Verdict {
        let missing = got.0.iter().filter(|named| !named.missing_for.is_empty());
        let missing: Vec<_> = missing
            .map(|named| {
                format!("{} of {} is not there for {}", named.module, named.file, named.missing_for.join(", "))
            })
            .collect();
        let words = if missing.is_empty() { format!("{} named, all there", got.0.len()) } else { missing.join("; ") };
        Verdict::of(missing.is_empty(), "every module that is named", words)
    }
}
