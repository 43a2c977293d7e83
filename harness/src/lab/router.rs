//! What an IPv6 router says: that it is there and what addresses are made of (RFC 4861, RFC 4862), and that the way leads
//! no further (RFC 4443). Pure. It speaks for its own address alone, so that guests find whether another is taken.

use std::net::Ipv6Addr;

use smoltcp::{
    phy::ChecksumCapabilities,
    time::{Duration, Instant},
    wire::{
        EthernetAddress, Icmpv6DstUnreachable, Icmpv6Message, Icmpv6Packet, Icmpv6Repr, IpProtocol, Ipv6Packet,
        Ipv6Repr, NdiscNeighborFlags, NdiscPrefixInfoFlags, NdiscPrefixInformation, NdiscRepr, NdiscRouterFlags,
    },
};

use super::{
    address::{GATEWAY_MAC, GATEWAY_ON_LINK, PREFIX_6, PREFIX_6_BITS},
    frame::{Cards, HOPS, icmpv6},
};

/// All nodes on the link, all routers, and whoever may have our address.
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
const SOLICITED: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 0x0202);
/// The card of all nodes (RFC 2464).
const ALL_NODES_MAC: EthernetAddress = EthernetAddress([0x33, 0x33, 0, 0, 0, 1]);
/// That of a message which no router has passed on; others are not about this link.
const UNROUTED: u8 = 255;

/// How long it is a default route, how often it says so (`AdvDefaultLifetime` and `MaxRtrAdvInterval` of RFC 4861, 6.2.1).
const LIFETIME: Duration = Duration::from_secs(1800);
const INTERVAL: Duration = Duration::from_secs(600);
/// How long an address with its prefix is good, and how long new connections are made from it.
const VALID: Duration = Duration::from_secs(86_400);
const PREFERRED: Duration = Duration::from_secs(14_400);

/// What it says unasked: as soon as it is there, again before that has run out, and once when it is there no more.
#[derive(Default)]
pub(super) struct Adverts {
    /// When it says it next; nothing where there is no router.
    next: Option<Instant>,
}

impl Adverts {
    /// What is to be said by now.
    pub(super) fn due(&mut self, router: bool, now: Instant) -> Option<Vec<u8>> {
        match (router, self.next) {
            (true, Some(next)) if now < next => None,
            (true, _) => {
                self.next = Some(now + INTERVAL);
                Some(advert(LIFETIME, PREFERRED))
            }
            (false, Some(_)) => {
                self.next = None;
                Some(advert(Duration::ZERO, Duration::ZERO))
            }
            (false, None) => None,
        }
    }

    /// When to ask again at the latest.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }
}

/// The answer to what is asked of the router itself.
pub(super) fn answer(guest: Cards, packet: &Ipv6Packet<&[u8]>) -> Option<Vec<u8>> {
    let (from, to) = (packet.src_addr(), packet.dst_addr());
    if packet.next_header() != IpProtocol::Icmpv6 || from.is_multicast() {
        return None;
    }
    let message = Icmpv6Packet::new_checked(packet.payload()).ok()?;
    match Icmpv6Repr::parse(&from, &to, &message, &ChecksumCapabilities::default()).ok()? {
        Icmpv6Repr::Ndisc(question) if packet.hop_limit() == UNROUTED => neighbour(guest, from, to, question),
        Icmpv6Repr::EchoRequest { ident, seq_no, data } if to == GATEWAY_ON_LINK && !from.is_unspecified() => {
            let reply = Icmpv6Repr::EchoReply { ident, seq_no, data };
            Some(icmpv6(guest, GATEWAY_ON_LINK, from, HOPS, &reply))
        }
        _ => None,
    }
}

/// The answer to one who looks for a router, or for the card behind its address.
fn neighbour(guest: Cards, from: Ipv6Addr, to: Ipv6Addr, question: NdiscRepr<'_>) -> Option<Vec<u8>> {
    // Who has no address yet cannot be behind a card.
    let nobody = from.is_unspecified();
    match question {
        NdiscRepr::RouterSolicit { lladdr } if [ALL_ROUTERS, GATEWAY_ON_LINK].contains(&to) => {
            (!nobody || lladdr.is_none()).then(|| advert(LIFETIME, PREFERRED))
        }
        NdiscRepr::NeighborSolicit { target_addr: GATEWAY_ON_LINK, lladdr }
            if [SOLICITED, GATEWAY_ON_LINK].contains(&to) =>
        {
            if !nobody {
                return Some(icmpv6(guest, GATEWAY_ON_LINK, from, UNROUTED, &here(NdiscNeighborFlags::SOLICITED)));
            }
            // It would like to have our address: all have to hear that it is taken.
            let all = Cards { to: ALL_NODES_MAC, ..guest };
            let taken = lladdr.is_none() && to == SOLICITED;
            taken.then(|| icmpv6(all, GATEWAY_ON_LINK, ALL_NODES, UNROUTED, &here(NdiscNeighborFlags::empty())))
        }
        _ => None,
    }
}

/// That its address is behind its card.
fn here(more: NdiscNeighborFlags) -> Icmpv6Repr<'static> {
    Icmpv6Repr::Ndisc(NdiscRepr::NeighborAdvert {
        flags: NdiscNeighborFlags::ROUTER | NdiscNeighborFlags::OVERRIDE | more,
        target_addr: GATEWAY_ON_LINK,
        lladdr: Some(GATEWAY_MAC.into()),
    })
}

/// That it is there for so long; that guests make themselves addresses of its prefix, preferred for so long; and that
/// nothing is to be had by DHCP.
fn advert(lifetime: Duration, preferred: Duration) -> Vec<u8> {
    let prefix = NdiscPrefixInformation {
        prefix_len: PREFIX_6_BITS,
        flags: NdiscPrefixInfoFlags::ON_LINK | NdiscPrefixInfoFlags::ADDRCONF,
        valid_lifetime: VALID,
        preferred_lifetime: preferred,
        prefix: PREFIX_6,
    };
    let advert = NdiscRepr::RouterAdvert {
        hop_limit: HOPS,
        flags: NdiscRouterFlags::empty(),
        router_lifetime: lifetime,
        reachable_time: Duration::ZERO,
        retrans_time: Duration::ZERO,
        lladdr: Some(GATEWAY_MAC.into()),
        mtu: None,
        prefix_info: Some(prefix),
    };
    let cards = Cards { from: GATEWAY_MAC, to: ALL_NODES_MAC };
    icmpv6(cards, GATEWAY_ON_LINK, ALL_NODES, UNROUTED, &Icmpv6Repr::Ndisc(advert))
}

/// The word that there is no way for `refused`; none to what must not be answered by errors (RFC 4443, 2.4 e).
pub(super) fn unreachable(guest: Cards, refused: &Ipv6Packet<&[u8]>) -> Option<Vec<u8>> {
    let (from, data) = (refused.src_addr(), refused.payload());
    if from.is_unspecified() || from.is_multicast() {
        return None;
    }
    if refused.next_header() == IpProtocol::Icmpv6 {
        let message = Icmpv6Packet::new_checked(data).ok()?;
        if message.msg_type().is_error() || message.msg_type() == Icmpv6Message::Redirect {
            return None;
        }
    }
    let header = Ipv6Repr::parse(refused).ok()?;
    let word = Icmpv6Repr::DstUnreachable { reason: Icmpv6DstUnreachable::NoRoute, header, data };
    Some(icmpv6(guest, GATEWAY_ON_LINK, from, HOPS, &word))
}
