//! Passwords that are none, and passwords whose hash is soon undone.

use super::{Accounts, Password};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    lists::{at_most, some},
    outcome::Verdict,
};

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
        let empty = got.accounts.iter().filter(|account| account.password == Password::Empty);
        let stray: Vec<_> =
            empty.map(|account| account.name.as_str()).filter(|name| !want.iter().any(|one| one == name)).collect();
        let words = if stray.is_empty() {
            format!("none of {} accounts", got.accounts.len())
        } else {
            format!("empty password: {}", stray.join(", "))
        };
        Verdict::of(stray.is_empty(), at_most(want), words)
    }
}

/// The name of the scheme by which crypt(3) tells a hash.
fn scheme(prefix: &str) -> &str {
    match prefix {
        "y" => "yescrypt",
        "gy" => "gost-yescrypt",
        "7" => "scrypt",
        "2a" | "2b" | "2x" | "2y" => "bcrypt",
        "6" => "sha512",
        "5" => "sha256",
        "1" => "md5",
        other => other,
    }
}

/// The passwords that there are have hashes that take long to try.
pub struct PasswordHashesStrong;

impl Check for PasswordHashesStrong {
    type Fact = Accounts;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "security.password-hashes-strong",
            demand: "every password in /etc/shadow is hashed by one of the expected schemes",
            remedy: "set the password anew with `passwd`: a hash that was given ready-made keeps its scheme",
            key: "security.password_hashing",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        image.security.password_hashing.clone()
    }

    fn judge(&self, got: &Accounts, want: &Vec<String>) -> Verdict {
        let mut hashes = 0;
        let mut weak = Vec::new();
        for account in &got.accounts {
            if let Password::Hash(prefix) = &account.password {
                hashes += 1;
                if !want.iter().any(|one| one == scheme(prefix)) {
                    weak.push(format!("{}: {}", account.name, scheme(prefix)));
                }
            }
        }
        Verdict::of(weak.is_empty(), want.join(" or "), some(&weak, &format!("{hashes} passwords, all so")))
    }
}
