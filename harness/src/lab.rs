//! The network around machines, made here: a switch, and a gateway that gives out addresses, names and the time, and
//! leads nowhere.
//!
//! It is the same on every host, whatever network that host has or has not. No socket of the host is ever opened for a
//! guest; what guests wanted of the world is noted.

mod address;
mod capture;
mod clock;
mod crossing;
mod dhcp;
mod dns;
mod egress;
mod frame;
#[cfg(any(test, fuzzing))]
pub mod fuzzed;
mod gateway;
mod http;
mod ntp;
mod random;
mod router;
mod stack;
mod switch;
#[cfg(test)]
mod tests;
mod wire;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::Ipv4Addr,
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use kverify_checks::{
    network::{EgressRecord, LAB_NAME},
    step::Network,
};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

pub(crate) use address::{card_of, of_machine};
pub use capture::{Capture, Captured, MOST as MOST_CAPTURED};

use clock::Clock;
use dns::Names;
use egress::Egress;
use gateway::Gateway;
use stack::Dialler;
use switch::Switch;
use wire::Wire;

use crate::{cloud::Instance, session::nonce};

/// How long a guest may take to accept a connection.
const DIAL: Duration = Duration::from_secs(2);

/// The network of one machine or of several; it ends when it is dropped.
pub(crate) struct Lab {
    orders: mpsc::UnboundedSender<Order>,
    clock: Arc<Clock>,
    egress: Arc<Egress>,
    /// How many places it has.
    machines: u8,
}

/// What a machine that goes on from a captured one remembers of the network around that.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Origin {
    /// What its clock says.
    clock: Timestamp,
    /// The addresses that it was given for names, and may use without asking again.
    names: BTreeMap<String, Ipv4Addr>,
}

impl Origin {
    /// A machine that is switched on, with its clock at `clock`.
    pub(crate) fn at(clock: Timestamp) -> Self {
        Self { clock, names: BTreeMap::new() }
    }
}

/// Where a machine is plugged in.
#[derive(Clone)]
pub(crate) struct Plug {
    pub(crate) lab: Arc<Lab>,
    /// The machine's number on that network, from 0.
    pub(crate) machine: u8,
}

impl Plug {
    /// The only one of a network of its own.
    pub(crate) fn alone(origin: Origin, instance: Option<Arc<Instance>>) -> io::Result<Self> {
        Ok(Self { lab: Arc::new(Lab::open(1, origin, instance)?), machine: 0 })
    }

    /// Whether there are other places on its network.
    pub(crate) fn is_shared(&self) -> bool {
        self.lab.machines > 1
    }

    /// A new cable; one that was there before leads nowhere any more.
    pub(crate) fn cable(&self) -> io::Result<OwnedFd> {
        let (ours, theirs) = Wire::pair()?;
        self.lab.tell(Order::Plug(self.machine, ours))?;
        Ok(theirs)
    }

    /// A connection to a port of the machine, once the guest has accepted it.
    pub(crate) async fn dial(&self, port: u16) -> io::Result<UnixStream> {
        self.lab.dial(self.machine, port).await
    }
}

/// What a lab is told.
enum Order {
    Plug(u8, Wire),
    Dial {
        machine: u8,
        port: u16,
        limit: Duration,
        dialler: Dialler,
    },
    /// And who hears once it has healed.
    Be(Network, oneshot::Sender<()>),
    AddressOf(String, oneshot::Sender<Option<Ipv4Addr>>),
    Names(oneshot::Sender<BTreeMap<String, Ipv4Addr>>),
    Crossed(oneshot::Sender<BTreeSet<String>>),
    Capture(Capture),
}

impl Lab {
    /// A network with places for so many machines, on the cloud of `instance` if on any.
    pub(crate) fn open(machines: u8, origin: Origin, instance: Option<Arc<Instance>>) -> io::Result<Self> {
        let (orders, receiver) = mpsc::unbounded_channel();
        let (clock, egress) = (Arc::new(Clock::from(origin.clock)), Arc::new(Egress::new()));
        let seed = u64::try_from(nonce()? >> 64).unwrap_or_default();
        let names = Names::new(seed, origin.names, instance.clone());
        let gateway = Gateway::new(seed, names, Arc::clone(&clock), Arc::clone(&egress), instance);
        tokio::spawn(Switch::new(machines, receiver, seed, gateway));
        Ok(Self { orders, clock, egress, machines })
    }

    /// A connection to a port of a machine, once the guest has accepted it.
    async fn dial(&self, machine: u8, port: u16) -> io::Result<UnixStream> {
        self.ask(|dialler| Order::Dial { machine, port, limit: DIAL, dialler }).await?
    }

    /// What went from machine to machine since the last time, by service.
    pub(crate) async fn crossed(&self) -> io::Result<BTreeSet<String>> {
        self.ask(Order::Crossed).await
    }

    /// What machines wanted of the world so far.
    pub(crate) fn egress(&self) -> EgressRecord {
        self.egress.so_far()
    }

    /// The address that only this network has for [`LAB_NAME`].
    pub(crate) async fn address_of_its_name(&self) -> io::Result<Ipv4Addr> {
        self.ask(|answer| Order::AddressOf(LAB_NAME.to_owned(), answer)).await?.ok_or_else(gone)
    }

    /// What a machine remembers of it that goes on from here in another.
    pub(crate) async fn origin(&self) -> io::Result<Origin> {
        let names = self.ask(Order::Names).await?;
        Ok(Origin { clock: self.clock.now(), names })
    }

    /// The time that it tells.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// From now on it is like this, in place of all that it was told before, and well again once that heals: then the
    /// receiver hears of it, and never where it heals by itself no more. Cables are QEMU's.
    pub(crate) fn be(&self, network: Network) -> io::Result<oneshot::Receiver<()>> {
        let (healed, hears) = oneshot::channel();
        self.tell(Order::Be(network, healed))?;
        Ok(hears)
    }

    /// From now on each frame that comes from a machine or goes to one is seen by this as well.
    pub(crate) fn capture(&self, capture: Capture) -> io::Result<()> {
        self.tell(Order::Capture(capture))
    }

    async fn ask<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> io::Result<T> {
        let (sender, answer) = oneshot::channel();
        self.tell(order(sender))?;
        answer.await.map_err(|_| gone())
    }

    fn tell(&self, order: Order) -> io::Result<()> {
        self.orders.send(order).map_err(|_| gone())
    }
}

fn gone() -> io::Error {
    io::Error::other("the lab's network has ended")
}
