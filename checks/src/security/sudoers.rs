//! Who may do what by sudo, as sudo's own tools resolve aliases and the files that are included.

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
    seal::some,
};

/// Prints the rules with their aliases resolved, one to a line, what visudo complains of, and permissions.
const SCRIPT: &str = r#"rules=$(cvtsudoers -e -f sudoers /etc/sudoers) || exit
printf '%s\n' '= rules' "$rules" '= checked'
visudo -c 2>&1
echo "= status $?"
find /etc/sudoers /etc/sudoers.d ! -type d -printf '%m %u:%g %p\n'
echo end"#;
/// The rule that kverify's seed brings.
const SEEDED_RULE: &str = "kverify ALL = (ALL) NOPASSWD: ALL";
/// What sudo itself has always asked of its files.
const MODES: [&str; 2] = ["440", "400"];

/// What sudo lets whom do, and how its files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sudoers {
    /// The rules, as sudo writes them, and those defaults that ask no password.
    pub rules: Vec<String>,
    /// What visudo complains of; `None` if it finds all well.
    pub complaint: Option<String>,
    /// Each file with its mode, owner and group before it.
    pub files: Vec<String>,
}

impl Sudoers {
    fn read(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("= rules\n")?;
        let (rules, rest) = rest.split_once("= checked\n")?;
        let (checked, rest) = rest.split_once("= status ")?;
        let (status, rest) = rest.split_once('\n')?;
        let files = rest.strip_suffix("end\n")?;
        let rules = rules.replace("\\\n", " ");
        let mut found = Vec::new();
        for line in rules.lines() {
            let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
            let defaults = line.starts_with("Defaults");
            let asks_nobody = line.contains("!authenticate") || line.contains("exempt_group");
            if !line.is_empty() && line != SEEDED_RULE && (!defaults || asks_nobody) {
                found.push(line);
            }
        }
        let wrong = || checked.lines().find(|line| !line.ends_with("parsed OK")).unwrap_or("visudo gives no reason");
        let complaint = (status != "0").then(|| wrong().trim().to_owned());
        Some(Self { rules: found, complaint, files: files.lines().map(str::to_owned).collect() })
    }
}

impl Fact for Sudoers {
    const ID: &'static str = "security.sudoers";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["sh", "-c", SCRIPT])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let text = out[0].ok()?;
        let sudoers = Self::read(text).ok_or_else(|| Unreadable::new("sudo's tools did not answer to the end"))?;
        if sudoers.files.is_empty() {
            return Err(Unreadable::new("/etc/sudoers: permissions are not told"));
        }
        Ok(sudoers)
    }
}

/// Sudo lets nobody do more than is declared.
pub struct SudoRulesAsDeclared;

impl Check for SudoRulesAsDeclared {
    type Fact = Sudoers;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "security.sudo-rules-as-declared",
            demand: "sudo has no rule, and no default that asks no password, but those declared",
            remedy: "take the rule out of /etc/sudoers.d, or declare it as `cvtsudoers -e -f sudoers /etc/sudoers` prints it",
            key: "security.sudo_rules",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        image.security.sudo_rules.clone()
    }

    fn judge(&self, got: &Sudoers, want: &Vec<String>) -> Verdict {
        let stray: Vec<_> = got.rules.iter().filter(|rule| !want.contains(rule)).cloned().collect();
        let none = format!("{} rules, all declared", got.rules.len());
        Verdict::of(stray.is_empty(), format_args!("at most {}", want.join("; ")), some(&stray, &none))
    }
}

/// Sudo can read its files, and nobody else can write them.
pub struct SudoersValid;

impl Check for SudoersValid {
    type Fact = Sudoers;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "security.sudoers-valid",
            demand: "visudo finds nothing wrong, and every file of sudo's rules belongs to root with mode 0440",
            remedy: "`visudo -c` names the file; write files with `visudo -f`, or `chmod 0440` and `chown root:root` them",
            key: "security.sudoers_valid",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.security.sudoers_valid == Some(true)).then_some(())
    }

    fn judge(&self, got: &Sudoers, (): &()) -> Verdict {
        let well = |file: &&String| MODES.iter().any(|mode| file.starts_with(&format!("{mode} root:root ")));
        let ill = got.files.iter().filter(|file| !well(file)).cloned();
        let ill: Vec<_> = got.complaint.iter().cloned().chain(ill).collect();
        let none = format!("{} files, all so", got.files.len());
        Verdict::of(ill.is_empty(), "valid, root's, mode 0440", some(&ill, &none))
    }
}

#[cfg(test)]
mod tests {
    use super::Sudoers;

    #[test]
    fn rules_are_put_on_one_line_and_the_seeds_is_not_told() {
        let said = "= rules\nDefaults env_reset\nDefaults:backup !authenticate\n\nroot ALL = (ALL : ALL) ALL\n\n\
                    alice, bob ALL = (root) NOPASSWD: /bin/*,\\\n    /usr/bin/id\n\nkverify ALL = (ALL) NOPASSWD: ALL\n\
                    = checked\n/etc/sudoers: parsed OK\n= status 0\n440 root:root /etc/sudoers\nend\n";
        let sudoers = Sudoers::read(said).unwrap();
        let rules = [
            "Defaults:backup !authenticate",
            "root ALL = (ALL : ALL) ALL",
            "alice, bob ALL = (root) NOPASSWD: /bin/*, /usr/bin/id",
        ];
        assert_eq!(sudoers.rules, rules);
        assert_eq!(sudoers.complaint, None);
        assert_eq!(sudoers.files, ["440 root:root /etc/sudoers"]);
        assert_eq!(Sudoers::read("= rules\n= checked\n"), None);
    }
}
