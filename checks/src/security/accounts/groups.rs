//! Groups whose members are as good as root.

use std::collections::BTreeMap;

use super::Accounts;
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    lists::some,
    outcome::Verdict,
    security::SEED_USER,
};

/// Nobody is in a privileged group who is not expected there.
pub struct PrivilegedGroupsAsDeclared;

impl Check for PrivilegedGroupsAsDeclared {
    type Fact = Accounts;
    type Want = BTreeMap<String, Vec<String>>;

    fn about(&self) -> &About {
        &About {
            id: "security.privileged-groups-as-declared",
            demand: "groups that make their members as good as root have the declared members and no other",
            remedy: "`gpasswd -d NAME GROUP`, or `usermod -g` where it is the account's own group; or declare the member",
            key: "security.privileged_groups",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<BTreeMap<String, Vec<String>>> {
        image.security.privileged_groups.clone()
    }

    fn judge(&self, got: &Accounts, want: &BTreeMap<String, Vec<String>>) -> Verdict {
        let mut stray = Vec::new();
        for group in &got.groups {
            let Some(declared) = want.get(&group.name) else { continue };
            let own = got.accounts.iter().filter(|account| account.gid == group.gid && account.uid != 0);
            let members = group.members.iter().chain(own.map(|account| &account.name));
            let others = members.filter(|name| *name != SEED_USER && !declared.contains(name));
            stray.extend(others.map(|name| format!("{name} in {}", group.name)));
        }
        let declared = want.iter().filter(|(_, members)| !members.is_empty());
        let declared: Vec<_> = declared.map(|(group, members)| format!("{} in {group}", members.join(", "))).collect();
        let demand = if declared.is_empty() {
            format!("nobody in {}", want.keys().cloned().collect::<Vec<_>>().join(", "))
        } else {
            format!("only {}", declared.join("; "))
        };
        Verdict::of(stray.is_empty(), demand, some(&stray, "nobody else"))
    }
}
