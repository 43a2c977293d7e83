//! Files that must not be there, in no tree: each check is a row that knows them when it sees them.

use super::{
    Expected,
    trees::{Found, Tree, Trees},
};
use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    lists::{allows, some},
    outcome::Verdict,
};

/// What must not be in any tree, but for what the expectation allows.
pub struct Absent {
    about: About,
    allowed: fn(&Expected) -> Option<&Vec<String>>,
    /// The paths in one tree that must not be there.
    seen: fn(&Tree) -> Vec<&str>,
}

const fn about(id: &'static str, key: &'static str, demand: &'static str, remedy: &'static str) -> About {
    About { id, demand, remedy, key, cost: Cost::Deep, needs: &[Need::Sealed] }
}

/// Nobody's key opens an account.
pub static AUTHORIZED_KEYS: Absent = Absent {
    about: about(
        "seal.authorized-keys-absent",
        "seal.authorized_keys",
        "no account of the image lets a key in: those come with the machine",
        "remove the files of authorized keys, in snapshots too; or name those that are to stay in the expectation",
    ),
    allowed: |seal| seal.authorized_keys.as_ref(),
    seen: |tree| {
        let keys = |path: &str| {
            let name = file_name(path);
            (name.starts_with("authorized_keys") && path.contains("/.ssh/"))
                || path.starts_with("/etc/ssh/authorized_keys")
        };
        full(tree, keys)
    },
};

/// cloud-init takes the next boot for its first.
pub static CLOUD_INIT: Absent = Absent {
    about: about(
        "seal.cloud-init-clean",
        "seal.cloud_init",
        "cloud-init has no state of an earlier boot, wrote no configuration that is left, and is not switched off",
        "run `cloud-init clean --logs --seed`, and remove what it wrote below /etc and the file cloud-init.disabled",
    ),
    allowed: |seal| seal.cloud_init.as_ref(),
    seen: |tree| {
        let state = |path: &str| {
            path.starts_with("/var/lib/cloud/")
                || path == "/etc/cloud/cloud-init.disabled"
                || path.starts_with("/etc/systemd/network/10-cloud-init-")
                || path.ends_with("/50-cloud-init.yaml")
                || path.ends_with("/50-cloud-init.conf")
                || path == "/etc/network/interfaces.d/50-cloud-init"
                || path == "/etc/sudoers.d/90-cloud-init-users"
        };
        any(tree, state)
    },
};

/// Nobody sees what a builder typed.
pub static HISTORIES: Absent = Absent {
    about: about(
        "seal.histories-absent",
        "seal.histories",
        "no shell or program keeps a history of what was typed, or of hosts that were reached",
        "remove them from every home, in snapshots too",
    ),
    allowed: |seal| seal.histories.as_ref(),
    seen: |tree| {
        let history = |path: &str| {
            let name = file_name(path);
            let home = path.starts_with("/root/") || path.starts_with("/home/");
            home && (name.ends_with("_history")
                || name.starts_with("known_hosts")
                || [".lesshst", ".viminfo", ".wget-hsts", ".histfile", ".node_repl_history"].contains(&name))
        };
        any(tree, history)
    },
};

/// Every machine makes its own SSH host keys.
pub static HOST_KEYS: Absent = Absent {
    about: about(
        "seal.host-keys-absent",
        "seal.host_keys",
        "there is no SSH host key: machines of one key can pass for each other",
        "remove /etc/ssh/ssh_host_* when the image is sealed, in snapshots too, and see that the first boot makes them",
    ),
    allowed: |seal| seal.host_keys.as_ref(),
    seen: |tree| {
        any(tree, |path| {
            path.starts_with("/etc/ssh/ssh_host_")
                || (path.starts_with("/etc/dropbear/") && path.ends_with("_host_key"))
        })
    },
};

/// No network card keeps the name that it had on the build machine.
pub static INTERFACE_RULES: Absent = Absent {
    about: about(
        "seal.interface-rules-absent",
        "seal.interface_rules",
        "no udev rule gives a name to the network cards of one machine",
        "remove 70-persistent-net.rules and 75-persistent-net-generator.rules from /etc/udev/rules.d",
    ),
    allowed: |seal| seal.interface_rules.as_ref(),
    seen: |tree| any(tree, |path| path.starts_with("/etc/udev/rules.d/") && path.contains("persistent-net")),
};

/// No machine asks for the address of another.
pub static LEASES: Absent = Absent {
    about: about(
        "seal.leases-absent",
        "seal.leases",
        "there are no leases, and nothing by which a DHCP server would know the build machine",
        "remove what DHCP clients and NetworkManager keep below /var/lib",
    ),
    allowed: |seal| seal.leases.as_ref(),
    seen: |tree| {
        const PLACES: [&str; 4] =
            ["/var/lib/dhcp/", "/var/lib/dhcpcd/", "/var/lib/dhclient/", "/var/lib/systemd/network/"];
        any(tree, |path| {
            PLACES.iter().any(|place| path.starts_with(place))
                || (path.starts_with("/var/lib/NetworkManager/")
                    && (path.contains(".lease") || path.ends_with("/secret_key") || path.ends_with("/timestamps")))
                || ["/etc/dhcpcd.duid", "/etc/dhcpcd.secret"].contains(&path)
        })
    },
};

/// The logs begin with the machine.
pub static LOGS: Absent = Absent {
    about: about(
        "seal.logs-empty",
        "seal.logs",
        "no log has anything to say of the build",
        "empty every file below /var/log, remove journals and rotated logs, in snapshots too",
    ),
    allowed: |seal| seal.logs.as_ref(),
    seen: |tree| full(tree, |path| path.starts_with("/var/log/") || path.starts_with("/var/crash/")),
};

/// There is no private key, of whatever kind.
pub static PRIVATE_KEYS: Absent = Absent {
    about: about(
        "seal.private-keys-absent",
        "seal.private_keys",
        "no file holds a private key: whoever has the image has it",
        "bring keys to a machine after it was made; DKMS leaves one in /var/lib/dkms/mok.key",
    ),
    allowed: |seal| seal.private_keys.as_ref(),
    seen: |tree| {
        let inside = tree.found.iter().filter_map(|found| match found {
            Found::PrivateKey(path) => Some(path.as_str()),
            _ => None,
        });
        let named =
            |path: &str| path.ends_with("/mok.key") || path.ends_with("/mok.priv") || path.ends_with("/MOK.priv");
        let mut seen: Vec<_> = inside.chain(any(tree, named)).collect();
        seen.sort_unstable();
        seen.dedup();
        seen
    },
};

/// No two machines begin with the same random numbers.
pub static RANDOM_SEEDS: Absent = Absent {
    about: about(
        "seal.random-seeds-absent",
        "seal.random_seeds",
        "no seed of random numbers is left, on the EFI system partition neither, nor systemd's key for credentials",
        "remove /var/lib/systemd/random-seed, /var/lib/systemd/credential.secret and loader/random-seed",
    ),
    allowed: |seal| seal.random_seeds.as_ref(),
    seen: |tree| {
        any(tree, |path| {
            file_name(path) == "random-seed"
                || path == "/var/lib/systemd/credential.secret"
                || path.starts_with("/var/lib/seedrng/")
        })
    },
};

/// Nothing looks like a token or a password.
pub static SECRETS: Absent = Absent {
    about: about(
        "seal.secrets-absent",
        "seal.secrets",
        "no file holds what looks like a token, or an address with a password in it",
        "remove it, and take it for known: change it where it is used; name a false find in the expectation",
    ),
    allowed: |seal| seal.secrets.as_ref(),
    seen: |tree| {
        const NAMES: [&str; 5] = [".netrc", ".pgpass", ".my.cnf", ".git-credentials", ".vault-token"];
        let inside = tree.found.iter().filter_map(|found| match found {
            Found::Secret(_, path) => Some(path.as_str()),
            _ => None,
        });
        let named = |path: &str| {
            NAMES.contains(&file_name(path))
                || path.ends_with("/.aws/credentials")
                || path.ends_with("/.docker/config.json")
                || path.ends_with("/.kube/config")
        };
        let mut seen: Vec<_> = inside.chain(full(tree, named)).collect();
        seen.sort_unstable();
        seen.dedup();
        seen
    },
};

/// What was put aside for a moment is gone.
pub static TEMPORARY_FILES: Absent = Absent {
    about: about(
        "seal.temporary-files-absent",
        "seal.temporary_files",
        "there are no temporary files, core dumps, or copies of the account files as they were",
        "empty /tmp, /var/tmp and /var/lib/systemd/coredump, and remove /etc/passwd- and the like",
    ),
    allowed: |seal| seal.temporary_files.as_ref(),
    seen: |tree| {
        const PLACES: [&str; 4] = ["/tmp/", "/var/tmp/", "/var/lib/systemd/coredump/", "/var/cache/apt/archives/"];
        const COPIES: [&str; 6] =
            ["/etc/passwd-", "/etc/shadow-", "/etc/group-", "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-"];
        full(tree, |path| PLACES.iter().any(|place| path.starts_with(place)) || COPIES.contains(&path))
    },
};

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The paths of one tree of which this holds.
fn any(tree: &Tree, holds: impl Fn(&str) -> bool) -> Vec<&str> {
    tree.files.iter().map(|file| file.path.as_str()).filter(|path| holds(path)).collect()
}

/// The same, of files with content.
fn full(tree: &Tree, holds: impl Fn(&str) -> bool) -> Vec<&str> {
    tree.files.iter().filter(|file| file.bytes > 0 && holds(&file.path)).map(|file| file.path.as_str()).collect()
}

impl Check for Absent {
    type Fact = Trees;
    type Want = Vec<String>;

    fn about(&self) -> &About {
        &self.about
    }

    fn want(&self, image: &Expectation) -> Option<Vec<String>> {
        (self.allowed)(&image.seal).cloned()
    }

    fn judge(&self, got: &Trees, want: &Vec<String>) -> Verdict {
        let of = |tree: &Tree| -> Vec<String> {
            let seen = (self.seen)(tree).into_iter().filter(|path| !allows(want, path));
            seen.map(|path| format!("{path} in {}", tree.name)).collect()
        };
        let found: Vec<_> = got.trees.iter().flat_map(of).collect();
        let wanted = if want.is_empty() { "none".to_owned() } else { format!("none but {}", want.join(", ")) };
        Verdict::of(found.is_empty(), wanted, some(&found, &format!("none in {}", got.count())))
    }
}
