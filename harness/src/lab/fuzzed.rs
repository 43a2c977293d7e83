//! A guest that says whatever somebody makes up: `harness/fuzz/`, and the tests.

use std::{
    collections::BTreeMap,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use jiff::Timestamp;
use kverify_checks::step::{NameServer, Network};
use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, Icmpv6Packet, IpAddress, IpProtocol, Ipv4Packet, Ipv6Packet, TcpPacket, UdpPacket,
};
use tokio::runtime::{Builder, Runtime};

use super::{clock::Clock, dns::Names, egress::Egress, gateway::Gateway, stack::instant};

thread_local! {
    /// What connections are served on.
    static RUNTIME: Runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
}

/// Lets a gateway hear frames, each after its length in two bytes; the first byte says how the network is, and whether
/// lengths and sums are mended.
///
/// # Panics
/// Where the gateway does, or holds more than it may.
pub fn hear(input: &[u8]) {
    let Some((kind, mut rest)) = input.split_first() else { return };
    let bit = |number: u8| kind >> number & 1 == 1;
    let names = [NameServer::Well, NameServer::NoNames, NameServer::Fails, NameServer::Silent];
    let egress = Arc::new(Egress::new());
    let clock = Arc::new(Clock::from(Timestamp::UNIX_EPOCH));
    let mut gateway = Gateway::new(7, Names::new(7, BTreeMap::new(), None), clock, Arc::clone(&egress), None);
    gateway.network = Network {
        router: !bit(0),
        dhcp: !bit(1),
        time: !bit(2),
        names: names[usize::from(kind >> 3 & 0b11)],
        ..Network::default()
    };
    let mut age = Duration::ZERO;
    let heard = async {
        while let Some((length, frames)) = rest.split_first_chunk() {
            let frame;
            (frame, rest) = frames.split_at(frames.len().min(u16::from_be_bytes(*length).into()));
            let mut frame = frame.to_vec();
            if !bit(5) {
                mend(&mut frame);
            }
            gateway.answer(0, &frame);
            age += Duration::from_millis(20);
            gateway.poll(instant(age), &mut Context::from_waker(Waker::noop()));
            // A guest may leave what it is told unread.
            if !bit(6) {
                while gateway.next().is_some() {}
            }
            tokio::task::yield_now().await;
        }
    };
    RUNTIME.with(|runtime| runtime.block_on(heard));
    bounded(&gateway, &egress);
}

/// What a gateway holds is within its limits.
///
/// # Panics
/// Where it is not.
pub(super) fn bounded(gateway: &Gateway, egress: &Egress) {
    assert!(gateway.connections() <= 64 && gateway.queued() <= 512 && gateway.names().len() <= 256);
    let record = egress.so_far();
    assert!(record.names.len() <= 512 && record.tried.len() <= 512);
    // Of a byte there are four characters at most, where it has to be escaped.
    assert!(record.names.iter().all(|name| name.kinds.len() <= 16 && name.name.len() <= 4 * 255));
}

/// Writes lengths and sums anew, so that what is broken is looked at, and not dropped for them.
pub(super) fn mend(frame: &mut [u8]) -> Option<()> {
    let ethertype = EthernetFrame::new_checked(&*frame).ok()?.ethertype();
    let packet = &mut frame[14..];
    let length = u16::try_from(packet.len()).ok()?;
    let (protocol, from, to, head): (_, IpAddress, IpAddress, _) = match ethertype {
        EthernetProtocol::Ipv4 if length >= 20 => {
            Ipv4Packet::new_unchecked(&mut *packet).set_total_len(length);
            let mut packet = Ipv4Packet::new_checked(packet).ok()?;
            packet.fill_checksum();
            let ends = (packet.src_addr().into(), packet.dst_addr().into());
            (packet.next_header(), ends.0, ends.1, usize::from(packet.header_len()))
        }
        EthernetProtocol::Ipv6 if length >= 40 => {
            Ipv6Packet::new_unchecked(&mut *packet).set_payload_len(length - 40);
            let packet = Ipv6Packet::new_checked(packet).ok()?;
            (packet.next_header(), packet.src_addr().into(), packet.dst_addr().into(), 40)
        }
        _ => return None,
    };
    let payload = &mut frame[14 + head..];
    match (protocol, from, to) {
        (IpProtocol::Tcp, ..) => TcpPacket::new_checked(payload).ok()?.fill_checksum(&from, &to),
        (IpProtocol::Udp, ..) if payload.len() >= 8 => {
            let length = u16::try_from(payload.len()).ok()?;
            UdpPacket::new_unchecked(&mut *payload).set_len(length);
            UdpPacket::new_checked(payload).ok()?.fill_checksum(&from, &to);
        }
        (IpProtocol::Icmpv6, IpAddress::Ipv6(from), IpAddress::Ipv6(to)) => {
            Icmpv6Packet::new_checked(payload).ok()?.fill_checksum(&from, &to);
        }
        _ => {}
    }
    Some(())
}
