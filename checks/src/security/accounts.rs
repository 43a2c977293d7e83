//! The accounts and groups of /etc/passwd, /etc/shadow and /etc/group, without their password hashes.
//!
//! The hashes must not get into evidence, so awk turns each into a class while still in the guest.

mod groups;
mod identities;
mod passwords;
mod system;

use std::fmt;

use super::SEED_USER;
use crate::{
    fact::{Fact, Unreadable},
    probe::{Output, Probe},
    traits::{Group as Told, Traits},
};

pub(super) use groups::PrivilegedGroupsAsDeclared;
pub(super) use identities::{AccountsUnique, UidZeroAsExpected};
pub(super) use passwords::{NoEmptyPasswords, PasswordHashesStrong};
pub(super) use system::SystemAccountsLocked;

const PASSWD: &str = "/etc/passwd";
const SHADOW: &str = "/etc/shadow";
const GROUP: &str = "/etc/group";
/// Prints `FILE:NAME:CLASS` of each line, then of passwd `UID:GID:SHELL`, of group `GID:MEMBERS`. Of a hash the class
/// tells the scheme; what has no class of its own is `odd`, and nothing of the field is shown.
const CLASSES: &str = r#"function class(p) {
  if (p == "") return "empty"
  if (p == "x") return "shadow"
  if (p ~ /^[!*]/) return "locked"
  if (p ~ /^[$][0-9a-z]+[$,]/) { split(p, part, /[$,]/); return "hash-" part[2] }
  if (p ~ /^_/) return "hash-bsdi"
  if (length(p) == 13) return "hash-des"
  return "odd"
}
BEGIN { fields["/etc/passwd"] = 7; fields["/etc/shadow"] = 9; fields["/etc/group"] = 4; OFS = ":" }
NF != fields[FILENAME] { print FILENAME, "line " FNR " malformed"; next }
FILENAME == "/etc/passwd" { print FILENAME, $1, class($2), $3, $4, $7; next }
FILENAME == "/etc/group" { print FILENAME, $1, class($2), $3, $4; next }
{ print FILENAME, $1, class($2) }"#;

/// Every account and every group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accounts {
    /// The accounts, in the order of the file.
    pub accounts: Vec<Account>,
    /// The groups, in the order of the file.
    pub groups: Vec<Group>,
}

/// One account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// The number of its own group.
    pub gid: u32,
    /// What stands where its password is looked for.
    pub password: Password,
    /// What a login starts; nothing stands for /bin/sh.
    pub shell: String,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its number.
    pub gid: u32,
    /// The accounts that it names; those whose own group it is are not among them.
    pub members: Vec<String>,
}

/// What stands in a password field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// Nothing: no password is asked.
    Empty,
    /// The hash of one, by this scheme: what stands between its first dollar signs, `des` or `bsdi`.
    Hash(String),
    /// Something that no password can match.
    Locked,
}

impl fmt::Display for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no password asked"),
            Self::Hash(scheme) => write!(f, "password ({scheme})"),
            Self::Locked => f.write_str("locked"),
        }
    }
}

impl Password {
    /// Reads a class; `None` where the password is looked for in shadow.
    fn read(class: &str) -> Result<Option<Self>, ()> {
        match (class, class.strip_prefix("hash-")) {
            ("empty", _) => Ok(Some(Self::Empty)),
            ("locked", _) => Ok(Some(Self::Locked)),
            ("shadow", _) => Ok(None),
            (_, Some(scheme)) if !scheme.is_empty() => Ok(Some(Self::Hash(scheme.to_owned()))),
            _ => Err(()),
        }
    }
}

/// Those lines that are read so far.
#[derive(Default)]
struct Reader {
    accounts: Vec<(Account, bool)>,
    groups: Vec<Group>,
    shadow: Vec<(String, Password)>,
}

impl Reader {
    fn line(&mut self, fields: &[&str]) -> Result<(), ()> {
        let number = |text: &str| text.parse::<u32>().map_err(drop);
        match *fields {
            [_, "", ..] => Err(()),
            [PASSWD, name, class, uid, gid, shell] => {
                let password = Password::read(class)?;
                let shadowed = password.is_none();
                // One that points at shadow and has no line there can't be logged in to by password.
                let password = password.unwrap_or(Password::Locked);
                let (uid, gid) = (number(uid)?, number(gid)?);
                let account = Account { name: name.to_owned(), uid, gid, password, shell: shell.to_owned() };
                self.accounts.push((account, shadowed));
                Ok(())
            }
            [SHADOW, name, class] => {
                if self.shadow.iter().any(|(seen, _)| seen == name) {
                    return Err(());
                }
                self.shadow.push((name.to_owned(), Password::read(class)?.ok_or(())?));
                Ok(())
            }
            [GROUP, name, _, gid, members] => {
                let members = members.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
                self.groups.push(Group { name: name.to_owned(), gid: number(gid)?, members });
                Ok(())
            }
            _ => Err(()),
        }
    }

    fn end(mut self) -> Option<Accounts> {
        for (account, shadowed) in &mut self.accounts {
            if let (true, Some((_, password))) = (*shadowed, self.shadow.iter().find(|(name, _)| *name == account.name))
            {
                account.password = password.clone();
            }
        }
        let accounts: Vec<_> = self.accounts.into_iter().map(|(account, _)| account).collect();
        let root = accounts.iter().any(|account| account.uid == 0);
        let all = root && !self.shadow.is_empty() && !self.groups.is_empty();
        all.then_some(Accounts { accounts, groups: self.groups })
    }
}

impl Fact for Accounts {
    const ID: &'static str = "security.accounts";
    const GROUPS: &'static [Told] = &[Told::Users, Told::Groups];

    fn probes() -> Vec<Probe> {
        vec![Probe::root(["awk", "-F:", CLASSES, PASSWD, SHADOW, GROUP])]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let mut reader = Reader::default();
        for line in out[0].ok()?.lines() {
            let fields: Vec<_> = line.split(':').collect();
            reader.line(&fields).map_err(|()| Unreadable::new(format!("accounts: {line}")))?;
        }
        let missing = || Unreadable::new(format!("{PASSWD}, {SHADOW} and {GROUP}: not all there, or nobody has uid 0"));
        reader.end().ok_or_else(missing)
    }

    fn tell(&self, traits: &mut Traits) {
        for account in self.accounts.iter().filter(|account| account.name != SEED_USER) {
            let Account { name, uid, gid, password, shell } = account;
            let shell = if shell.is_empty() { "/bin/sh" } else { shell };
            traits.put(Told::Users, name, format_args!("uid {uid}, gid {gid}, {shell}, {password}"));
        }
        for Group { name, gid, members } in self.groups.iter().filter(|group| group.name != SEED_USER) {
            let mut members: Vec<_> = members.iter().map(String::as_str).filter(|name| *name != SEED_USER).collect();
            members.sort_unstable();
            let members = if members.is_empty() { String::new() } else { format!(": {}", members.join(", ")) };
            traits.put(Told::Groups, name, format_args!("gid {gid}{members}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Account, Password, Reader};

    fn read(lines: &[&str]) -> Option<Vec<Account>> {
        let mut reader = Reader::default();
        for line in lines {
            reader.line(&line.split(':').collect::<Vec<_>>()).ok()?;
        }
        reader.end().map(|all| all.accounts)
    }

    #[test]
    fn shadow_counts_only_for_those_that_point_at_it() {
        let group = "/etc/group:root:shadow:0:";
        let root = "/etc/passwd:root:shadow:0:0:/bin/sh";
        let accounts =
            read(&[root, "/etc/passwd:a:empty:1:1:", "/etc/shadow:root:hash-6", "/etc/shadow:a:hash-y", group]);
        let passwords: Vec<_> = accounts.unwrap().into_iter().map(|account| account.password).collect();
        assert_eq!(passwords, [Password::Hash("6".to_owned()), Password::Empty]);
        assert_eq!(read(&[root, "/etc/shadow:b:locked", group]).unwrap()[0].password, Password::Locked);
        assert_eq!(read(&[root, "/etc/shadow:root:locked"]), None, "no group");
        assert_eq!(read(&[root, "/etc/shadow:root:odd", group]), None);
        assert_eq!(read(&[root, "/etc/shadow:root:locked", "/etc/shadow:root:locked", group]), None);
    }
}
