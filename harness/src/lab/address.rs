//! The numbering of the lab's network. It is that of QEMU's own user network, so that an image that was tried with one
//! finds nothing new in the other.

use std::net::Ipv4Addr;

use smoltcp::wire::EthernetAddress;

/// The gateway: the default route, time, and whatever else the lab serves.
pub(super) const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
/// The name server.
pub(super) const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 3);
/// Both are behind this card.
pub(super) const GATEWAY_MAC: EthernetAddress = EthernetAddress([0x52, 0x55, 0x0a, 0x00, 0x02, 0x02]);
/// Bits of the network's part of an address.
pub(super) const PREFIX: u8 = 24;
/// The network's mask.
pub(super) const MASK: Ipv4Addr = Ipv4Addr::new(255, 255, 255, 0);

/// The first machine's number; the others follow.
const FIRST: u8 = 15;

/// The address that a machine is given, the first one being 0.
pub(crate) fn of_machine(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 2, FIRST.saturating_add(number))
}

/// The card of a machine; the first one has what QEMU gives by itself.
pub(crate) fn card_of(number: u8) -> [u8; 6] {
    [0x52, 0x54, 0x00, 0x12, 0x34, 0x56_u8.saturating_add(number)]
}

/// Whether an address is on the machines' own network, or is heard there by several: it leads nowhere else.
pub(super) fn stays(address: Ipv4Addr) -> bool {
    address.octets()[..3] == GATEWAY.octets()[..3]
        || address.is_broadcast()
        || address.is_multicast()
        || address.is_unspecified()
}
