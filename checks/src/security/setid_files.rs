//! Programs that run with the rights of their owner or group, whoever starts them.

use std::collections::BTreeMap;

use super::{
    inventory::{FoundKind, Inventory},
    permissions::Permissions,
};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    lists::some,
    outcome::Verdict,
};

/// The declared programs are setuid or setgid, and no other.
pub struct SetidFilesAsDeclared;

impl Check for SetidFilesAsDeclared {
    type Fact = Inventory;
    type Want = BTreeMap<String, Permissions>;

    fn about(&self) -> &About {
        &About {
            id: "security.setid-files-as-declared",
            demand: "no program is setuid or setgid but those declared, and those with no more rights than declared",
            remedy: "`chmod u-s,g-s` it, or declare it with its mode, owner and group",
            key: "security.setid_files",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<BTreeMap<String, Permissions>> {
        image.security.setid_files.clone()
    }

    fn judge(&self, got: &Inventory, want: &BTreeMap<String, Permissions>) -> Verdict {
        let mut count = 0;
        let mut stray = Vec::new();
        for found in got.of(FoundKind::Setid) {
            count += 1;
            let is = found.what.parse::<Permissions>();
            match (want.get(&found.path), is) {
                (Some(most), Ok(is)) if is.within(most) => {}
                (Some(most), _) => stray.push(format!("{} {}, declared {most}", found.path, found.what)),
                (None, _) => stray.push(format!("{} {}, not declared", found.path, found.what)),
            }
        }
        let none = format!("{count}, all declared");
        Verdict::of(stray.is_empty(), format_args!("at most {} declared ones", want.len()), some(&stray, &none))
    }
}
