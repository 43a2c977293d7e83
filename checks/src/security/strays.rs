//! Files that must not be there: each check is a row that says as what they are looked for.

use super::{
    Expected,
    inventory::{FileCapabilities, Found, FoundKind, Inventory},
};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    lists::{allows, at_most, some},
    outcome::Verdict,
};

/// What must not be there, but for what the expectation allows.
pub struct Stray {
    about: About,
    allowed: fn(&Expected) -> Option<&Vec<String>>,
    kind: FoundKind,
}

const fn about(id: &'static str, key: &'static str, demand: &'static str, remedy: &'static str) -> About {
    About { id, demand, remedy, key, cost: Cost::Deep, needs: &[Need::Settled] }
}

/// Nobody's key opens an account.
pub static AUTHORIZED_KEYS: Stray = Stray {
    about: about(
        "security.authorized-keys-as-declared",
        "security.authorized_keys",
        "no file of authorized keys lets anybody in but those declared: keys come with the machine",
        "remove the key of whoever built the image, or declare the file",
    ),
    allowed: |security| security.authorized_keys.as_ref(),
    kind: FoundKind::AuthorizedKeys,
};

/// The build took with it what it brought.
pub static BUILD_LEFTOVERS: Stray = Stray {
    about: about(
        "security.build-leftovers-absent",
        "security.build_leftovers",
        "root's home, temporary folders, installers' logs and package caches hold nothing of the build",
        "remove the file; `apt-get clean` and `rm -r /var/lib/apt/lists/*` for what apt keeps",
    ),
    allowed: |security| security.build_leftovers.as_ref(),
    kind: FoundKind::Left,
};

/// Nothing crashed and left its memory.
pub static CORE_FILES: Stray = Stray {
    about: about(
        "security.core-files-absent",
        "security.core_files",
        "no memory of a crashed program lies about: it holds whatever secrets the program knew",
        "remove it, and look into why the program crashed",
    ),
    allowed: |security| security.core_files.as_ref(),
    kind: FoundKind::Core,
};

/// Devices are in /dev.
pub static DEVICES: Stray = Stray {
    about: about(
        "security.devices-in-dev-only",
        "security.devices",
        "there is no block or character device outside /dev: whoever may open one goes around all other rights",
        "remove it; archives unpacked as root bring such nodes",
    ),
    allowed: |security| security.devices.as_ref(),
    kind: FoundKind::Device,
};

/// Nobody sees what a builder typed.
pub static HISTORIES: Stray = Stray {
    about: about(
        "security.histories-absent",
        "security.histories",
        "no shell or program keeps a history of what was typed, or of hosts that were reached",
        "remove it, and end the build's shells with `unset HISTFILE`",
    ),
    allowed: |security| security.histories.as_ref(),
    kind: FoundKind::History,
};

/// Package managers put nothing aside.
pub static PACKAGE_LEFTOVERS: Stray = Stray {
    about: about(
        "security.package-leftovers-absent",
        "security.package_leftovers",
        "no package manager has put a file of configuration aside, so the one that counts was chosen by somebody",
        "compare the two, keep one, and remove the other",
    ),
    allowed: |security| security.package_leftovers.as_ref(),
    kind: FoundKind::Package,
};

/// Private keys are where they are declared.
pub static PRIVATE_KEYS: Stray = Stray {
    about: about(
        "security.private-keys-as-declared",
        "security.private_keys",
        "no file holds a private key but those that the machine made for itself, as declared",
        "remove it, and replace the key wherever it is trusted: everybody with the image has it",
    ),
    allowed: |security| security.private_keys.as_ref(),
    kind: FoundKind::PrivateKey,
};

/// Every file belongs to somebody.
pub static UNOWNED_FILES: Stray = Stray {
    about: about(
        "security.unowned-files-absent",
        "security.unowned_files",
        "every file belongs to an account and a group that there are",
        "`chown` it: the next account that is made gets the number, and the file",
    ),
    allowed: |security| security.unowned_files.as_ref(),
    kind: FoundKind::Unowned,
};

/// Not everybody can write everything.
pub static WORLD_WRITABLE: Stray = Stray {
    about: about(
        "security.world-writable-absent",
        "security.world_writable",
        "no file may be written by everybody, and no folder without a sticky bit",
        "`chmod o-w`, or `chmod +t` for a folder that everybody needs",
    ),
    allowed: |security| security.world_writable.as_ref(),
    kind: FoundKind::WorldWritable,
};

impl Check for Stray {
    type Fact = Inventory;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &self.about
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        (self.allowed)(&image.security).cloned()
    }

    fn judge(&self, got: &Inventory, want: &Vec<String>) -> Verdict {
        let stray: Vec<_> = got.of(self.kind).filter(|found| !allows(want, &found.path)).map(words).collect();
        Verdict::of(stray.is_empty(), at_most(want), some(&stray, "none"))
    }
}

fn words(found: &Found) -> String {
    if found.what.is_empty() { found.path.clone() } else { format!("{} ({})", found.path, found.what) }
}

/// Programs have the declared capabilities and no other.
pub struct FileCapabilitiesAsDeclared;

impl Check for FileCapabilitiesAsDeclared {
    type Fact = FileCapabilities;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &About {
            id: "security.file-capabilities-as-declared",
            demand: "no program has capabilities but those declared: they are setuid bits under another name",
            remedy: "`setcap -r FILE`, or declare it as getcap prints it",
            key: "security.capabilities",
            cost: Cost::Deep,
            needs: &[Need::Settled],
        }
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        image.security.capabilities.clone()
    }

    fn judge(&self, got: &FileCapabilities, want: &Vec<String>) -> Verdict {
        let stray: Vec<_> = got.0.iter().filter(|line| !allows(want, line)).cloned().collect();
        Verdict::of(stray.is_empty(), at_most(want), some(&stray, "none"))
    }
}
