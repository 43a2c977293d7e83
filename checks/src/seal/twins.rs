//! Two machines of one image: what makes each of them itself has to differ, though both began with the same bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    check::{About, Check, Cost, Need},
    expect::Expectation,
    fact::{Fact, Unreadable},
    files::Files,
    lists::some,
    outcome::Verdict,
    probe::{MachineAspect, Output, Probe},
};

const MACHINE_ID: &str = "/etc/machine-id";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const HOSTNAME: &str = "/proc/sys/kernel/hostname";
const FILES: [&str; 7] = [
    MACHINE_ID,
    "/etc/ssh/ssh_host_dsa_key.pub",
    "/etc/ssh/ssh_host_ecdsa_key.pub",
    "/etc/ssh/ssh_host_ed25519_key.pub",
    "/etc/ssh/ssh_host_rsa_key.pub",
    BOOT_ID,
    HOSTNAME,
];
const ASK_FILES: [&str; 10] = ["grep", "-aH", "", FILES[0], FILES[1], FILES[2], FILES[3], FILES[4], FILES[5], FILES[6]];
const ASK_SEED: [&str; 2] = ["sha256sum", "/var/lib/systemd/random-seed"];
const ASK_SHARED: [&str; 5] = ["zpool", "get", "-H", "-p", "guid"];

/// What identifies each of two machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twins {
    /// By what it is: the value of each, where there is one.
    pub identity: BTreeMap<String, [Option<String>; 2]>,
    /// What they may share, in words, as each says it.
    pub shared: [String; 2],
}

fn is_host_key(path: &str) -> bool {
    path.starts_with("/etc/ssh/ssh_host_")
}

fn lines(out: &[Output]) -> Result<BTreeMap<String, String>, Unreadable> {
    let files = Files::parse(&out[0], &FILES)?;
    let mut identity = BTreeMap::new();
    for path in FILES {
        let Some(lines) = files.lines(path) else { continue };
        // The comment of a public key says where it was made, not which it is.
        let text = lines.join("\n");
        let text = if is_host_key(path) { text.split(' ').take(2).collect::<Vec<_>>().join(" ") } else { text };
        identity.insert(path.to_owned(), text.trim().to_owned());
    }
    if out[1].stderr.is_empty() {
        let digest = out[1].ok()?.split_whitespace().next().unwrap_or_default();
        identity.insert(ASK_SEED[1].to_owned(), digest.to_owned());
    } else if !out[1].stderr.contains("No such file or directory") {
        return Err(Unreadable::new(out[1].stderr.trim()));
    }
    Ok(identity)
}

impl Fact for Twins {
    const ID: &'static str = "seal.twins";

    fn probes() -> Vec<Probe> {
        vec![
            Probe::root(ASK_FILES),
            Probe::root(ASK_SEED),
            Probe::root(ASK_SHARED),
            Probe::twin(ASK_FILES),
            Probe::twin(ASK_SEED),
            Probe::twin(ASK_SHARED),
        ]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let both = [lines(&out[..2])?, lines(&out[3..5])?];
        let mut identity = BTreeMap::new();
        for path in both.iter().flat_map(BTreeMap::keys) {
            identity.insert(path.clone(), [both[0].get(path).cloned(), both[1].get(path).cloned()]);
        }
        let shared =
            |out: &Output| Ok(out.ok()?.lines().map(|line| line.replace('\t', " ")).collect::<Vec<_>>().join(", "));
        Ok(Self { identity, shared: [shared(&out[2])?, shared(&out[5])?] })
    }
}

/// Two machines of the image are two.
pub struct TwinsDiffer;

impl Check for TwinsDiffer {
    type Fact = Twins;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "seal.twins-differ",
            demand: "two machines of the image have different machine IDs, SSH host keys, boot IDs, host names and random seeds",
            remedy: "remove what both have when the image is sealed, and see that the first boot makes it",
            key: "seal.twins",
            cost: Cost::Quick,
            needs: &[Need::Sealed],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.seal.twins == Some(true)).then_some(())
    }

    fn judge(&self, got: &Twins, (): &()) -> Verdict {
        let mut wrong = Vec::new();
        let mut keys = 0;
        for (what, values) in &got.identity {
            match values {
                [Some(one), Some(other)] if one != other => keys += usize::from(is_host_key(what)),
                [Some(one), Some(other)] if one == other => wrong.push(format!("{what}: both {one}")),
                _ => wrong.push(format!("{what}: only one has it")),
            }
        }
        for needed in [MACHINE_ID, BOOT_ID, HOSTNAME] {
            if !got.identity.contains_key(needed) {
                wrong.push(format!("{needed}: neither has it"));
            }
        }
        let empty = |values: &[Option<String>; 2]| values.iter().flatten().any(String::is_empty);
        wrong.extend(got.identity.iter().filter(|(_, values)| empty(values)).map(|(what, _)| format!("{what}: empty")));
        if keys == 0 {
            wrong.push("no host key that differs".to_owned());
        }
        let said = format!("machine ID, boot ID, host name, random seed and {keys} host keys differ");
        let said = if got.identity.contains_key(ASK_SEED[1]) { said } else { said.replace(", random seed", "") };
        let verdict = Verdict::of(wrong.is_empty(), "all that identifies a machine differs", some(&wrong, &said));
        let [one, other] = &got.shared;
        if one == other { verdict.note(format!("both have, as they may: {one}")) } else { verdict }
    }
}

/// What a seed said of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seeded {
    /// The host name of each twin.
    pub hostnames: [String; 2],
    /// The user that was logged in as, by a key made for this twin alone.
    pub user: String,
}

/// The names that twins were given, and those that they have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwinNames {
    /// What they were given.
    pub seeded: Seeded,
    /// What they are called.
    pub names: [Named; 2],
}

/// What a machine says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its host name.
    pub hostname: String,
    /// Whether it knows the user.
    pub has_user: bool,
}

impl Fact for TwinNames {
    const ID: &'static str = "seal.twin-names";

    fn probes() -> Vec<Probe> {
        vec![
            Probe::machine(MachineAspect::Seeds),
            Probe::root(["cat", HOSTNAME, "/etc/passwd"]),
            Probe::twin(["cat", HOSTNAME, "/etc/passwd"]),
        ]
    }

    fn parse(out: &[Output]) -> Result<Self, Unreadable> {
        let seeded: Seeded = serde_json::from_str(out[0].ok()?).map_err(|error| Unreadable::new(error.to_string()))?;
        let read = |out: &Output| {
            let (hostname, accounts) =
                out.ok()?.split_once('\n').ok_or_else(|| Unreadable::new("no line with the host name"))?;
            let has_user = accounts.lines().any(|line| line.split(':').next() == Some(seeded.user.as_str()));
            Ok(Named { hostname: hostname.to_owned(), has_user })
        };
        let names = [read(&out[1])?, read(&out[2])?];
        Ok(Self { seeded, names })
    }
}

/// Each machine takes the name, the user and the key that it is given.
pub struct TwinsNamed;

impl Check for TwinsNamed {
    type Fact = TwinNames;
    type Want = ();

    fn about(&self) -> &About {
        &About {
            id: "seal.twins-named",
            demand: "each of two machines takes the host name and the user that its seed brings",
            remedy: "see that cloud-init is enabled, clean, has NoCloud among its data sources, and may set the host name",
            key: "seal.twins",
            cost: Cost::Quick,
            needs: &[Need::Sealed],
        }
    }

    fn want(&self, image: &Expectation) -> Option<()> {
        (image.seal.twins == Some(true)).then_some(())
    }

    fn judge(&self, got: &TwinNames, (): &()) -> Verdict {
        let user = &got.seeded.user;
        let said = got.names.iter().map(|name| {
            let known = if name.has_user { "" } else { " without" };
            format!("{}{known} {user}", name.hostname)
        });
        let said: Vec<_> = said.collect();
        let named = got.names.iter().zip(&got.seeded.hostnames).all(|(name, given)| name.hostname == *given);
        let wanted = got.seeded.hostnames.iter().map(|name| format!("{name} {user}")).collect::<Vec<_>>().join(", ");
        Verdict::of(named && got.names.iter().all(|name| name.has_user), wanted, said.join(", "))
    }
}
