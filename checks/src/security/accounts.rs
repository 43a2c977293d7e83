//! The accounts of /etc/passwd and /etc/shadow, without their password hashes.
//!
//! The hashes must not get into evidence, so awk turns each into a class while still in the guest.

use toml::Value;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    outcome::Verdict,
    probe::{Output, Probe},
};

const PASSWD: &str = "/etc/passwd";
const SHADOW: &str = "/etc/shadow";
/// Prints `FILE NAME CLASS UID` of each line, with `-` for the uid of a line of shadow. What has no class of its own is
/// `odd`, and nothing of the field is shown.
const CLASSES: &str = r#"function class(p) {
  if (p == "") return "empty"
  if (p == "x") return "shadow"
  if (p ~ /^[!*]/) return "locked"
  if (p ~ /^[$_]/ || length(p) == 13) return "hash"
  return "odd"
}
{
  p = FILENAME == "/etc/passwd"
  if (NF != (p ? 7 : 9)) { print FILENAME, "line", FNR, "malformed"; next }
  print FILENAME, $1, class($2), p ? $3 : "-"
}"#;

/// Every account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accounts(pub Vec<Account>);

/// One account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// What stands where its password is looked for.
    pub password: Password,
}

/// What stands in a password field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Password {
    /// Nothing: no password is asked.
    Empty,
    /// The hash of one.
    Hash,
    /// Something that no password can match.
    Locked,
}

impl Fact for Accounts {
    const ID: &'static str = "security.accounts";

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["awk", "-F:", CLASSES, PASSWD, SHADOW])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let text = out[0].ok()?;
        let mut accounts: Vec<Account> = Vec::new();
        let mut shadowed: Vec<String> = Vec::new();
        let mut seen = Vec::new();
        for line in text.lines() {
            let bad = || Unreadable::new(format!("accounts: {line}"));
            let [file, name, class, uid] = line.split(' ').collect::<Vec<_>>()[..] else { return Err(bad()) };
            if name.is_empty() || seen.contains(&(file, name)) && file == SHADOW {
                return Err(bad());
            }
            seen.push((file, name));
            let password = match class {
                "empty" => Some(Password::Empty),
                "hash" => Some(Password::Hash),
                "locked" => Some(Password::Locked),
                "shadow" if file == PASSWD => None,
                _ => return Err(bad()),
            };
            if file == PASSWD {
                if password.is_none() {
                    shadowed.push(name.to_owned());
                }
                let uid = uid.parse().map_err(|_| bad())?;
                // One that points at shadow and has no line there can't be logged in to by password.
                accounts.push(Account { name: name.to_owned(), uid, password: password.unwrap_or(Password::Locked) });
            } else if file == SHADOW {
                let password = password.ok_or_else(bad)?;
                let mine =
                    accounts.iter_mut().filter(|account| account.name == name && shadowed.contains(&account.name));
                mine.for_each(|account| account.password = password);
            } else {
                return Err(bad());
            }
        }
        let root = accounts.iter().any(|account| account.uid == 0);
        let both = [PASSWD, SHADOW].iter().all(|path| seen.iter().any(|(file, _)| file == path));
        if !root || !both {
            return Err(Unreadable::new(format!("{PASSWD} and {SHADOW}: not both there, or nobody has uid 0")));
        }
        Ok(Self(accounts))
    }
}

/// No account has an empty password.
pub struct NoEmptyPasswords;

impl Check for NoEmptyPasswords {
    type Fact = Accounts;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "security.no-empty-passwords",
            demand: "no account has an empty password",
            remedy: "lock it with `passwd -l NAME`, or give it a password",
            key: "security.empty_passwords",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        image.security.empty_passwords.clone()
    }

    fn judge(&self, got: &Accounts, want: &Vec<String>) -> Verdict {
        let empty = got.0.iter().filter(|account| account.password == Password::Empty);
        let stray: Vec<_> =
            empty.map(|account| account.name.as_str()).filter(|name| !want.iter().any(|one| one == name)).collect();
        let demand = if want.is_empty() { "none".to_owned() } else { format!("at most {}", want.join(", ")) };
        let words = if stray.is_empty() {
            format!("none of {} accounts", got.0.len())
        } else {
            format!("empty password: {}", stray.join(", "))
        };
        Verdict::of(stray.is_empty(), demand, words)
    }
}

/// Uid 0 belongs to the expected accounts alone.
pub struct UidZeroAsExpected;

impl Check for UidZeroAsExpected {
    type Fact = Accounts;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "security.uid-zero-as-expected",
            demand: "uid 0 belongs to the expected accounts and to no other",
            remedy: "give the account a uid of its own (`usermod -u`), or remove it with `userdel`",
            key: "security.uid_zero",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        image.security.uid_zero.clone()
    }

    fn judge(&self, got: &Accounts, want: &Vec<String>) -> Verdict {
        let mut have: Vec<_> = got.0.iter().filter(|account| account.uid == 0).map(|account| &account.name).collect();
        let words = have.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
        let mut wanted: Vec<_> = want.iter().collect();
        have.sort();
        wanted.sort();
        Verdict::of(have == wanted, want.join(", "), words)
    }

    fn observed(&self, got: &Accounts) -> Option<Value> {
        let root: Vec<Value> =
            got.0.iter().filter(|account| account.uid == 0).map(|account| account.name.clone().into()).collect();
        (!root.is_empty()).then_some(root.into())
    }
}
