//! Clouds on a laptop: what a machine meets there, so that it can be seen to find and configure itself.
//!
//! A cloud is what its firmware says it is (SMBIOS), the disks that it brings, and what its metadata service answers. The
//! shapes are those of the public documentation, named in each file; the values are made for one run.

mod azure;
mod config_drive;
mod ec2;
mod gce;
mod openstack;

use std::net::Ipv4Addr;

use kverify_checks::scenarios::Cloud;

use crate::image::{Seed, SeedError};

/// Where metadata services are, by common use (RFC 3927 addresses, never routed).
pub(crate) const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// Where Azure's fabric is
/// (<https://learn.microsoft.com/en-us/azure/virtual-network/what-is-ip-address-168-63-129-16>).
pub(crate) const WIRE_SERVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// A machine as a cloud knows it.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) cloud: Cloud,
    /// 32 hexadecimal digits that are nobody else's.
    pub(crate) nonce: String,
    pub(crate) hostname: String,
    /// The key that the cloud gives the default user, as a line of `authorized_keys`.
    pub(crate) key: String,
    pub(crate) user_data: String,
    /// Of its network card.
    pub(crate) mac: String,
    pub(crate) address: Ipv4Addr,
}

/// What a metadata service is asked.
pub(crate) struct Question<'a> {
    pub(crate) to: Ipv4Addr,
    pub(crate) method: &'a str,
    /// From the first slash on, without the query.
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    /// The value of a header, by its name in lower case.
    pub(crate) header: &'a dyn Fn(&str) -> Option<String>,
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Answer {
    fn ok(body: impl Into<String>) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.into() }
    }

    fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Instance {
    /// What QEMU's `-smbios` is told.
    pub(crate) fn smbios(&self) -> Vec<String> {
        match self.cloud {
            Cloud::NoCloud | Cloud::ConfigDrive => Vec::new(),
            Cloud::Ec2 => ec2::smbios(self),
            Cloud::Gce => gce::smbios(self),
            Cloud::Azure => azure::smbios(),
            Cloud::OpenStack => openstack::smbios(),
        }
    }

    /// The read-only volumes that it brings.
    pub(crate) fn volumes(&self) -> Result<Vec<Vec<u8>>, SeedError> {
        let volume = match self.cloud {
            Cloud::NoCloud => {
                let (id, name, key) = (self.id(), &self.hostname, &self.key);
                let meta_data = format!("instance-id: {id}\nlocal-hostname: {name}\npublic-keys:\n  - {key}\n");
                Seed::cloud_init(&meta_data, &self.user_data)
            }
            Cloud::ConfigDrive => config_drive::volume(self),
            Cloud::Ec2 | Cloud::Gce | Cloud::Azure | Cloud::OpenStack => return Ok(Vec::new()),
        };
        Ok(vec![volume.volume()?])
    }

    /// Whether there is a metadata service at this address and port.
    pub(crate) fn serves(&self, address: Ipv4Addr, port: u16) -> bool {
        let there = match self.cloud {
            Cloud::NoCloud | Cloud::ConfigDrive => false,
            Cloud::Azure => address == METADATA || address == WIRE_SERVER,
            Cloud::Ec2 | Cloud::Gce | Cloud::OpenStack => address == METADATA,
        };
        there && port == 80
    }

    /// The address of a name that this cloud's own name server has.
    pub(crate) fn address_of(&self, name: &str) -> Option<Ipv4Addr> {
        (self.cloud == Cloud::Gce && name == gce::NAME).then_some(METADATA)
    }

    /// What the metadata service answers.
    pub(crate) fn answer(&self, question: &Question<'_>) -> Answer {
        match self.cloud {
            Cloud::NoCloud | Cloud::ConfigDrive => Answer::status(404),
            Cloud::Ec2 => ec2::answer(self, question),
            Cloud::Gce => gce::answer(self, question),
            Cloud::Azure => azure::answer(self, question),
            Cloud::OpenStack => openstack::answer(self, question),
        }
    }

    /// Its name among the cloud's machines.
    fn id(&self) -> String {
        format!("i-{}", &self.nonce[..17])
    }

    /// Its name as a UUID that begins with these digits.
    fn uuid(&self, begins: &str) -> String {
        let digits = format!("{begins}{}", &self.nonce[begins.len()..]);
        [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
    }
}

#[cfg(test)]
mod tests;

/// A machine for tests.
#[cfg(test)]
pub(crate) fn instance(cloud: Cloud) -> Instance {
    Instance {
        cloud,
        nonce: "0123456789abcdef0123456789abcdef".to_owned(),
        hostname: "kverify-01234567".to_owned(),
        key: "ssh-ed25519 AAAA kverify".to_owned(),
        user_data: "#cloud-config\n{}\n".to_owned(),
        mac: "52:54:00:12:34:56".to_owned(),
        address: Ipv4Addr::new(10, 0, 2, 15),
    }
}
