//! The numbering of the lab's network. It is that of QEMU's own user network, so that an image that was tried with one
//! finds nothing new in the other.

use std::net::{Ipv4Addr, Ipv6Addr};

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

/// The gateway on the link in IPv6, made of its card (RFC 4291, appendix A).
pub(super) const GATEWAY_ON_LINK: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x5055, 0x0aff, 0xfe00, 0x0202);
/// The network's own in IPv6, where it has a router: a unique local one, its 40 bits once drawn by lot (RFC 4193). QEMU's
/// user network takes site-local addresses, which are no more (RFC 3879).
pub(super) const PREFIX_6: Ipv6Addr = Ipv6Addr::new(0xfd5a, 0x3f20, 0x7364, 0, 0, 0, 0, 0);
/// Bits of it.
pub(super) const PREFIX_6_BITS: u8 = 64;

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

/// The same in IPv6; `router` says whether there is one, and with it a network's own.
pub(super) fn stays_6(address: Ipv6Addr, router: bool) -> bool {
    address.is_multicast()
        || address.is_unicast_link_local()
        || address.is_unspecified()
        || (router && address.segments()[..4] == PREFIX_6.segments()[..4])
}

#[cfg(test)]
mod tests {
    use super::{GATEWAY_MAC, GATEWAY_ON_LINK};

    #[test]
    fn the_gateway_on_the_link_is_made_of_its_card() {
        let mut made = [&GATEWAY_MAC.0[..3], &[0xff, 0xfe], &GATEWAY_MAC.0[3..]].concat();
        made[0] ^= 2;
        assert_eq!(GATEWAY_ON_LINK.octets()[8..], made);
    }
}
