//! Faults: what somebody does wrong to an image, and exactly the checks that have to notice. Data only; the harness does it.

use serde::Deserialize;

use crate::{check::Need, step::Step};

/// One thing done wrong.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Its name: that of its file.
    #[serde(skip)]
    pub id: String,
    /// One sentence: who did what wrong.
    pub about: String,
    /// The IDs of the checks that have to fail, sorted; no other may.
    pub fails: Vec<String>,
    /// The IDs of the checks that cannot tell any more, sorted; no other may be unable to.
    #[serde(default)]
    pub errors: Vec<String>,
    /// When it shows.
    #[serde(default)]
    pub at: At,
    /// Whether the machine may not settle any more; what would have to be asked of it cannot be told then.
    #[serde(default)]
    pub unready: bool,
    /// A script, run as root: it ends with another status than 0 before the steps and with 0 once the fault is there.
    pub proof: Option<String>,
    /// What the host or the network has to have, so that the checks are asked at all.
    #[serde(default)]
    pub needs: Vec<Need>,
    /// What is done, in order.
    #[serde(default, rename = "step")]
    pub steps: Vec<Step>,
    /// Bytes of the image file that are written over, for a fault of the file.
    #[serde(default)]
    pub damage: Vec<Damage>,
}

/// When a fault shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum At {
    /// At once, on the machine that it was done to.
    #[default]
    Settled,
    /// After the next boot.
    Boot,
    /// In the image file, once the machine is off.
    File,
    /// On the disk of a sealed image, which its own system does not run from: steps are scripts in a rescue system, with
    /// `root` and `esp` the places of those file systems, and `place AT` that of another. The pools are exported at the
    /// end, but for a last step `crash = {}`, which cuts the rescue system's power instead.
    Sealed,
}

/// Bytes that take the place of others in a file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Damage {
    /// The first, counted from the beginning of the file.
    pub at: u64,
    /// The bytes, in hexadecimal.
    pub bytes: String,
}

/// Why a fault cannot be tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// It is not written as one.
    #[error("{0}")]
    Text(String),
    /// It names no check that has to notice.
    #[error("it names no check that has to fail")]
    Unnoticed,
    /// A check is named that there is not.
    #[error("`{0}` names no check; `kverify checks` lists them")]
    Unknown(String),
    /// The lists are not in order, or a check is in both.
    #[error("`fails` and `errors` have to be sorted, with each check once")]
    Unsorted,
    /// Nothing shows that it was done.
    #[error("it needs a `proof`: a script that fails before the steps and ends with 0 after them")]
    Unproven,
    /// Nothing is done.
    #[error("it has no step")]
    Empty,
    /// What is in it does not go together.
    #[error("{0}")]
    Senseless(&'static str),
}

impl Damage {
    /// The bytes.
    ///
    /// # Errors
    /// [`FaultError::Senseless`] where they are not written in hexadecimal.
    pub fn bytes(&self) -> Result<Vec<u8>, FaultError> {
        const WRONG: FaultError = FaultError::Senseless("the bytes of a damage are pairs of hexadecimal digits");
        let digits: Vec<char> = self.bytes.chars().filter(|digit| !digit.is_whitespace()).collect();
        if digits.is_empty() || !digits.len().is_multiple_of(2) {
            return Err(WRONG);
        }
        let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).map_err(|_| WRONG);
        digits.chunks(2).map(byte).collect()
    }
}

impl Fault {
    /// Reads a fault from TOML.
    ///
    /// # Errors
    /// [`FaultError`] says what is wrong with it.
    pub fn read(id: &str, text: &str) -> Result<Self, FaultError> {
        let fault: Self = toml::from_str(text).map_err(|error| FaultError::Text(error.to_string()))?;
        let known = |id: &&String| crate::all().any(|check| check.about().id == **id);
        if let Some(unknown) = fault.noticed().find(|id| !known(id)) {
            return Err(FaultError::Unknown(unknown.clone()));
        }
        if fault.noticed().next().is_none() {
            return Err(FaultError::Unnoticed);
        }
        let sorted = |ids: &[String]| ids.is_sorted_by(|one, other| one < other);
        if !sorted(&fault.fails) || !sorted(&fault.errors) || fault.errors.iter().any(|id| fault.fails.contains(id)) {
            return Err(FaultError::Unsorted);
        }
        if fault.steps.is_empty() && fault.damage.is_empty() {
            return Err(FaultError::Empty);
        }
        if fault.proof.is_none() && !fault.unready && !fault.steps.is_empty() {
            return Err(FaultError::Unproven);
        }
        if fault.unready && fault.at != At::Boot {
            return Err(FaultError::Senseless("only a machine that boots can be `unready`: it needs `at = \"boot\"`"));
        }
        if !fault.damage.is_empty() && fault.at != At::File {
            return Err(FaultError::Senseless("`damage` is done to a file: it needs `at = \"file\"`"));
        }
        if fault.at == At::Sealed && !offline(&fault.steps) {
            return Err(FaultError::Senseless(
                "a disk whose system does not run knows no other step than `run`, and `crash = {}` as the last",
            ));
        }
        if fault.steps.iter().any(|step| matches!(step, Step::Machine(_) | Step::Crossed(_))) {
            return Err(FaultError::Senseless(
                "a fault is done to one machine: it takes neither `machine` nor `crossed`",
            ));
        }
        for damage in &fault.damage {
            damage.bytes()?;
        }
        Ok(Self { id: id.to_owned(), ..fault })
    }

    /// Every check that it names.
    pub fn noticed(&self) -> impl Iterator<Item = &String> {
        self.fails.iter().chain(&self.errors)
    }
}

/// Whether a rescue system knows these steps.
fn offline(steps: &[Step]) -> bool {
    let scripts = match steps {
        [scripts @ .., Step::Crash(crash)] if crash.when.is_none() => scripts,
        scripts => scripts,
    };
    scripts.iter().all(|step| matches!(step, Step::Run(_)))
}

#[cfg(test)]
mod tests {
    use super::{At, Fault};

    const STEP: &str = "[[step]]\nrun = { about = 'a', script = 'b' }\n";

    fn error(head: &str, tail: &str) -> String {
        Fault::read("x", &format!("about = 'a'\n{head}\n{tail}")).unwrap_err().to_string()
    }

    #[test]
    fn a_fault_names_its_checks_and_proves_that_it_was_done() {
        let text = format!("about = 'a'\nfails = ['zfs.pool-named']\nproof = 'c'\n{STEP}");
        let fault = Fault::read("zfs.renamed", &text).unwrap();
        assert_eq!((fault.id.as_str(), fault.at, fault.unready), ("zfs.renamed", At::Settled, false));
    }

    #[test]
    fn what_proves_nothing_is_an_error() {
        assert!(error("fails = []\nproof = 'c'", STEP).starts_with("it names no check"));
        assert!(error("fails = ['zfs.pool-nmaed']\nproof = 'c'", STEP).starts_with("`zfs.pool-nmaed` names no check"));
        assert!(error("fails = ['zfs.pool-named']", STEP).starts_with("it needs a `proof`"));
        assert_eq!(error("fails = ['zfs.pool-named']\nproof = 'c'", ""), "it has no step");
        let unsorted = "fails = ['zfs.pools-healthy', 'zfs.pool-named']\nproof = 'c'";
        assert!(error(unsorted, STEP).contains("sorted"));
        let both = "fails = ['zfs.pool-named']\nerrors = ['zfs.pool-named']\nproof = 'c'";
        assert!(error(both, STEP).contains("sorted"));
    }

    #[test]
    fn what_does_not_go_together_is_an_error() {
        assert!(error("fails = ['boot.ready']\nunready = true", STEP).contains("at = \"boot\""));
        let reboot = error("fails = ['seal.host-keys-absent']\nat = 'sealed'\nproof = 'c'", "[[step]]\nreboot = {}\n");
        assert!(reboot.contains("no other step than `run`"), "{reboot}");
        let sealed = |steps: &str| {
            let text = format!("about = 'a'\nfails = ['seal.pools-exported']\nat = 'sealed'\nproof = 'c'\n{steps}");
            Fault::read("x", &text).is_ok()
        };
        let cut = "[[step]]\ncrash = {}\n";
        assert!(sealed(&format!("{STEP}{cut}")) && !sealed(&format!("{cut}{STEP}")));
        assert!(!sealed(&format!("{STEP}{}", cut.replace("{}", "{ when = 'x' }"))));
        let damage = "[[damage]]\nat = 1\nbytes = 'ff'\n";
        assert!(error("fails = ['image.intact']", damage).contains("at = \"file\""));
        let digits = damage.replace("ff", "fff");
        assert!(error("fails = ['image.intact']\nat = 'file'", &digits).contains("hexadecimal"));
        let fault = format!("about = 'a'\nfails = ['image.intact']\nat = 'file'\n{}", damage.replace("ff", "0a ff"));
        assert_eq!(Fault::read("x", &fault).unwrap().damage[0].bytes().unwrap(), [10, 255]);
    }
}
