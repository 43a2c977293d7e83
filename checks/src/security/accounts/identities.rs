//! Who is who: uid 0, and names and numbers that mean one account or group each.

use std::collections::BTreeMap;

use toml::Value;

use super::Accounts;
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    lists::some,
    outcome::Verdict,
};

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
        let mut have: Vec<_> = got.accounts.iter().filter(|account| account.uid == 0).map(|one| &one.name).collect();
        let words = have.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
        let mut wanted: Vec<_> = want.iter().collect();
        have.sort();
        wanted.sort();
        Verdict::of(have == wanted, want.join(", "), words)
    }

    fn observed(&self, got: &Accounts) -> Option<Value> {
        let root: Vec<Value> =
            got.accounts.iter().filter(|account| account.uid == 0).map(|account| account.name.clone().into()).collect();
        (!root.is_empty()).then_some(root.into())
    }
}

/// No two accounts or groups share a name or a number.
pub struct AccountsUnique;

impl Check for AccountsUnique {
    type Fact = Accounts;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "security.accounts-unique",
            demand: "no two accounts, and no two groups, share a name or a number",
            remedy: "give one of them a number of its own with `usermod -u` or `groupmod -g`, or remove it",
            key: "security.accounts_unique",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.security.accounts_unique == Some(true)).then_some(())
    }

    fn judge(&self, got: &Accounts, (): &()) -> Verdict {
        let accounts = got.accounts.iter().map(|account| (account.name.as_str(), account.uid)).collect::<Vec<_>>();
        let groups = got.groups.iter().map(|group| (group.name.as_str(), group.gid)).collect::<Vec<_>>();
        let shared = [shared("uid", "account", &accounts), shared("gid", "group", &groups)].concat();
        let none = format!("{} accounts, {} groups", accounts.len(), groups.len());
        Verdict::of(shared.is_empty(), "one account or group for each name and number", some(&shared, &none))
    }
}

/// The numbers that more than one has, and the names.
fn shared(number: &str, kind: &str, all: &[(&str, u32)]) -> Vec<String> {
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    let mut numbers: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    for (name, id) in all {
        *names.entry(name).or_default() += 1;
        numbers.entry(*id).or_default().push(name);
    }
    let twice = names.iter().filter(|(_, count)| **count > 1);
    let twice = twice.map(|(name, count)| format!("{count} {kind}s called {name}"));
    let many = numbers.iter().filter(|(_, names)| names.len() > 1);
    let many = many.map(|(id, names)| format!("{number} {id} is {}", names.join(" and ")));
    twice.chain(many).collect()
}
