//! The root file system's type, judged on the mounts that the ZFS topic reads.

use toml::Value;

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    outcome::Verdict,
    zfs::Mounts,
};

/// The system runs from a file system of the expected type.
pub struct RootFilesystem;

impl Check for RootFilesystem {
    type Fact = Mounts;
    type Want = String;

    fn about(&self) -> &About {
        &About {
            id: "boot.root-filesystem",
            demand: "what is mounted at / is of the expected type",
            remedy: "look at root= on the kernel's command line; an overlay or a RAM disk at / forgets every change",
            key: "boot.root_filesystem",
            cost: Cost::Quick,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<String> {
        image.boot.root_filesystem.clone()
    }

    fn judge(&self, got: &Mounts, want: &String) -> Verdict {
        let root = got.at("/");
        let said = root.map_or_else(|| "nothing".to_owned(), |root| format!("{} ({})", root.kind, root.source));
        Verdict::of(root.is_some_and(|root| root.kind == *want), want, said)
    }

    fn observed(&self, got: &Mounts) -> Option<Value> {
        got.at("/").map(|root| root.kind.clone().into())
    }
}
