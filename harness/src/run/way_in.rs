//! The way into a machine: the caller's account, or a user and a key made for this run and brought by a seed.

use crate::{
    image::{Seed, SeedError},
    session::{Credential, RunKey, nonce},
};

use super::RunError;

/// The user that the seed makes.
const SEED_USER: &str = "kverify";

/// The network around a machine, in words.
pub(crate) const NETWORK: &str = "slirp, closed: the guest reaches nothing, and only its ssh port is reached";

/// How a machine is entered.
pub(crate) struct WayIn {
    pub(crate) credential: Credential,
    /// The seed's files, where there is a seed.
    seed: Option<[(&'static str, String); 2]>,
}

impl WayIn {
    /// The caller's account, or else a seed.
    pub(crate) fn new(own: Option<Credential>) -> Result<Self, RunError> {
        if let Some(credential) = own {
            return Ok(Self { credential, seed: None });
        }
        let key = RunKey::generate().map_err(|error| RunError::Key(error.to_string()))?;
        let nonce = nonce().map_err(|error| RunError::Key(error.to_string()))?;
        let seed =
            [("meta-data", format!("instance-id: kverify-{nonce:032x}\n")), ("user-data", user_data(&key.public))];
        let credential = Credential::Key { user: SEED_USER.to_owned(), pem: key.private };
        Ok(Self { credential, seed: Some(seed) })
    }

    /// Whether a seed brings the account.
    pub(crate) fn seeded(&self) -> bool {
        self.seed.is_some()
    }

    /// The volumes that the machine is given for it.
    pub(crate) fn volumes(&self) -> Result<Vec<Vec<u8>>, SeedError> {
        let Some(files) = &self.seed else { return Ok(Vec::new()) };
        let seed =
            files.iter().fold(Seed::new(Seed::CLOUD_INIT), |seed, (name, text)| seed.file(*name, text.as_bytes()));
        Ok(vec![seed.volume()?])
    }
}

fn user_data(public_key: &str) -> String {
    let key = public_key.trim();
    format!(
        "#cloud-config\nusers:\n  - name: {SEED_USER}\n    lock_passwd: true\n    shell: /bin/sh\n    \
         sudo: \"ALL=(ALL) NOPASSWD:ALL\"\n    ssh_authorized_keys:\n      - {key}\n"
    )
}
