//! Accounts of the system: programs run by them, and nobody logs in to them.

use super::{Account, Accounts, Password};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    lists::{at_most, some},
    outcome::Verdict,
};

/// The first number of people's accounts, by login.defs of all distros here.
const FIRST_PERSON: u32 = 1000;
/// Programs that end at once, by the last part of their path.
const NO_SHELLS: [&str; 5] = ["nologin", "false", "sync", "shutdown", "halt"];

/// Nobody can log in to an account of the system.
pub struct SystemAccountsLocked;

impl Check for SystemAccountsLocked {
    type Fact = Accounts;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "security.system-accounts-locked",
            demand: "no account below uid 1000 but root has a password or a shell to log in to",
            remedy: "`usermod -s /usr/sbin/nologin NAME` and `passwd -l NAME`; an empty shell field means /bin/sh",
            key: "security.system_logins",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        image.security.system_logins.clone()
    }

    fn judge(&self, got: &Accounts, want: &Vec<String>) -> Verdict {
        let system: Vec<_> = got.accounts.iter().filter(|one| (1..FIRST_PERSON).contains(&one.uid)).collect();
        let open = system.iter().filter(|one| !want.contains(&one.name)).filter_map(|one| way_in(one));
        let open: Vec<_> = open.collect();
        Verdict::of(open.is_empty(), at_most(want), some(&open, &format!("none of {}", system.len())))
    }
}

fn way_in(account: &Account) -> Option<String> {
    let last = account.shell.rsplit('/').next().unwrap_or_default();
    let shell = match account.shell.as_str() {
        "" => Some("no shell set, which is /bin/sh".to_owned()),
        _ if NO_SHELLS.contains(&last) => None,
        shell => Some(shell.to_owned()),
    };
    let password = match account.password {
        Password::Hash(_) => Some("a password".to_owned()),
        Password::Empty => Some("an empty password".to_owned()),
        Password::Locked => None,
    };
    let ways: Vec<_> = shell.into_iter().chain(password).collect();
    (!ways.is_empty()).then(|| format!("{}: {}", account.name, ways.join(", ")))
}
