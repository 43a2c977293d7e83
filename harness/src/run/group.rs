//! Several machines on one switch: the ways into them, and what cloud-init is told there.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use kverify_checks::scenarios::{Blank, Scenario};
use openssl::{error::ErrorStack, pkey::PKey};

use super::{RunError, forks::free_memory, way_in::WayIn};
use crate::{
    lab::{Lab, Origin, Plug, of_machine},
    machine::{Network, Spec},
};

/// Machines of one network.
pub(super) struct Group {
    pub(super) lab: Arc<Lab>,
    /// Into each of them.
    pub(super) ways: Vec<WayIn>,
}

/// The machines that a scenario has beside each other.
pub(super) fn group(scenario: &Scenario, spec: &Spec) -> Result<Group, RunError> {
    let count = u8::try_from(scenario.machines.len()).unwrap_or(u8::MAX);
    if spec.network != Network::Lab {
        return Err(RunError::Host("several machines meet on --network lab only, and this is slirp".to_owned()));
    }
    if let Some(why) = too_large(count, spec.memory_mib, free_memory()) {
        return Err(RunError::Host(why));
    }
    let lab = Lab::open(count, Origin::at(spec.switched_on()), None)
        .map_err(|error| RunError::Host(format!("no network for {count} machines: {error}")))?;
    let lab = Arc::new(lab);
    let mut keys = Keys::default();
    let mut ways = Vec::new();
    for (machine, member) in (0..count).zip(&scenario.machines) {
        let told = member.filled(|blank, number| keys.fill(blank, number).map_err(|error| error.to_string()));
        let told = told.map_err(RunError::Key)?;
        ways.push(WayIn::member(Plug { lab: Arc::clone(&lab), machine }, &told)?);
    }
    Ok(Group { lab, ways })
}

/// Why so many machines cannot run at once.
fn too_large(count: u8, memory_mib: u64, free: Option<u64>) -> Option<String> {
    let (needed, free) = (u64::from(count) * memory_mib, free? >> 20);
    (needed > free).then(|| {
        format!(
            "{count} machines of {memory_mib} MiB need {needed} MiB, and this host has {free} MiB free; give each less \
             with --memory"
        )
    })
}

/// WireGuard's keys by the number of the machine that they are for: private and public, in base64.
#[derive(Default)]
struct Keys(BTreeMap<u8, (String, String)>);

impl Keys {
    fn fill(&mut self, blank: Blank, number: u8) -> Result<String, ErrorStack> {
        if blank == Blank::Address {
            return Ok(of_machine(number.saturating_sub(1)).to_string());
        }
        let (private, public) = match self.0.entry(number) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(place) => {
                let key = PKey::generate_x25519()?;
                place.insert((STANDARD.encode(key.raw_private_key()?), STANDARD.encode(key.raw_public_key()?)))
            }
        };
        Ok(if blank == Blank::PrivateKey { private } else { public }.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::{Blank, Keys, too_large};

    #[test]
    fn more_than_the_host_has_is_not_begun() {
        assert_eq!(too_large(8, 2048, Some(16 << 30)), None);
        assert_eq!(too_large(8, 2048, None), None, "where nobody can tell");
        let why = too_large(8, 2048, Some(15 << 30)).unwrap();
        assert!(why.starts_with("8 machines of 2048 MiB need 16384 MiB, and this host has 15360 MiB free"), "{why}");
    }

    #[test]
    fn a_machine_has_one_pair_of_keys_however_often_it_is_named() {
        let mut keys = Keys::default();
        let public = keys.fill(Blank::PublicKey, 2).unwrap();
        assert_eq!(public.len(), 44);
        assert_eq!(keys.fill(Blank::PublicKey, 2).unwrap(), public);
        assert_ne!(keys.fill(Blank::PublicKey, 1).unwrap(), public);
        assert_ne!(keys.fill(Blank::PrivateKey, 2).unwrap(), public);
        assert_eq!(keys.fill(Blank::Address, 2).unwrap(), "10.0.2.16");
    }
}
