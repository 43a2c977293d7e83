//! Who may do what by sudo, as sudo's own tools resolve aliases and the files that are included.

use std::time::Duration;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    lists::some,
    outcome::Verdict,
    probe::{Output, Probe},
    traits::{Group, Traits},
};

/// Prints the rules with their aliases resolved, one to a line, what visudo complains of, and permissions. Rules are not
/// told of files that are not valid.
const SCRIPT: &str = r#"if rules=$(cvtsudoers -e -f sudoers /etc/sudoers); then printf '= rules\n%s\n' "$rules"; else echo '= no rules'; fi
echo '= checked'
visudo -c 2>&1
echo "= status $?"
find /etc/sudoers /etc/sudoers.d ! -type d -printf '%m %u:%g %p\n'
echo end"#;
/// The rule that kverify's seed brings.
const SEEDED_RULE: &str = "kverify ALL = (ALL) NOPASSWD: ALL";
/// What sudo itself has always asked of its files.
const MODES: [&str; 2] = ["440", "400"];

fn probe() -> Probe {
    Probe::root(["sh", "-c", SCRIPT]).limit(Duration::from_mins(1))
}

/// What sudo lets whom do: its rules as it writes them itself, and those defaults that ask no password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sudoers(pub Vec<String>);

impl Sudoers {
    fn read(text: &str) -> Option<Self> {
        let (rules, _) = text.strip_prefix("= rules\n")?.split_once("= checked\n")?;
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
        Some(Self(found))
    }
}

impl Fact for Sudoers {
    const ID: &'static str = "security.sudoers";
    const GROUPS: &'static [Group] = &[Group::Sudo];

    fn probes() -> Vec<Probe> {
        vec![probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let said = out[0].stderr.lines().find(|line| !line.trim().is_empty()).unwrap_or("no reason is given");
        Self::read(out[0].ok()?).ok_or_else(|| Unreadable::new(format!("cvtsudoers tells no rules: {said}")))
    }

    fn tell(&self, traits: &mut Traits) {
        for rule in &self.0 {
            traits.name(Group::Sudo, rule);
        }
    }
}

/// How sudo's files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SudoersFiles {
    /// What visudo complains of; `None` if it finds all well.
    pub complaint: Option<String>,
    /// Each file with its mode, owner and group before it.
    pub files: Vec<String>,
}

impl SudoersFiles {
    fn read(text: &str) -> Option<Self> {
        let (checked, rest) = text.split_once("= checked\n")?.1.split_once("= status ")?;
        let (status, files) = rest.strip_suffix("end\n")?.split_once('\n')?;
        let wrong = || checked.lines().find(|line| !line.ends_with("parsed OK")).unwrap_or("visudo gives no reason");
        let complaint = match status {
            "0" => None,
            // No program of that name, or none that can be started.
            "126" | "127" => return None,
            _ => Some(wrong().trim().to_owned()),
        };
        let files: Vec<_> = files.lines().map(str::to_owned).collect();
        (!files.is_empty()).then_some(Self { complaint, files })
    }
}

impl Fact for SudoersFiles {
    const ID: &'static str = "security.sudoers-files";

    fn probes() -> Vec<Probe> {
        vec![probe()]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        Self::read(out[0].ok()?).ok_or_else(|| Unreadable::new("visudo or find did not tell of sudo's files"))
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
        let stray: Vec<_> = got.0.iter().filter(|rule| !want.contains(rule)).cloned().collect();
        let none = format!("{} rules, all declared", got.0.len());
        Verdict::of(stray.is_empty(), format_args!("at most {}", want.join("; ")), some(&stray, &none))
    }
}

/// Sudo can read its files, and nobody else can write them.
pub struct SudoersValid;

impl Check for SudoersValid {
    type Fact = SudoersFiles;
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

    fn judge(&self, got: &SudoersFiles, (): &()) -> Verdict {
        let well = |file: &&String| MODES.iter().any(|mode| file.starts_with(&format!("{mode} root:root ")));
        let ill = got.files.iter().filter(|file| !well(file)).cloned();
        let ill: Vec<_> = got.complaint.iter().cloned().chain(ill).collect();
        let none = format!("{} files, all so", got.files.len());
        Verdict::of(ill.is_empty(), "valid, root's, mode 0440", some(&ill, &none))
    }
}

#[cfg(test)]
mod tests {
    use super::{Sudoers, SudoersFiles};

    const CHECKED: &str = "= checked\n/etc/sudoers: parsed OK\n= status 0\n440 root:root /etc/sudoers\nend\n";

    #[test]
    fn rules_are_put_on_one_line_and_the_seeds_is_not_told() {
        let said = "= rules\nDefaults env_reset\nDefaults:backup !authenticate\n\nroot ALL = (ALL : ALL) ALL\n\n\
                    alice, bob ALL = (root) NOPASSWD: /bin/*,\\\n    /usr/bin/id\n\nkverify ALL = (ALL) NOPASSWD: ALL\n";
        let rules = [
            "Defaults:backup !authenticate",
            "root ALL = (ALL : ALL) ALL",
            "alice, bob ALL = (root) NOPASSWD: /bin/*, /usr/bin/id",
        ];
        assert_eq!(Sudoers::read(&format!("{said}{CHECKED}")).unwrap().0, rules);
        assert_eq!(Sudoers::read(&format!("= no rules\n{CHECKED}")), None);
    }

    #[test]
    fn files_are_told_though_rules_are_not() {
        let read = |text: &str| SudoersFiles::read(&format!("= no rules\n{text}"));
        assert_eq!(read(CHECKED).unwrap().files, ["440 root:root /etc/sudoers"]);
        assert_eq!(read(CHECKED).unwrap().complaint, None);
        let wrong = CHECKED.replace("status 0", "status 1").replace("parsed OK", "syntax error");
        assert_eq!(read(&wrong).unwrap().complaint.as_deref(), Some("/etc/sudoers: syntax error"));
        assert_eq!(read(&CHECKED.replace("status 0", "status 127")), None);
        assert_eq!(read(&CHECKED.replace("440 root:root /etc/sudoers\n", "")), None);
    }
}
