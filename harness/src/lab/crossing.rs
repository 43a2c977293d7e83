//! What machines send to one another, by service: a conversation is noted once, by the port that it was opened to.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, Icmpv4Message, Icmpv6Message, Icmpv6Packet, IpProtocol, Ipv4Packet, Ipv6Packet,
};

use super::gateway::{ports, service};

/// How many conversations are told apart; further ones are noted as what they are, answers too.
const MOST: usize = 4096;

/// What has crossed so far.
#[derive(Default)]
pub(super) struct Crossings {
    conversations: BTreeSet<(u8, SocketAddr, SocketAddr)>,
    services: BTreeSet<String>,
}

impl Crossings {
    /// Notes a frame that one machine sent to another; what cards say to find each other does not count.
    pub(super) fn note(&mut self, frame: &EthernetFrame<&[u8]>) {
        match frame.ethertype() {
            EthernetProtocol::Ipv4 => {
                let Ok(packet) = Ipv4Packet::new_checked(frame.payload()) else { return };
                let (protocol, payload) = (packet.next_header(), packet.payload());
                let is_error = protocol == IpProtocol::Icmp
                    && payload.first().is_some_and(|kind| ICMP_ERRORS.contains(&Icmpv4Message::from(*kind)));
                if packet.frag_offset() == 0 && !is_error {
                    self.packet(protocol, (packet.src_addr().into(), packet.dst_addr().into()), payload);
                }
            }
            EthernetProtocol::Ipv6 => {
                let Ok(packet) = Ipv6Packet::new_checked(frame.payload()) else { return };
                if packet.next_header() == IpProtocol::Icmpv6 && serves_others(packet.payload()) {
                    return;
                }
                let ends = (packet.src_addr().into(), packet.dst_addr().into());
                self.packet(packet.next_header(), ends, packet.payload());
            }
            EthernetProtocol::Arp => {}
            EthernetProtocol::Unknown(other) => {
                self.services.insert(format!("ethertype {other:#06x}"));
            }
        }
    }

    fn packet(&mut self, protocol: IpProtocol, (from, to): (IpAddr, IpAddr), payload: &[u8]) {
        if let Some((source, destination)) = ports(protocol, payload) {
            let ends = (SocketAddr::new(from, source), SocketAddr::new(to, destination));
            let number = u8::from(protocol);
            // Where both ports are the same, either side may have opened it.
            if source != destination && self.conversations.contains(&(number, ends.1, ends.0)) {
                return;
            }
            if self.conversations.len() < MOST {
                self.conversations.insert((number, ends.0, ends.1));
            }
        }
        if self.services.len() < MOST {
            let (name, port) = service(protocol, Some(payload));
            self.services.insert(port.map_or(name.clone(), |port| format!("{name}/{port}")));
        }
    }

    /// What has crossed since the last time, by service.
    pub(super) fn take(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.services)
    }
}

/// Messages that quote what was sent (RFC 792).
const ICMP_ERRORS: [Icmpv4Message; 4] =
    [Icmpv4Message::DstUnreachable, Icmpv4Message::Redirect, Icmpv4Message::TimeExceeded, Icmpv4Message::ParamProblem];

/// Whether a message is of neighbour discovery (RFC 4861), or an error that quotes what was sent (RFC 4443).
fn serves_others(message: &[u8]) -> bool {
    let Ok(message) = Icmpv6Packet::new_checked(message) else { return false };
    matches!(
        message.msg_type(),
        Icmpv6Message::DstUnreachable
            | Icmpv6Message::PktTooBig
            | Icmpv6Message::TimeExceeded
            | Icmpv6Message::ParamProblem
            | Icmpv6Message::RouterSolicit
            | Icmpv6Message::RouterAdvert
            | Icmpv6Message::NeighborSolicit
            | Icmpv6Message::NeighborAdvert
            | Icmpv6Message::Redirect
    )
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddrV4};

    use smoltcp::wire::{EthernetAddress, EthernetFrame, Ipv4Packet};

    use super::{Crossings, MOST};
    use crate::lab::{
        address::{card_of, of_machine},
        frame::{Cards, behind, datagram, unreachable},
    };

    fn cards() -> Cards {
        Cards { from: EthernetAddress(card_of(0)), to: EthernetAddress(card_of(1)) }
    }

    fn note(crossings: &mut Crossings, frame: &[u8]) {
        crossings.note(&EthernetFrame::new_checked(frame).unwrap());
    }

    fn udp(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16)) -> Vec<u8> {
        datagram(cards(), SocketAddrV4::new(from.0, from.1), SocketAddrV4::new(to.0, to.1), b"x")
    }

    #[test]
    fn a_conversation_is_known_by_the_port_that_it_was_opened_to() {
        let (mut crossings, one, other) = (Crossings::default(), of_machine(0), of_machine(1));
        note(&mut crossings, &udp((one, 40_000), (other, 53)));
        note(&mut crossings, &udp((other, 53), (one, 40_000)));
        note(&mut crossings, &udp((one, 51_820), (other, 51_820)));
        note(&mut crossings, &behind(cards(), one, other));
        assert_eq!(crossings.take().into_iter().collect::<Vec<_>>(), ["udp/51820", "udp/53"]);
        assert!(crossings.take().is_empty());
        // An error is of what it quotes.
        let frame = udp((one, 40_000), (other, 9));
        let refused = EthernetFrame::new_checked(frame.as_slice()).unwrap();
        let refused = Ipv4Packet::new_checked(refused.payload()).unwrap();
        note(&mut crossings, &unreachable(cards(), other, &refused).unwrap());
        assert!(crossings.take().is_empty());
        // What goes on is seen again, and its answers are still answers.
        note(&mut crossings, &udp((other, 51_820), (one, 51_820)));
        assert_eq!(crossings.take().into_iter().collect::<Vec<_>>(), ["udp/51820"]);
        note(&mut crossings, &udp((other, 53), (one, 40_000)));
        assert!(crossings.take().is_empty());
        note(&mut crossings, &udp((one, 40_000), (other, 53)));
        assert_eq!(crossings.take().into_iter().collect::<Vec<_>>(), ["udp/53"]);
    }

    #[test]
    fn a_flood_is_bounded() {
        let (mut crossings, one, other) = (Crossings::default(), of_machine(0), of_machine(1));
        for port in 1..=20_000 {
            note(&mut crossings, &udp((one, 40_000), (other, port)));
        }
        assert_eq!((crossings.conversations.len(), crossings.services.len()), (MOST, MOST));
    }
}
