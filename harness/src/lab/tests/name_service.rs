//! Names over connections.

use std::{net::SocketAddrV4, os::unix::net::UnixStream, time::Duration};

use kverify_checks::{
    network::LAB_NAME,
    step::{NameServer, Network},
};
use simple_dns::{Packet, PacketFlag, RCODE, rdata::OPT};
use smoltcp::{iface::SocketHandle, socket::tcp::State};

use super::{
    super::address::{GATEWAY, NAME_SERVER},
    Bench,
    client::Client,
    payload_of, plugged, question, to,
};

const SERVER: SocketAddrV4 = SocketAddrV4::new(NAME_SERVER, 53);

/// A message after its length.
fn framed(message: &[u8]) -> Vec<u8> {
    [&u16::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}

/// The messages of what came, all of them whole.
fn messages(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while let Some((length, rest)) = bytes.split_at_checked(2) {
        let (message, rest) = rest.split_at(u16::from_be_bytes(length.try_into().unwrap()).into());
        messages.push(message.to_vec());
        bytes = rest;
    }
    assert!(bytes.is_empty(), "half a length");
    messages
}

/// A guest with one connection to the name server.
async fn connected(bench: &mut Bench) -> (Client, SocketHandle) {
    let mut client = Client::new();
    let one = client.open(SERVER);
    client.run(bench).await;
    assert_eq!(client.socket(one).state(), State::Established);
    (client, one)
}

#[tokio::test]
async fn questions_of_one_connection_are_answered_in_their_order_and_noted() {
    let mut bench = Bench::new(None);
    let (mut client, one) = connected(&mut bench).await;
    let names = [LAB_NAME, "first.example", "0.debian.pool.ntp.org", "second.example"];
    let all = names.map(|name| framed(&question(name))).concat();
    // All at once, but cut within a length and within a question.
    for piece in [&all[..1], &all[1..40], &all[40..]] {
        client.socket(one).send_slice(piece).unwrap();
        client.run(&mut bench).await;
    }
    let answers = messages(&client.heard(one));
    let rcodes: Vec<_> = answers.iter().map(|answer| Packet::parse(answer).unwrap().rcode()).collect();
    assert_eq!(rcodes, [RCODE::NoError, RCODE::NameError, RCODE::NoError, RCODE::NameError]);
    let asked = answers.iter().map(|answer| Packet::parse(answer).unwrap().questions[0].qname.to_string());
    assert_eq!(asked.collect::<Vec<_>>(), names);
    let noted: Vec<_> = bench.egress.so_far().names.into_iter().map(|name| name.name).collect();
    assert_eq!(noted, names, "as those of datagrams");
    client.socket(one).close();
    client.run(&mut bench).await;
    assert!(!client.socket(one).is_active(), "{}", client.socket(one).state());
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_come_and_answers_go_over_a_cable() {
    let (lab, mut cables) = plugged(1);
    let cable = UnixStream::from(cables.remove(0));
    cable.set_nonblocking(true).unwrap();
    let mut cable = tokio::net::UnixStream::from_std(cable).unwrap();
    let mut client = Client::new();
    let one = client.open(SERVER);
    client.run_over(&mut cable, |client| client.socket(one).may_send()).await;
    for name in [LAB_NAME, "updates.example"] {
        client.socket(one).send_slice(&framed(&question(name))).unwrap();
        client.run_over(&mut cable, |client| client.socket(one).recv_queue() > 2).await;
        assert_eq!(messages(&client.heard(one)).len(), 1);
    }
    assert_eq!(lab.egress().names.len(), 2);
}

#[tokio::test]
async fn the_gateway_answers_over_connections_where_it_answers_datagrams() {
    let mut bench = Bench::new(None);
    let mut client = Client::new();
    let one = client.open(SocketAddrV4::new(GATEWAY, 53));
    client.run(&mut bench).await;
    client.socket(one).send_slice(&framed(&question(LAB_NAME))).unwrap();
    client.run(&mut bench).await;
    assert_eq!(messages(&client.heard(one)).len(), 1);
}

#[tokio::test]
async fn a_server_at_fault_is_so_over_connections_too() {
    let mut bench = Bench::new(None);
    let (mut client, one) = connected(&mut bench).await;
    for (names, rcode) in [
        (NameServer::Fails, Some(RCODE::ServerFailure)),
        (NameServer::Silent, None),
        (NameServer::NoNames, Some(RCODE::NameError)),
        (NameServer::Well, Some(RCODE::NoError)),
    ] {
        bench.gateway.network = Network { names, ..Network::default() };
        client.socket(one).send_slice(&framed(&question(LAB_NAME))).unwrap();
        client.run(&mut bench).await;
        let answers = messages(&client.heard(one));
        let rcodes: Vec<_> = answers.iter().map(|answer| Packet::parse(answer).unwrap().rcode()).collect();
        assert_eq!(rcodes, Vec::from_iter(rcode), "{names:?}");
    }
    assert_eq!(bench.egress.so_far().names[0].times, 4, "the silent one has heard it too");
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_or_nothing_sensible_is_cut_off() {
    let mut bench = Bench::new(None);
    let (mut client, idle) = connected(&mut bench).await;
    let [half, long, answer, empty] = [(); 4].map(|()| client.open(SERVER));
    client.run(&mut bench).await;
    let mut reply = question(LAB_NAME);
    reply[2] |= 0x80;
    client.socket(half).send_slice(&4096_u16.to_be_bytes()).unwrap();
    client.socket(long).send_slice(&4097_u16.to_be_bytes()).unwrap();
    client.socket(answer).send_slice(&framed(&reply)).unwrap();
    client.socket(empty).send_slice(&framed(&[])).unwrap();
    client.run(&mut bench).await;
    for (one, why) in [(long, "too long"), (answer, "an answer"), (empty, "no question")] {
        assert!(!client.socket(one).may_recv(), "{why}");
        assert!(client.heard(one).is_empty(), "{why}");
    }
    tokio::time::sleep(Duration::from_secs(29)).await;
    client.run(&mut bench).await;
    assert!(client.socket(idle).may_recv() && client.socket(half).may_recv());
    tokio::time::sleep(Duration::from_secs(2)).await;
    client.run(&mut bench).await;
    assert!(!client.socket(idle).may_recv() && !client.socket(half).may_recv());
}

#[tokio::test]
async fn guests_may_hold_half_of_all_connections() {
    let mut bench = Bench::new(None);
    let mut client = Client::new();
    let all: Vec<_> = (0..40).map(|_| client.open(SERVER)).collect();
    client.run(&mut bench).await;
    let in_state = |client: &mut Client, state| -> Vec<_> {
        all.iter().copied().filter(|one| client.socket(*one).state() == state).collect()
    };
    let open = in_state(&mut client, State::Established);
    assert_eq!((open.len(), in_state(&mut client, State::Closed).len()), (32, 8));
    // One that ends makes room.
    client.socket(open[0]).close();
    client.run(&mut bench).await;
    let late = client.open(SERVER);
    client.run(&mut bench).await;
    assert_eq!(client.socket(late).state(), State::Established);
}

#[tokio::test]
async fn what_does_not_fit_in_a_datagram_says_so_and_comes_over_a_connection() {
    let mut bench = Bench::new(None);
    // It stands in the question and in the answer.
    let label = "a".repeat(58);
    let long = format!("{label}.{label}.{label}.{label}.pool.ntp.org");
    let mut said = |asked: &[u8]| payload_of(&bench.say(&to(NAME_SERVER, 53, asked))[0]);
    let (cut, whole) = (said(&question(&long)), said(&question(LAB_NAME)));
    let cut_reply = Packet::parse(&cut).unwrap();
    assert!(cut_reply.has_flags(PacketFlag::TRUNCATION) && cut.len() <= 512, "{} bytes", cut.len());
    assert_eq!((cut_reply.rcode(), cut_reply.questions.len(), cut_reply.answers.len()), (RCODE::NoError, 1, 0));
    assert!(!Packet::parse(&whole).unwrap().has_flags(PacketFlag::TRUNCATION));
    // A client that takes more gets it.
    let asked = question(&long);
    let mut asked = Packet::parse(&asked).unwrap();
    *asked.opt_mut() = Some(OPT { opt_codes: Vec::new(), udp_packet_size: 1232, version: 0 });
    let answer = said(&asked.build_bytes_vec().unwrap());
    assert_eq!(Packet::parse(&answer).unwrap().answers.len(), 1);

    let (mut client, one) = connected(&mut bench).await;
    client.socket(one).send_slice(&framed(&question(&long))).unwrap();
    client.run(&mut bench).await;
    let answer = messages(&client.heard(one)).remove(0);
    let reply = Packet::parse(&answer).unwrap();
    assert!(!reply.has_flags(PacketFlag::TRUNCATION) && reply.answers.len() == 1, "{} bytes", answer.len());
}
