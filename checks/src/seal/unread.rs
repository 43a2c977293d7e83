//! That there is nothing on the disk that was not looked into.

use super::trees::{Found, Trees};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    lists::{allows, some},
    outcome::Verdict,
};

/// Every file system and snapshot was looked into.
pub struct EverythingRead;

impl Check for EverythingRead {
    type Fact = Trees;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "seal.everything-read",
            demand: "every file system and snapshot could be looked into, and every name in it be told",
            remedy: "encrypted file systems and volumes cannot be judged: name those that the image needs in the expectation",
            key: "seal.unread",
            cost: Cost::Deep,
            needs: &[Need::Sealed],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        image.seal.unread.clone()
    }

    fn judge(&self, got: &Trees, want: &Vec<String>) -> Verdict {
        let closed = got.closed.iter().filter(|(name, _)| !allows(want, name));
        let mut found: Vec<_> = closed.map(|(name, why)| format!("{name}: {why}")).collect();
        for tree in &got.trees {
            let odd = tree.found.iter().filter_map(|found| match found {
                Found::Odd(place) => Some(format!("names with a line break below {place} in {}", tree.name)),
                _ => None,
            });
            found.extend(odd);
        }
        let wanted = if want.is_empty() { "all".to_owned() } else { format!("all but {}", want.join(", ")) };
        Verdict::of(found.is_empty(), wanted, some(&found, &format!("all: {}", got.count())))
    }
}
