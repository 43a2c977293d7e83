//! The way into a machine: the caller's account, or a user and a key made for this run and brought by a seed.

use std::sync::Arc;

use kverify_checks::scenarios::Cloud;
use serde::{Deserialize, Serialize};

use crate::{
    cloud::Instance,
    image::{Seed, SeedError},
    lab::{Plug, card_of, of_machine},
    session::{Credential, RunKey, nonce},
};

use super::RunError;

/// The user that the seed makes.
const SEED_USER: &str = "kverify";

/// The folder in which a machine on a cloud finds what that cloud was told of it.
const TOLD: &str = "/run/kverify-cloud";

/// How a machine is entered.
pub(crate) struct WayIn {
    pub(crate) credential: Credential,
    /// What the seed brings, where there is a seed.
    seed: Option<SeedText>,
    /// The cloud that brings the account instead.
    cloud: Option<Arc<Instance>>,
    /// Where the machine is plugged in, where it is one of several.
    plug: Option<Plug>,
}

/// What a seed brings, and the key that it lets in. Whoever has it enters a throw-away machine.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeedText {
    meta_data: String,
    user_data: String,
    private_key: String,
    /// The host name, where the machine is given one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hostname: Option<String>,
}

impl WayIn {
    /// The caller's account, or else a seed.
    pub(crate) fn new(own: Option<Credential>) -> Result<Self, RunError> {
        if let Some(credential) = own {
            return Ok(Self { credential, seed: None, cloud: None, plug: None });
        }
        Self::seeding(None, "")
    }

    /// What a cloud hands to a machine.
    pub(crate) fn on(cloud: Cloud) -> Result<Self, RunError> {
        let (ours, given, nonce) = (fresh_key()?, fresh_key()?, fresh_nonce()?);
        let hostname = name_of(nonce);
        let key = given.public.trim().to_owned();
        let user_data = format!(
            "{}  - default\nwrite_files:\n  - path: {TOLD}/hostname\n    content: {hostname}\n  - path: {TOLD}/key\n    \
             content: {key}\n",
            user_data(&ours.public)
        );
        let mac = card_of(0).map(|byte| format!("{byte:02x}")).join(":");
        let nonce = format!("{nonce:032x}");
        let instance = Instance { cloud, nonce, hostname, key, user_data, mac, address: of_machine(0) };
        let credential = Credential::Key { user: SEED_USER.to_owned(), pem: ours.private };
        Ok(Self { credential, seed: None, cloud: Some(Arc::new(instance)), plug: None })
    }

    /// What the machine is to its cloud, where it is on one.
    pub(crate) fn cloud(&self) -> Option<Arc<Instance>> {
        self.cloud.clone()
    }

    /// A seed that gives the machine a name of its own.
    pub(crate) fn named() -> Result<Self, RunError> {
        Self::seeding(Some(name_of(fresh_nonce()?)), "")
    }

    /// The same for one machine of several, which is told more: the rest of a `#cloud-config`.
    pub(crate) fn member(plug: Plug, told: &str) -> Result<Self, RunError> {
        let way_in = Self::seeding(Some(name_of(fresh_nonce()?)), told)?;
        Ok(Self { plug: Some(plug), ..way_in })
    }

    /// Where the machine is plugged in, where it is one of several.
    pub(crate) fn plug(&self) -> Option<Plug> {
        self.plug.clone()
    }

    fn seeding(hostname: Option<String>, told: &str) -> Result<Self, RunError> {
        let (key, nonce) = (fresh_key()?, fresh_nonce()?);
        let name = hostname.as_ref().map(|name| format!("local-hostname: {name}\n")).unwrap_or_default();
        Ok(Self::seeded_by(SeedText {
            meta_data: format!("instance-id: kverify-{nonce:032x}\n{name}"),
            user_data: format!("{}{told}", user_data(&key.public)),
            private_key: key.private,
            hostname,
        }))
    }

    /// The way in that this seed made.
    pub(crate) fn seeded_by(seed: SeedText) -> Self {
        let credential = Credential::Key { user: SEED_USER.to_owned(), pem: seed.private_key.clone() };
        Self { credential, seed: Some(seed), cloud: None, plug: None }
    }

    /// The seed, where there is one.
    pub(crate) fn seed(&self) -> Option<&SeedText> {
        self.seed.as_ref()
    }

    /// The host name that the seed gives.
    pub(crate) fn hostname(&self) -> Option<&str> {
        self.seed.as_ref()?.hostname.as_deref()
    }

    /// Whether a seed, or what stands for one, brings the account.
    pub(crate) fn seeded(&self) -> bool {
        self.seed.is_some() || self.cloud.is_some()
    }

    /// The account that the seed makes, and what else it writes that is nowhere but in this run: its key, its name.
    pub(crate) fn marks(&self) -> Option<(&'static str, Vec<&str>)> {
        let seed = self.seed.as_ref()?;
        let words = seed.user_data.split_ascii_whitespace().chain(seed.meta_data.split_ascii_whitespace());
        let marks = words.filter(|word| word.starts_with("AAAA") || word.starts_with("kverify-"));
        Some((SEED_USER, marks.collect()))
    }

    /// The volumes that the machine is given for it.
    pub(crate) fn volumes(&self) -> Result<Vec<Vec<u8>>, SeedError> {
        if let Some(cloud) = &self.cloud {
            return cloud.volumes();
        }
        let Some(seed) = &self.seed else { return Ok(Vec::new()) };
        let volume = Seed::cloud_init(&seed.meta_data, &seed.user_data);
        Ok(vec![volume.volume()?])
    }
}

fn fresh_key() -> Result<RunKey, RunError> {
    RunKey::generate().map_err(|error| RunError::Key(error.to_string()))
}

fn fresh_nonce() -> Result<u128, RunError> {
    nonce().map_err(|error| RunError::Key(error.to_string()))
}

/// A host name that no other machine has.
fn name_of(nonce: u128) -> String {
    format!("kverify-{:08x}", nonce >> 96)
}

fn user_data(public_key: &str) -> String {
    let key = public_key.trim();
    format!(
        "#cloud-config\nusers:\n  - name: {SEED_USER}\n    lock_passwd: true\n    shell: /bin/sh\n    \
         sudo: \"ALL=(ALL) NOPASSWD:ALL\"\n    ssh_authorized_keys:\n      - {key}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::WayIn;

    #[test]
    fn a_seed_is_known_by_what_no_other_run_has() {
        let (one, other) = (WayIn::new(None).unwrap(), WayIn::new(None).unwrap());
        let (user, marks) = one.marks().unwrap();
        assert_eq!((user, marks.len()), ("kverify", 2), "{marks:?}");
        assert!(marks.iter().all(|mark| mark.len() > 32 && !other.marks().unwrap().1.contains(mark)));
        assert_eq!(one.hostname(), None);
    }

    #[test]
    fn a_machine_that_is_to_differ_gets_a_name_of_its_own() {
        let (one, other) = (WayIn::named().unwrap(), WayIn::named().unwrap());
        let name = one.hostname().unwrap();
        assert_ne!(Some(name), other.hostname());
        assert!(one.seed().unwrap().meta_data.contains(&format!("\nlocal-hostname: {name}\n")));
        assert!(one.marks().unwrap().1.contains(&name), "the seal removes it as well");
    }
}
