//! The lab with a guest that smoltcp plays, and with frames made by hand.

mod broken;
mod captured;
mod client;
mod dialled;
mod metadata;
mod name_service;
mod router;

use std::{
    collections::BTreeMap,
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddrV4},
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use kverify_checks::{
    network::LAB_NAME,
    scenarios::Cloud,
    step::{NameServer, Network},
};
use simple_dns::{CLASS, Name, Packet, QCLASS, QTYPE, Question, TYPE};
use smoltcp::{
    iface::{Config, Interface, SocketSet},
    phy::ChecksumCapabilities,
    socket::tcp,
    wire::{
        ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr,
        HardwareAddress, Icmpv4Packet, IpCidr, IpProtocol, Ipv4Packet, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
        UdpPacket,
    },
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::cloud::{Instance, METADATA, instance};

use super::{
    Lab, Origin, Plug,
    address::{GATEWAY, GATEWAY_MAC, NAME_SERVER, card_of, of_machine},
    clock::Clock,
    dns::Names,
    egress::Egress,
    frame::{Cards, behind, datagram},
    gateway::Gateway,
    stack::{Queues, instant},
};

const GUEST: EthernetAddress = EthernetAddress(card_of_first());
const CARDS: Cards = Cards { from: GUEST, to: GATEWAY_MAC };

const fn card_of_first() -> [u8; 6] {
    [0x52, 0x54, 0x00, 0x12, 0x34, 0x56]
}

/// A guest that echoes what comes to port 7, until it is dropped.
struct Echo {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().is_none_or(|thread| thread.join().is_ok());
        assert!(ended || thread::panicking());
    }
}

fn echo(cable: OwnedFd, machine: u8) -> Echo {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stop);
    let thread = thread::spawn(move || guest(UnixStream::from(cable), machine, &seen));
    Echo { stop, thread: Some(thread) }
}

fn guest(mut cable: UnixStream, machine: u8, stop: &AtomicBool) {
    cable.set_nonblocking(true).unwrap();
    let began = Instant::now();
    let mut device = Queues::default();
    let config = Config::new(HardwareAddress::Ethernet(EthernetAddress(card_of(machine))));
    let mut interface = Interface::new(config, &mut device, instant(Duration::ZERO));
    interface.update_ip_addrs(|addresses| addresses.push(IpCidr::new(of_machine(machine).into(), 24)).unwrap());
    let mut sockets = SocketSet::new(Vec::new());
    let buffer = || tcp::SocketBuffer::new(vec![0; 64 * 1024]);
    let handle = sockets.add(tcp::Socket::new(buffer(), buffer()));
    let (mut arrived, mut chunk) = (Vec::new(), vec![0; 64 * 1024]);
    while !stop.load(Ordering::Relaxed) {
        match cable.read(&mut chunk) {
            Ok(0) => return,
            Ok(length) => arrived.extend_from_slice(&chunk[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(Duration::from_micros(200)),
            Err(_) => return,
        }
        let now = instant(began.elapsed());
        let socket = sockets.get_mut::<tcp::Socket<'_>>(handle);
        if !socket.is_open() {
            socket.listen(7).unwrap();
        }
        while arrived.len() >= 4 {
            let length = u32::from_be_bytes(arrived[..4].try_into().unwrap()) as usize;
            let Some(frame) = arrived.get(4..4 + length) else { break };
            device.arrived.push_back(frame.to_vec());
            arrived.drain(..4 + length);
        }
        interface.poll(now, &mut device, &mut sockets);
        let socket = sockets.get_mut::<tcp::Socket<'_>>(handle);
        if socket.can_recv() && socket.can_send() {
            let room = socket.send_capacity() - socket.send_queue();
            let mut bytes = vec![0; room.min(16 * 1024)];
            let length = socket.recv_slice(&mut bytes).unwrap();
            assert_eq!(socket.send_slice(&bytes[..length]).unwrap(), length);
        }
        if !socket.may_recv() && socket.may_send() && socket.recv_queue() == 0 {
            socket.close();
        }
        interface.poll(now, &mut device, &mut sockets);
        cable.set_nonblocking(false).unwrap();
        for frame in device.leaving.drain(..) {
            let length = u32::try_from(frame.len()).unwrap();
            if cable.write_all(&length.to_be_bytes()).and_then(|()| cable.write_all(&frame)).is_err() {
                return;
            }
        }
        cable.set_nonblocking(true).unwrap();
    }
}

/// A network with so many machines, and QEMU's end of each cable.
fn plugged(machines: u8) -> (Arc<Lab>, Vec<OwnedFd>) {
    let lab = Arc::new(Lab::open(machines, Origin::at(Timestamp::now()), None).unwrap());
    let cable = |machine| Plug { lab: Arc::clone(&lab), machine }.cable().unwrap();
    let cables = (0..machines).map(cable).collect();
    (lab, cables)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_carries_both_ways_and_ends_when_either_side_does() {
    let (lab, mut cables) = plugged(1);
    let _echo = echo(cables.remove(0), 0);
    let deadline = Instant::now() + Duration::from_secs(20);
    for round in 0..3 {
        let stream = loop {
            match lab.dial(0, 7).await {
                // Its one socket listens again once it has seen the end of the connection before.
                Err(error) if round > 0 && error.kind() == ErrorKind::ConnectionRefused => {
                    assert!(Instant::now() < deadline, "{error}");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                dialled => break dialled.unwrap(),
            }
        };
        stream.set_nonblocking(true).unwrap();
        let mut stream = tokio::net::UnixStream::from_std(stream).unwrap();
        let sent: Vec<u8> = (0..3_000_000_u32).map(|number| (number / 7 + round).to_le_bytes()[0]).collect();
        let (mut reader, mut writer) = stream.split();
        let write = async {
            writer.write_all(&sent).await.unwrap();
            writer.shutdown().await.unwrap();
        };
        let read = async {
            let mut back = Vec::new();
            reader.read_to_end(&mut back).await.unwrap();
            back
        };
        let (back, ()) = tokio::join!(read, write);
        assert!(back == sent, "{} of {} bytes came back", back.len(), sent.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_nobody_listens_on_refuses_at_once() {
    let (lab, mut cables) = plugged(1);
    let _echo = echo(cables.remove(0), 0);
    let error = lab.dial(0, 8).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_is_not_there_is_given_up() {
    let (lab, cables) = plugged(1);
    let error = lab.dial(0, 7).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    drop(cables);
    assert!(lab.dial(0, 7).await.is_err(), "QEMU has gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_bounded_and_come_back_when_they_end() {
    let (lab, _cables) = plugged(1);
    let dials: Vec<_> = (0..80).map(|_| lab.dial(0, 7)).collect();
    let answers = futures_util::future::join_all(dials).await;
    let refused = answers
        .iter()
        .filter(|answer| answer.as_ref().is_err_and(|error| error.to_string().contains("64 connections")));
    assert_eq!(refused.count(), 16);
    assert_eq!(lab.dial(0, 7).await.unwrap_err().kind(), ErrorKind::TimedOut, "there is room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_of_one_switch_hear_each_other_and_each_is_dialled_by_its_number() {
    let (lab, mut cables) = plugged(2);
    let second = echo(cables.remove(1), 1);
    let mut first = UnixStream::from(cables.remove(0));
    assert!(lab.dial(1, 7).await.is_ok());
    // The first one asks who the second is.
    let question = arp(CARDS.from, of_machine(0), of_machine(1));
    first.write_all(&u32::try_from(question.len()).unwrap().to_be_bytes()).unwrap();
    first.write_all(&question).unwrap();
    first.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let answer = loop {
        let mut length = [0; 4];
        first.read_exact(&mut length).unwrap();
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        first.read_exact(&mut frame).unwrap();
        let head = EthernetFrame::new_checked(frame.as_slice()).unwrap();
        if head.ethertype() == EthernetProtocol::Arp && head.dst_addr() == CARDS.from {
            break head.src_addr();
        }
    };
    assert_eq!(answer, EthernetAddress(card_of(1)));
    drop(second);
}

fn arp(card: EthernetAddress, from: Ipv4Addr, to: Ipv4Addr) -> Vec<u8> {
    let mut frame = vec![0; 42];
    EthernetRepr { src_addr: card, dst_addr: EthernetAddress::BROADCAST, ethertype: EthernetProtocol::Arp }
        .emit(&mut EthernetFrame::new_unchecked(&mut frame));
    ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Request,
        source_hardware_addr: card,
        source_protocol_addr: from,
        target_hardware_addr: EthernetAddress([0; 6]),
        target_protocol_addr: to,
    }
    .emit(&mut ArpPacket::new_unchecked(&mut frame[14..]));
    frame
}

/// A gateway without wires, what it notes, and what it says of its own accord.
struct Bench {
    gateway: Gateway,
    egress: Arc<Egress>,
    /// Since it began.
    age: Duration,
}

impl Bench {
    fn new(cloud: Option<Arc<Instance>>) -> Self {
        let egress = Arc::new(Egress::new());
        let clock = Arc::new(Clock::from(Timestamp::UNIX_EPOCH));
        Self {
            gateway: Gateway::new(7, Names::new(7, BTreeMap::new(), None), clock, Arc::clone(&egress), cloud),
            egress,
            age: Duration::from_millis(1),
        }
    }

    /// All that a frame is answered with.
    fn say(&mut self, frame: &[u8]) -> Vec<Vec<u8>> {
        let mut answers: Vec<_> = self.gateway.answer(0, frame).into_iter().collect();
        answers.extend(self.speak());
        answers
    }

    /// All that it says of its own accord.
    fn speak(&mut self) -> Vec<Vec<u8>> {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        self.gateway.poll(instant(self.age), &mut cx);
        std::iter::from_fn(|| self.gateway.next()).collect()
    }
}

fn to(address: Ipv4Addr, port: u16, payload: &[u8]) -> Vec<u8> {
    datagram(CARDS, SocketAddrV4::new(of_machine(0), 40_000), SocketAddrV4::new(address, port), payload)
}

fn payload_of(frame: &[u8]) -> Vec<u8> {
    let packet = Ipv4Packet::new_checked(&frame[14..]).unwrap();
    UdpPacket::new_checked(packet.payload()).unwrap().payload().to_vec()
}

fn question(name: &str) -> Vec<u8> {
    let mut packet = Packet::new_query(1);
    let kind = QTYPE::TYPE(TYPE::A);
    packet.questions.push(Question::new(Name::new(name).unwrap(), kind, QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec().unwrap()
}

#[test]
fn it_is_behind_its_own_addresses_and_no_others() {
    let mut bench = Bench::new(None);
    for (address, answers) in
        [(GATEWAY, 1), (NAME_SERVER, 1), (of_machine(0), 0), (of_machine(1), 0), ([9; 4].into(), 0)]
    {
        let answered = bench.say(&arp(GUEST, of_machine(0), address));
        assert_eq!(answered.len(), answers, "{address}: an address of a guest's that is taken is lost after a restore");
    }
}

#[test]
fn names_and_time_are_answered_from_where_they_were_asked() {
    let mut bench = Bench::new(None);
    let answers = bench.say(&to(NAME_SERVER, 53, &question("2.debian.pool.ntp.org")));
    let reply = payload_of(&answers[0]);
    let reply = Packet::parse(&reply).unwrap();
    let simple_dns::rdata::RData::A(address) = &reply.answers[0].rdata else { panic!("no address") };
    let server = Ipv4Addr::from(address.address);
    let mut asked = vec![0; 48];
    asked[0] = 0x23;
    let answers = bench.say(&to(server, 123, &asked));
    let packet = Ipv4Packet::new_checked(&answers[0][14..]).unwrap();
    assert_eq!((packet.src_addr(), packet.dst_addr()), (server, of_machine(0)));
    assert_eq!(payload_of(&answers[0])[0], 0x24);
    let record = bench.egress.so_far();
    assert_eq!(record.names[0].name, "2.debian.pool.ntp.org");
    assert_eq!(record.tried[0].name.as_deref(), Some("2.debian.pool.ntp.org"));
    assert_eq!((record.tried[0].protocol.as_str(), record.tried[0].port), ("udp", Some(123)));
}

#[test]
fn the_world_is_noted_and_refused_and_the_link_is_neither() {
    let mut bench = Bench::new(None);
    let answers = bench.say(&to([203, 0, 113, 7].into(), 443, b"beacon"));
    let packet = Ipv4Packet::new_checked(&answers[0][14..]).unwrap();
    assert_eq!(Icmpv4Packet::new_checked(packet.payload()).unwrap().msg_code(), 13);
    // A time server by address is the world as well: nobody asked for its name here.
    assert_eq!(bench.say(&to([162, 159, 200, 1].into(), 123, &[0x23; 48])).len(), 1);
    for link in [Ipv4Addr::BROADCAST, [224, 0, 0, 251].into(), of_machine(3), [10, 0, 2, 255].into()] {
        assert_eq!(bench.say(&to(link, 5353, b"hello")), Vec::<Vec<u8>>::new(), "{link}");
    }
    let tried: Vec<_> = bench.egress.so_far().tried.iter().map(|tried| tried.address.to_string()).collect();
    assert_eq!(tried, ["203.0.113.7", "162.159.200.1"]);
}

/// The first segment of a connection.
fn syn(to: Ipv4Addr, port: u16, from: u16) -> Vec<u8> {
    let segment = TcpRepr {
        src_port: from,
        dst_port: port,
        control: TcpControl::Syn,
        seq_number: TcpSeqNumber(7),
        ack_number: None,
        window_len: 1024,
        window_scale: None,
        max_seg_size: Some(1460),
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    };
    // As a datagram of the same length, whose payload is written over.
    let mut frame = datagram(CARDS, SocketAddrV4::new(of_machine(0), 0), SocketAddrV4::new(to, 0), &[0; 16]);
    let mut packet = Ipv4Packet::new_unchecked(&mut frame[14..]);
    packet.set_next_header(IpProtocol::Tcp);
    packet.fill_checksum();
    let (from, to) = (of_machine(0).into(), to.into());
    segment.emit(&mut TcpPacket::new_unchecked(packet.payload_mut()), &from, &to, &ChecksumCapabilities::default());
    frame
}

/// What a frame of TCP says: its flags SYN, ACK and RST.
fn flags(frame: &[u8]) -> Option<(bool, bool, bool)> {
    let packet = Ipv4Packet::new_checked(&frame[14..]).ok()?;
    let segment = TcpPacket::new_checked(packet.payload()).ok().filter(|_| packet.next_header() == IpProtocol::Tcp)?;
    Some((segment.syn(), segment.ack(), segment.rst()))
}

#[test]
fn no_address_of_the_host_is_reached() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut bench = Bench::new(None);
    bench.say(&frame_behind());
    let mut tried = 0;
    for host in [[127, 0, 0, 1], [10, 0, 2, 2], [10, 0, 2, 3], [169, 254, 169, 254], [169, 254, 1, 1], [192, 168, 0, 1]]
    {
        for port in (0..166).map(|number| if number == 0 { port } else { number * 389 }) {
            let answers = bench.say(&syn(host.into(), port, 40_000));
            // Its own addresses reset it; what is beyond is unreachable. Nothing is opened.
            let opened = answers.iter().filter_map(|answer| flags(answer)).any(|(syn, ..)| syn);
            assert!(!opened && answers.len() == 1, "{host:?}:{port}: {answers:?}");
            tried += 1;
        }
    }
    assert_eq!(tried, 996);
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "nobody came");
}

#[test]
fn a_service_of_a_cloud_is_there_for_its_own_machine_and_no_flood_shuts_it() {
    let mut bench = Bench::new(Some(Arc::new(instance(Cloud::Ec2))));
    // It is told who has the guest's address: to ask would take it its second.
    bench.say(&frame_behind());
    for port in 10_000..20_000 {
        bench.say(&syn(METADATA, 80, port));
    }
    let answers = bench.say(&syn(METADATA, 80, 9));
    assert!(answers.iter().any(|answer| flags(answer) == Some((true, true, false))), "{answers:?}");
    let again = bench.say(&syn(METADATA, 80, 9));
    assert!(again.iter().all(|answer| flags(answer) != Some((false, true, true))), "no second socket: {again:?}");
    assert!(bench.egress.so_far().tried.is_empty(), "it is the cloud's own");
    let mut other = Bench::new(Some(Arc::new(instance(Cloud::ConfigDrive))));
    other.say(&syn(METADATA, 80, 9));
    assert_eq!(other.egress.so_far().tried.len(), 1, "there is none on a cloud without");
}

fn frame_behind() -> Vec<u8> {
    behind(CARDS, of_machine(0), GATEWAY)
}

#[test]
fn a_network_at_fault_leaves_out_what_it_is_told_to() {
    let mut bench = Bench::new(None);
    bench.gateway.network = Network { dhcp: false, time: false, names: NameServer::Silent, ..Network::default() };
    assert!(bench.say(&to(NAME_SERVER, 53, &question(LAB_NAME))).is_empty());
    assert!(bench.say(&to(GATEWAY, 123, &[0x23; 48])).is_empty());
    assert_eq!(bench.egress.so_far().names[0].name, LAB_NAME, "seen all the same");
    bench.gateway.network = Network::default();
    assert_eq!(bench.say(&to(NAME_SERVER, 53, &question(LAB_NAME))).len(), 1);
    assert_eq!(bench.say(&to(GATEWAY, 123, &[0x23; 48])).len(), 1);
}
