//! What a frame is answered with: addresses, names, time, and that the way leads no further. Apart from the wires, so
//! that each answer can be had from a frame alone.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddrV4},
    sync::Arc,
    task::{Context, Poll},
};

use kverify_checks::step::{MetadataService, Network};
use smoltcp::{
    time::Instant,
    wire::{
        EthernetAddress, EthernetFrame, EthernetProtocol, IpProtocol, Ipv4Packet, Ipv6Packet, TcpPacket, UdpPacket,
    },
};
use tokio::sync::mpsc;

use crate::cloud::Instance;

use super::{
    address::{GATEWAY, GATEWAY_MAC, NAME_SERVER, card_of, of_machine, stays, stays_6},
    clock::Clock,
    dhcp,
    dns::{
        self, Carriage, Names,
        connection::{self, Asked},
    },
    egress::Egress,
    frame::{self, Cards},
    http, ntp,
    router::{self, Adverts},
    stack::{Dialler, Stack},
};

/// How many questions of connections wait at most for their turn.
const ASKED: usize = 64;

/// The gateway of one network.
pub(super) struct Gateway {
    pub(super) network: Network,
    names: Names,
    clock: Arc<Clock>,
    egress: Arc<Egress>,
    stack: Stack,
    adverts: Adverts,
    /// The last of them that was not sent yet.
    advert: Option<Vec<u8>>,
    /// What is asked over connections, and where those that serve them ask it.
    asked: mpsc::Receiver<Asked>,
    desk: mpsc::Sender<Asked>,
    /// What the machine is to its cloud, where it is on one.
    cloud: Option<Arc<Instance>>,
}

impl Gateway {
    pub(super) fn new(
        seed: u64,
        names: Names,
        clock: Arc<Clock>,
        egress: Arc<Egress>,
        cloud: Option<Arc<Instance>>,
    ) -> Self {
        let (network, (desk, asked)) = (Network::default(), mpsc::channel(ASKED));
        let (stack, adverts) = (Stack::new(seed), Adverts::default());
        Self { network, names, clock, egress, stack, adverts, advert: None, asked, desk, cloud }
    }

    /// The address of a name, where the lab serves it.
    pub(super) fn address_of(&mut self, name: &str) -> Option<Ipv4Addr> {
        self.names.address(name)
    }

    /// The addresses that were given for names, but for the one that no other network may know.
    pub(super) fn names(&self) -> BTreeMap<String, Ipv4Addr> {
        self.names.given()
    }

    /// Opens a connection to a machine.
    pub(super) fn dial(&mut self, machine: u8, port: u16, dialler: Dialler, times: (Instant, Instant)) {
        self.stack.dial((of_machine(machine), EthernetAddress(card_of(machine))), port, dialler, times);
    }

    /// Moves what connections carry, and says whether there was something.
    pub(super) fn poll(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        let mut moved = self.stack.poll(now, cx);
        for (to, stream) in self.stack.accepted() {
            if is_name_server(to) {
                tokio::spawn(connection::serve(self.desk.clone(), stream));
            } else if let Some(cloud) = &self.cloud {
                tokio::spawn(http::serve(Arc::clone(cloud), self.network.metadata, *to.ip(), stream));
            }
        }
        while let Poll::Ready(Some(Asked { question, answer })) = self.asked.poll_recv(cx) {
            // A guest that has gone needs no answer.
            let _ = answer.send(self.named(&question, Carriage::Connection));
            moved = true;
        }
        if let Some(advert) = self.adverts.due(self.network.router, now) {
            self.advert = Some(advert);
            moved = true;
        }
        moved
    }

    /// How many connections there are.
    #[cfg(any(test, fuzzing))]
    pub(super) fn connections(&self) -> usize {
        self.stack.connections()
    }

    /// How many frames wait at most, to be read or to be sent.
    #[cfg(any(test, fuzzing))]
    pub(super) fn queued(&self) -> usize {
        self.stack.queued()
    }

    /// When to come again at the latest.
    pub(super) fn poll_at(&mut self, now: Instant) -> Option<Instant> {
        self.stack.poll_at(now).into_iter().chain(self.adverts.next()).min()
    }

    /// The next frame that it says of its own accord, or of a connection.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        self.advert.take().or_else(|| self.stack.next())
    }

    /// The answer to a frame from a machine; what belongs to a connection is answered by [`Gateway::next`].
    pub(super) fn answer(&mut self, machine: u8, bytes: &[u8]) -> Option<Vec<u8>> {
        let frame = EthernetFrame::new_checked(bytes).ok()?;
        let guest = Cards { from: GATEWAY_MAC, to: frame.src_addr() };
        match frame.ethertype() {
            EthernetProtocol::Arp => self.stack.take(bytes),
            EthernetProtocol::Ipv4 => {
                let packet = Ipv4Packet::new_checked(frame.payload()).ok()?;
                if packet.verify_checksum() {
                    return self.ipv4(machine, guest, bytes, &packet);
                }
            }
            EthernetProtocol::Ipv6 => {
                let packet = Ipv6Packet::new_checked(frame.payload()).ok()?;
                return self.ipv6(guest, frame.dst_addr().is_unicast(), &packet);
            }
            EthernetProtocol::Unknown(_) => {}
        }
        None
    }

    fn ipv4(&mut self, machine: u8, guest: Cards, bytes: &[u8], packet: &Ipv4Packet<&[u8]>) -> Option<Vec<u8>> {
        let to = packet.dst_addr();
        let first = packet.frag_offset() == 0;
        let datagram = if first && packet.next_header() == IpProtocol::Udp { udp(packet) } else { None };
        if let Some(datagram) = &datagram
            && datagram.to.port() == dhcp::SERVER_PORT
            && (to == GATEWAY || to.is_broadcast())
        {
            return self.lease(machine, datagram.payload);
        }
        if first
            && packet.next_header() == IpProtocol::Tcp
            && let Ok(segment) = TcpPacket::new_checked(packet.payload())
            && let service = SocketAddrV4::new(to, segment.dst_port())
            && self.serves(service)
        {
            if self.network.metadata == MetadataService::Silent && !is_name_server(service) {
                return None;
            }
            if segment.syn() && !segment.ack() {
                self.stack.expect(SocketAddrV4::new(packet.src_addr(), segment.src_port()), service);
            }
            self.stack.take(bytes);
            return None;
        }
        if to == GATEWAY || to == NAME_SERVER {
            return match &datagram {
                Some(datagram) if datagram.to.port() == dns::PORT => self.name(guest, datagram),
                Some(datagram) if datagram.to.port() == ntp::PORT => self.time(guest, datagram),
                _ => {
                    self.stack.take(bytes);
                    None
                }
            };
        }
        if stays(to) {
            return None;
        }
        let (protocol, port) = service(packet.next_header(), first.then(|| packet.payload()));
        let name = self.names.name_of(to);
        self.egress.tried(&protocol, IpAddr::V4(to), port, name);
        match datagram {
            Some(datagram) if datagram.to.port() == ntp::PORT && name.is_some() => self.time(guest, &datagram),
            _ => frame::unreachable(guest, GATEWAY, packet),
        }
    }

    /// What leaves the link is noted, whether there is a router for it or not. `unicast`: the frame came for us alone.
    fn ipv6(&mut self, guest: Cards, unicast: bool, packet: &Ipv6Packet<&[u8]>) -> Option<Vec<u8>> {
        let (to, router) = (packet.dst_addr(), self.network.router);
        if stays_6(to, router) {
            return if router { router::answer(guest, packet) } else { None };
        }
        let (protocol, port) = service(packet.next_header(), Some(packet.payload()));
        self.egress.tried(&protocol, IpAddr::V6(to), port, None);
        if router && unicast { router::unreachable(guest, packet) } else { None }
    }

    fn lease(&mut self, machine: u8, question: &[u8]) -> Option<Vec<u8>> {
        let answer = self.network.dhcp.then(|| dhcp::answer(question, of_machine(machine)))??;
        let cards = Cards { from: GATEWAY_MAC, to: answer.card };
        let from = SocketAddrV4::new(GATEWAY, dhcp::SERVER_PORT);
        let to = SocketAddrV4::new(answer.address, dhcp::CLIENT_PORT);
        Some(frame::datagram(cards, from, to, &answer.message))
    }

    fn name(&mut self, guest: Cards, asked: &Datagram<'_>) -> Option<Vec<u8>> {
        let message = self.named(asked.payload, Carriage::Datagram)?;
        (!message.is_empty()).then(|| frame::datagram(guest, asked.to, asked.from, &message))
    }

    /// The answer of the name server, and a note of what it was asked; nothing to what is no question, no message where
    /// it is silent.
    fn named(&mut self, question: &[u8], carriage: Carriage) -> Option<Vec<u8>> {
        let answer = self.names.answer(question, self.network.names, carriage)?;
        self.egress.asked(&answer.name, &answer.kind);
        Some(answer.message)
    }

    /// Whether guests may open connections to this.
    fn serves(&self, service: SocketAddrV4) -> bool {
        let cloud = self.cloud.as_ref();
        is_name_server(service) || cloud.is_some_and(|cloud| cloud.serves(*service.ip(), service.port()))
    }

    fn time(&self, guest: Cards, asked: &Datagram<'_>) -> Option<Vec<u8>> {
        let answer = self.network.time.then(|| ntp::answer(asked.payload, self.clock.now()))??;
        Some(frame::datagram(guest, asked.to, asked.from, &answer))
    }
}

/// Whether names are asked there: where datagrams with questions are answered.
fn is_name_server(service: SocketAddrV4) -> bool {
    (*service.ip() == NAME_SERVER || *service.ip() == GATEWAY) && service.port() == dns::PORT
}

/// A datagram that arrived whole.
struct Datagram<'a> {
    from: SocketAddrV4,
    to: SocketAddrV4,
    payload: &'a [u8],
}

fn udp<'a>(packet: &Ipv4Packet<&'a [u8]>) -> Option<Datagram<'a>> {
    let (from, to) = (packet.src_addr(), packet.dst_addr());
    let udp = UdpPacket::new_checked(packet.payload()).ok()?;
    if packet.more_frags() || !udp.verify_checksum(&from.into(), &to.into()) {
        return None;
    }
    let (from, to) = (SocketAddrV4::new(from, udp.src_port()), SocketAddrV4::new(to, udp.dst_port()));
    Some(Datagram { from, to, payload: udp.payload() })
}

/// The ports that a packet goes from and to, where its protocol has them.
pub(super) fn ports(protocol: IpProtocol, payload: &[u8]) -> Option<(u16, u16)> {
    match (protocol, payload) {
        // The first of several fragments has them too.
        (IpProtocol::Tcp | IpProtocol::Udp, &[a, b, c, d, ..]) => {
            Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
        }
        _ => None,
    }
}

/// A protocol in words, and its port.
pub(super) fn service(protocol: IpProtocol, payload: Option<&[u8]>) -> (String, Option<u16>) {
    let port = payload.and_then(|payload| ports(protocol, payload)).map(|(_, to)| to);
    match protocol {
        IpProtocol::Tcp => ("tcp".to_owned(), port),
        IpProtocol::Udp => ("udp".to_owned(), port),
        IpProtocol::Icmp | IpProtocol::Icmpv6 => ("icmp".to_owned(), None),
        other => (u8::from(other).to_string(), None),
    }
}
