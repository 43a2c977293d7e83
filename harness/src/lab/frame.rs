//! Frames that the lab writes itself: datagrams, refusals, and who is behind an address. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4};

use smoltcp::{
    phy::ChecksumCapabilities,
    wire::{
        ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr,
        Icmpv4DstUnreachable, Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr, IpProtocol, Ipv4Packet, Ipv4Repr,
        Ipv6Packet, Ipv6Repr, UdpPacket, UdpRepr,
    },
};

const ETHERNET: usize = 14;
const IPV4: usize = 20;
const IPV6: usize = 40;
const UDP: usize = 8;
const ARP: usize = 28;
/// How many routers a packet of ours may pass; there are none.
pub(super) const HOPS: u8 = 64;
/// How much of a packet an ICMP message brings back, in bytes (RFC 792).
const QUOTED: usize = 8;

/// The two cards that a frame goes between.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cards {
    pub(super) from: EthernetAddress,
    pub(super) to: EthernetAddress,
}

/// A datagram.
pub(super) fn datagram(cards: Cards, from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) -> Vec<u8> {
    let length = UDP + payload.len();
    let (mut frame, at) = packet(cards, *from.ip(), *to.ip(), IpProtocol::Udp, length);
    let udp = UdpRepr { src_port: from.port(), dst_port: to.port() };
    udp.emit(
        &mut UdpPacket::new_unchecked(&mut frame[at..]),
        &IpAddr::V4(*from.ip()).into(),
        &IpAddr::V4(*to.ip()).into(),
        payload.len(),
        |buffer| buffer.copy_from_slice(payload),
        &ChecksumCapabilities::default(),
    );
    frame
}

/// The word of `from` that the packet `refused` may go no further.
pub(super) fn unreachable(cards: Cards, from: Ipv4Addr, refused: &Ipv4Packet<&[u8]>) -> Option<Vec<u8>> {
    let header = Ipv4Repr::parse(refused, &ChecksumCapabilities::default()).ok()?;
    let data = refused.payload();
    let message = Icmpv4Repr::DstUnreachable {
        reason: Icmpv4DstUnreachable::CommProhibited,
        header,
        data: &data[..data.len().min(QUOTED)],
    };
    let (mut frame, at) = packet(cards, from, header.src_addr, IpProtocol::Icmp, message.buffer_len());
    message.emit(&mut Icmpv4Packet::new_unchecked(&mut frame[at..]), &ChecksumCapabilities::default());
    Some(frame)
}

/// The word of the card `from` that `address` is behind it.
pub(super) fn behind(cards: Cards, address: Ipv4Addr, to: Ipv4Addr) -> Vec<u8> {
    let mut frame = frame(cards, EthernetProtocol::Arp, ARP);
    let word = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Reply,
        source_hardware_addr: cards.from,
        source_protocol_addr: address,
        target_hardware_addr: cards.to,
        target_protocol_addr: to,
    };
    word.emit(&mut ArpPacket::new_unchecked(&mut frame[ETHERNET..]));
    frame
}

/// A control message of IPv6, which `hop_limit` routers at most let through.
pub(super) fn icmpv6(cards: Cards, from: Ipv6Addr, to: Ipv6Addr, hop_limit: u8, message: &Icmpv6Repr<'_>) -> Vec<u8> {
    let length = message.buffer_len();
    let mut frame = frame(cards, EthernetProtocol::Ipv6, IPV6 + length);
    let (src_addr, dst_addr, next_header) = (from, to, IpProtocol::Icmpv6);
    let head = Ipv6Repr { src_addr, dst_addr, next_header, payload_len: length, hop_limit };
    let mut packet = Ipv6Packet::new_unchecked(&mut frame[ETHERNET..]);
    head.emit(&mut packet);
    let mut body = Icmpv6Packet::new_unchecked(packet.payload_mut());
    message.emit(&from, &to, &mut body, &ChecksumCapabilities::default());
    frame
}

fn frame(cards: Cards, ethertype: EthernetProtocol, length: usize) -> Vec<u8> {
    let mut frame = vec![0; ETHERNET + length];
    let head = EthernetRepr { src_addr: cards.from, dst_addr: cards.to, ethertype };
    head.emit(&mut EthernetFrame::new_unchecked(&mut frame));
    frame
}

/// A frame with its IPv4 header, and where its payload of `length` bytes begins.
fn packet(cards: Cards, from: Ipv4Addr, to: Ipv4Addr, next_header: IpProtocol, length: usize) -> (Vec<u8>, usize) {
    let mut frame = frame(cards, EthernetProtocol::Ipv4, IPV4 + length);
    let head = Ipv4Repr { src_addr: from, dst_addr: to, next_header, payload_len: length, hop_limit: HOPS };
    head.emit(&mut Ipv4Packet::new_unchecked(&mut frame[ETHERNET..]), &ChecksumCapabilities::default());
    (frame, ETHERNET + IPV4)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddrV4};

    use smoltcp::wire::{EthernetAddress, EthernetFrame, Icmpv4Packet, Ipv4Packet, UdpPacket};

    use super::{Cards, datagram, unreachable};

    const CARDS: Cards = Cards { from: EthernetAddress([2; 6]), to: EthernetAddress([4; 6]) };

    #[test]
    fn a_datagram_bears_its_checksums() {
        let (from, to) = (SocketAddrV4::new([10, 0, 2, 3].into(), 53), SocketAddrV4::new([10, 0, 2, 15].into(), 9));
        let bytes = datagram(CARDS, from, to, b"odd");
        let frame = EthernetFrame::new_checked(bytes.as_slice()).unwrap();
        assert_eq!((frame.src_addr(), frame.dst_addr()), (CARDS.from, CARDS.to));
        let packet = Ipv4Packet::new_checked(frame.payload()).unwrap();
        assert!(packet.verify_checksum());
        let udp = UdpPacket::new_checked(packet.payload()).unwrap();
        assert!(udp.verify_checksum(&(*from.ip()).into(), &(*to.ip()).into()));
        assert_eq!((udp.src_port(), udp.dst_port(), udp.payload()), (53, 9, b"odd".as_slice()));
    }

    #[test]
    fn a_refusal_quotes_what_it_refuses() {
        let (from, to) =
            (SocketAddrV4::new([10, 0, 2, 15].into(), 40_000), SocketAddrV4::new([1, 1, 1, 1].into(), 443));
        let refused = datagram(CARDS, from, to, b"beacon");
        let refused = Ipv4Packet::new_checked(&refused[14..]).unwrap();
        let bytes = unreachable(CARDS, Ipv4Addr::new(10, 0, 2, 2), &refused).unwrap();
        let packet = Ipv4Packet::new_checked(&bytes[14..]).unwrap();
        assert_eq!(packet.dst_addr(), *from.ip());
        let word = Icmpv4Packet::new_checked(packet.payload()).unwrap();
        assert!(word.verify_checksum());
        assert_eq!((u8::from(word.msg_type()), word.msg_code()), (3, 13));
        assert_eq!(word.data()[20..22], 40_000_u16.to_be_bytes(), "the port tells the guest which socket it was");
    }
}
