//! A network with an IPv6 router, and one without.

use std::{net::Ipv6Addr, time::Duration};

use kverify_checks::step::Network;
use smoltcp::{
    phy::ChecksumCapabilities,
    time::Duration as Lifetime,
    wire::{
        EthernetAddress, EthernetFrame, Icmpv6Message, Icmpv6Packet, Icmpv6Repr, IpProtocol, Ipv6Packet,
        NdiscNeighborFlags, NdiscPrefixInfoFlags, NdiscRepr, NdiscRouterFlags, UdpPacket, UdpRepr,
    },
};

use super::{
    super::{
        address::{GATEWAY_MAC, GATEWAY_ON_LINK},
        frame::{Cards, icmpv6},
    },
    Bench, CARDS, GUEST,
};

const NOBODY: Ipv6Addr = Ipv6Addr::UNSPECIFIED;
/// The first machine, on the link and with the prefix.
const ITS: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x5054, 0x00ff, 0xfe12, 0x3456);
const ITS_OWN: Ipv6Addr = Ipv6Addr::new(0xfd5a, 0x3f20, 0x7364, 0, 0x5054, 0x00ff, 0xfe12, 0x3456);
const BEYOND: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);

const ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
const ROUTERS_MAC: EthernetAddress = EthernetAddress([0x33, 0x33, 0, 0, 0, 2]);

/// A network with a router that has said so.
fn bench() -> Bench {
    let mut bench = Bench::new(None);
    bench.gateway.network = Network { router: true, ..Network::default() };
    assert_eq!(bench.speak().len(), 1);
    bench
}

fn solicits_router(from: Ipv6Addr, card: Option<EthernetAddress>) -> Vec<u8> {
    let cards = Cards { to: ROUTERS_MAC, ..CARDS };
    let lladdr = card.map(Into::into);
    icmpv6(cards, from, ROUTERS, 255, &Icmpv6Repr::Ndisc(NdiscRepr::RouterSolicit { lladdr }))
}

/// A question who is behind an address, to those who may be.
fn solicits(from: Ipv6Addr, target_addr: Ipv6Addr, card: Option<EthernetAddress>) -> Vec<u8> {
    let [.., a, b, c] = target_addr.octets();
    let to = Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c]);
    let cards = Cards { to: EthernetAddress([0x33, 0x33, 0xff, a, b, c]), ..CARDS };
    let question = NdiscRepr::NeighborSolicit { target_addr, lladdr: card.map(Into::into) };
    icmpv6(cards, from, to, 255, &Icmpv6Repr::Ndisc(question))
}

fn echo(to: Ipv6Addr, data: &[u8]) -> Vec<u8> {
    icmpv6(CARDS, ITS, to, 64, &Icmpv6Repr::EchoRequest { ident: 7, seq_no: 9, data })
}

/// What guests ask where there is a router, and what they ask by way of it.
pub(super) fn asked() -> [Vec<u8>; 6] {
    let solicits_itself = solicits(NOBODY, ITS, None);
    let solicits_gateway = solicits(ITS, GATEWAY_ON_LINK, Some(GUEST));
    let beacon = datagram(ITS_OWN, BEYOND, b"beacon");
    [
        solicits_router(ITS, Some(GUEST)),
        solicits_itself,
        solicits_gateway,
        echo(GATEWAY_ON_LINK, b"x"),
        echo(BEYOND, b"x"),
        beacon,
    ]
}

/// A datagram to port 443.
fn datagram(from: Ipv6Addr, to: Ipv6Addr, payload: &[u8]) -> Vec<u8> {
    // As an echo of the same length, whose message is written over.
    let mut frame = icmpv6(CARDS, from, to, 64, &Icmpv6Repr::EchoRequest { ident: 0, seq_no: 0, data: payload });
    let mut packet = Ipv6Packet::new_unchecked(&mut frame[14..]);
    packet.set_next_header(IpProtocol::Udp);
    UdpRepr { src_port: 40_000, dst_port: 443 }.emit(
        &mut UdpPacket::new_unchecked(packet.payload_mut()),
        &from.into(),
        &to.into(),
        payload.len(),
        |buffer| buffer.copy_from_slice(payload),
        &ChecksumCapabilities::default(),
    );
    frame
}

/// A message that the router sent: whom it is to, its card and how far it may go; checked against its sums.
fn heard(frame: &[u8]) -> (EthernetAddress, Ipv6Addr, u8, Icmpv6Repr<'_>) {
    let frame = EthernetFrame::new_checked(frame).unwrap();
    let packet = Ipv6Packet::new_checked(frame.payload()).unwrap();
    assert_eq!((frame.src_addr(), packet.src_addr()), (GATEWAY_MAC, GATEWAY_ON_LINK));
    let (card, to, hops) = (frame.dst_addr(), packet.dst_addr(), packet.hop_limit());
    let frame = frame.into_inner();
    let message = Icmpv6Packet::new_checked(&frame[54..]).unwrap();
    let message = Icmpv6Repr::parse(&GATEWAY_ON_LINK, &to, &message, &ChecksumCapabilities::default()).unwrap();
    (card, to, hops, message)
}

/// For how long the router says that it is there, and that addresses are preferred.
fn lifetimes(frame: &[u8]) -> (Lifetime, Lifetime) {
    let (card, to, hops, message) = heard(frame);
    assert_eq!((card.0, to, hops), ([0x33, 0x33, 0, 0, 0, 1], "ff02::1".parse().unwrap(), 255));
    let Icmpv6Repr::Ndisc(NdiscRepr::RouterAdvert { flags, router_lifetime, lladdr, prefix_info, .. }) = message else {
        panic!("{message:?}")
    };
    assert_eq!((flags, lladdr), (NdiscRouterFlags::empty(), Some(GATEWAY_MAC.into())), "nothing by DHCP");
    let prefix = prefix_info.unwrap();
    assert_eq!((prefix.prefix, prefix.prefix_len), ("fd5a:3f20:7364::".parse().unwrap(), 64));
    assert_eq!(prefix.flags, NdiscPrefixInfoFlags::ON_LINK | NdiscPrefixInfoFlags::ADDRCONF);
    assert_eq!(prefix.valid_lifetime, Lifetime::from_secs(86_400));
    (router_lifetime, prefix.preferred_lifetime)
}

#[test]
fn without_a_router_nothing_is_answered_and_what_leaves_the_link_is_noted() {
    let mut bench = Bench::new(None);
    assert!(bench.speak().is_empty());
    for frame in [solicits_router(ITS, Some(GUEST)), solicits(ITS, GATEWAY_ON_LINK, Some(GUEST)), echo(BEYOND, b"x")] {
        assert!(bench.say(&frame).is_empty());
    }
    let tried: Vec<_> = bench.egress.so_far().tried.iter().map(|tried| tried.address).collect();
    assert_eq!(tried, [BEYOND]);
}

#[test]
fn who_looks_for_a_router_hears_of_one_and_of_its_prefix() {
    let mut bench = bench();
    for frame in [solicits_router(ITS, Some(GUEST)), solicits_router(ITS, None), solicits_router(NOBODY, None)] {
        let answers = bench.say(&frame);
        assert_eq!(answers.len(), 1);
        assert_eq!(lifetimes(&answers[0]), (Lifetime::from_secs(1800), Lifetime::from_secs(14_400)));
    }
    assert!(bench.say(&solicits_router(NOBODY, Some(GUEST))).is_empty(), "nobody has no card");
    assert!(bench.egress.so_far().tried.is_empty());
}

#[test]
fn a_router_that_comes_stays_and_goes_says_so_unasked() {
    let mut bench = Bench::new(None);
    let there = (Lifetime::from_secs(1800), Lifetime::from_secs(14_400));
    let mut said = |seconds, router| {
        bench.age = Duration::from_secs(seconds);
        bench.gateway.network.router = router;
        let said = bench.speak();
        said.iter().map(|frame| lifetimes(frame)).collect::<Vec<_>>()
    };
    assert_eq!(said(1, false), []);
    assert_eq!(said(2, true), [there]);
    assert_eq!(said(601, true), []);
    assert_eq!(said(602, true), [there]);
    assert_eq!(said(603, false), [(Lifetime::ZERO, Lifetime::ZERO)]);
    assert_eq!(said(9999, false), []);
    assert_eq!(said(10_000, true), [there]);
}

#[test]
fn it_speaks_for_its_own_address_alone() {
    let mut bench = bench();
    let answers = bench.say(&solicits(ITS, GATEWAY_ON_LINK, Some(GUEST)));
    let (card, to, hops, message) = heard(&answers[0]);
    assert_eq!((card, to, hops), (GUEST, ITS, 255));
    let all = NdiscNeighborFlags::all();
    let advert =
        |flags| NdiscRepr::NeighborAdvert { flags, target_addr: GATEWAY_ON_LINK, lladdr: Some(GATEWAY_MAC.into()) };
    assert_eq!(message, Icmpv6Repr::Ndisc(advert(all)));
    // Whether a guest that was asked before still is: to its address itself.
    let mut unicast = solicits(ITS, GATEWAY_ON_LINK, Some(GUEST));
    unicast[38..54].copy_from_slice(&GATEWAY_ON_LINK.octets());
    Icmpv6Packet::new_unchecked(&mut unicast[54..]).fill_checksum(&ITS, &GATEWAY_ON_LINK);
    assert_eq!(bench.say(&unicast).len(), 1);
    // A guest that would like to have its address, and guests that see whether another one is free.
    let taken = bench.say(&solicits(NOBODY, GATEWAY_ON_LINK, None));
    let (card, to, _, message) = heard(&taken[0]);
    assert_eq!((card.0, to), ([0x33, 0x33, 0, 0, 0, 1], "ff02::1".parse().unwrap()));
    assert_eq!(message, Icmpv6Repr::Ndisc(advert(all - NdiscNeighborFlags::SOLICITED)));
    let other = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xff00, 0x0202);
    for free in [ITS, ITS_OWN, other, BEYOND] {
        assert!(bench.say(&solicits(NOBODY, free, None)).is_empty(), "{free}");
        assert!(bench.say(&solicits(ITS, free, Some(GUEST))).is_empty(), "{free}");
    }
    assert!(bench.say(&solicits(NOBODY, GATEWAY_ON_LINK, Some(GUEST))).is_empty(), "nobody has no card");
    assert!(bench.egress.so_far().tried.is_empty());
}

#[test]
fn it_echoes_for_itself_and_nobody_else() {
    let mut bench = bench();
    let answers = bench.say(&echo(GATEWAY_ON_LINK, b"as it came"));
    let (card, to, _, message) = heard(&answers[0]);
    assert_eq!((card, to), (GUEST, ITS));
    assert_eq!(message, Icmpv6Repr::EchoReply { ident: 7, seq_no: 9, data: b"as it came" });
    for other in [ITS_OWN, "fe80::2".parse().unwrap(), ROUTERS] {
        assert!(bench.say(&echo(other, b"x")).is_empty(), "{other}");
    }
}

#[test]
fn the_world_is_noted_and_there_is_no_way_to_it() {
    let mut bench = bench();
    let long = [5; 1400];
    let asked = echo(BEYOND, &long);
    let answers = bench.say(&asked);
    let (card, to, _, message) = heard(&answers[0]);
    assert_eq!((card, to), (GUEST, ITS));
    let Icmpv6Repr::DstUnreachable { reason, header, data } = message else { panic!("{message:?}") };
    assert_eq!((u8::from(reason), header.src_addr, header.dst_addr), (0, ITS, BEYOND));
    assert_eq!(data, &asked[54..][..data.len()], "what the guest knows it by");
    assert_eq!(answers[0].len(), 14 + 1280, "as much of it as every link takes");
    // What has to be borne in silence.
    let error = Icmpv6Repr::DstUnreachable { reason, header, data: &[1; 8] };
    let mut to_many = asked.clone();
    to_many[..6].copy_from_slice(&ROUTERS_MAC.0);
    let echo = Icmpv6Repr::EchoRequest { ident: 7, seq_no: 9, data: b"x" };
    for silent in [icmpv6(CARDS, ITS, BEYOND, 64, &error), icmpv6(CARDS, NOBODY, BEYOND, 64, &echo), to_many] {
        assert!(bench.say(&silent).is_empty());
    }
    assert_eq!(bench.say(&datagram(ITS_OWN, BEYOND, b"beacon")).len(), 1);
    let record = bench.egress.so_far();
    assert_eq!((record.tried.len(), record.tried[0].times), (2, 4));
    assert_eq!((record.tried[1].protocol.as_str(), record.tried[1].port), ("udp", Some(443)));
    assert_eq!((record.tried[0].protocol.as_str(), record.tried[0].address), ("icmp", BEYOND.into()));
}

#[test]
fn what_is_amiss_is_not_answered() {
    let mut bench = bench();
    let whole = [solicits_router(ITS, Some(GUEST)), solicits(ITS, GATEWAY_ON_LINK, Some(GUEST))];
    for frame in &whole {
        for length in 0..frame.len() {
            assert!(bench.say(&frame[..length]).is_empty(), "{length} bytes of it");
            // The same with a length that agrees.
            let mut cut = frame[..length].to_vec();
            if let Some(payload) = length.checked_sub(54) {
                cut[18..20].copy_from_slice(&u16::try_from(payload).unwrap().to_be_bytes());
                bench.say(&cut);
            }
        }
        let mut amiss = |what, change: &dyn Fn(&mut [u8])| {
            let mut frame = frame.clone();
            change(&mut frame);
            assert!(bench.say(&frame).is_empty(), "{what}");
        };
        amiss("another sum", &|frame| frame[57] ^= 1);
        amiss("passed on by a router", &|frame| frame[21] = 254);
        let (at, to) = (frame.len() - 8, Ipv6Addr::from(<[u8; 16]>::try_from(&frame[38..54]).unwrap()));
        let summed = |frame: &mut [u8]| Icmpv6Packet::new_unchecked(&mut frame[54..]).fill_checksum(&ITS, &to);
        amiss("an option of no length", &|frame| {
            frame[at + 1] = 0;
            summed(frame);
        });
        amiss("an option that is longer than the rest", &|frame| {
            frame[at + 1] = 2;
            summed(frame);
        });
        amiss("another code", &|frame| {
            frame[55] = 1;
            summed(frame);
        });
        amiss("no such message", &|frame| {
            frame[54] = u8::from(Icmpv6Message::Redirect);
            summed(frame);
        });
    }
}
