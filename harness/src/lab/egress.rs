//! What machines wanted of the world, while it is watched. Bounded: a flood is counted, and not kept.

use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use kverify_checks::network::{AskedName, EgressRecord, TriedAddress};

/// How many names, and how many destinations, are kept.
const MOST: usize = 512;

/// A record that grows.
pub(super) struct Egress {
    began: Instant,
    record: Mutex<EgressRecord>,
}

impl Egress {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), record: Mutex::default() }
    }

    /// A name was asked for.
    pub(super) fn asked(&self, name: &str, kind: &str) {
        let at = self.seconds();
        let mut record = self.lock();
        if let Some(known) = record.names.iter_mut().find(|known| known.name == name) {
            known.times += 1;
            if !known.kinds.iter().any(|its| its == kind) && known.kinds.len() < 16 {
                known.kinds.push(kind.to_owned());
            }
        } else if record.names.len() < MOST {
            record.names.push(AskedName { name: name.to_owned(), kinds: vec![kind.to_owned()], times: 1, first: at });
        } else {
            record.lost += 1;
        }
    }

    /// An address beyond the network was tried; `name` is what it was asked by.
    pub(super) fn tried(&self, protocol: &str, address: IpAddr, port: Option<u16>, name: Option<&str>) {
        let at = self.seconds();
        let mut record = self.lock();
        let same =
            |known: &&mut TriedAddress| known.address == address && known.port == port && known.protocol == protocol;
        if let Some(known) = record.tried.iter_mut().find(same) {
            known.times += 1;
        } else if record.tried.len() < MOST {
            let (protocol, name) = (protocol.to_owned(), name.map(str::to_owned));
            record.tried.push(TriedAddress { protocol, address, port, name, times: 1, first: at });
        } else {
            record.lost += 1;
        }
    }

    /// What there is by now.
    pub(super) fn so_far(&self) -> EgressRecord {
        EgressRecord { seconds: self.seconds(), ..self.lock().clone() }
    }

    /// Seconds since the machine was switched on, to a tenth.
    fn seconds(&self) -> f64 {
        (self.began.elapsed().as_secs_f64() * 10.0).round() / 10.0
    }

    fn lock(&self) -> MutexGuard<'_, EgressRecord> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{Egress, MOST};

    #[test]
    fn what_comes_again_is_counted() {
        let egress = Egress::new();
        egress.asked("a.example", "A");
        egress.asked("a.example", "AAAA");
        egress.asked("a.example", "A");
        let there = IpAddr::from([198, 18, 0, 1]);
        egress.tried("udp", there, Some(123), Some("a.example"));
        egress.tried("udp", there, Some(123), None);
        egress.tried("tcp", there, Some(123), None);
        let record = egress.so_far();
        assert_eq!((record.names.len(), record.names[0].times), (1, 3));
        assert_eq!(record.names[0].kinds, ["A", "AAAA"]);
        assert_eq!(record.tried.iter().map(|tried| tried.times).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(record.tried[0].name.as_deref(), Some("a.example"));
    }

    #[test]
    fn a_flood_is_counted_and_not_kept() {
        let egress = Egress::new();
        for number in 0..2000_u32 {
            egress.asked(&format!("{number}.example"), "A");
            egress.tried("tcp", IpAddr::from(number.to_be_bytes()), Some(443), None);
        }
        let record = egress.so_far();
        assert_eq!((record.names.len(), record.tried.len()), (MOST, MOST));
        assert_eq!(record.lost, 2 * (2000 - MOST as u64));
    }
}
