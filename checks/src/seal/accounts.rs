//! Passwords: whoever has the image can try them for as long as they like.

use super::trees::{Found, Trees};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    lists::{allows, some},
    outcome::Verdict,
};

/// No account has the hash of a password.
pub struct PasswordHashesAbsent;

impl Check for PasswordHashesAbsent {
    type Fact = Trees;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "seal.password-hashes-absent",
            demand: "no user or group has the hash of a password, locked or not",
            remedy: "`usermod -p '!' NAME`, in snapshots too; passwords come with the machine",
            key: "seal.password_hashes",
            cost: Cost::Deep,
            needs: &[Need::Sealed],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        image.seal.password_hashes.clone()
    }

    fn judge(&self, got: &Trees, want: &Vec<String>) -> Verdict {
        let mut found = Vec::new();
        for tree in &got.trees {
            let hashes = tree.found.iter().filter_map(|found| match found {
                Found::Hash(list, name) if !allows(want, name) => Some(format!("{name} ({list}) in {}", tree.name)),
                _ => None,
            });
            found.extend(hashes);
        }
        let wanted = if want.is_empty() { "none".to_owned() } else { format!("of {} at most", want.join(", ")) };
        Verdict::of(found.is_empty(), wanted, some(&found, &format!("none in {}", got.count())))
    }
}
