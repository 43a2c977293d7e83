//! Frames that are broken, by themselves and among those of live connections: nothing panics, and nothing grows.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddrV4},
    path::Path,
    sync::Arc,
    time::Duration,
};

use kverify_checks::{
    network::LAB_NAME,
    scenarios::Cloud,
    step::{NameServer, Network},
};
use smoltcp::{
    socket::tcp::State,
    wire::{DhcpFlags, DhcpMessageType},
};

use super::{
    super::{
        address::{GATEWAY, NAME_SERVER, of_machine},
        dhcp,
        fuzzed::{bounded, hear, mend},
        random::Random,
    },
    Bench, GUEST, arp,
    client::Client,
    frame_behind, payload_of, question, router, syn, to,
};
use crate::cloud::{METADATA, instance};

/// How often a frame is broken, and noise sent after it.
const ROUNDS: usize = 100_000;
/// After how many rounds a live connection moves on, after how many all is counted, and after how many the network is
/// made another one.
const MOVES: usize = 8;
const COUNTED: usize = 256;
const CHANGES: usize = 1000;

/// What guests send, whole, by name.
fn whole() -> Vec<(&'static str, Vec<u8>)> {
    let lease = |message, more: &[(u8, &[u8])]| {
        let asked = dhcp::tests::question(message, Ipv4Addr::UNSPECIFIED, DhcpFlags::BROADCAST, more);
        to(GATEWAY, dhcp::SERVER_PORT, &asked)
    };
    let mut all = vec![
        ("discovery", lease(DhcpMessageType::Discover, &[(61, &[255, 1, 2, 3, 4, 5, 6, 7, 8])])),
        ("request", lease(DhcpMessageType::Request, &[(50, &of_machine(0).octets()), (54, &GATEWAY.octets())])),
        ("question", to(NAME_SERVER, 53, &question(LAB_NAME))),
        ("question-for-time", to(NAME_SERVER, 53, &question("0.debian.pool.ntp.org"))),
        ("time", to(GATEWAY, 123, &[0x23; 48])),
        ("beacon", to([1, 1, 1, 1].into(), 443, b"x")),
        ("card", arp(GUEST, of_machine(0), GATEWAY)),
        ("connection-for-names", syn(NAME_SERVER, 53, 7)),
        ("connection-for-metadata", syn(METADATA, 80, 7)),
        ("connection-for-nothing", syn(GATEWAY, 22, 7)),
    ];
    let asked = ["router", "own-address", "card-6", "echo", "echo-beyond", "beacon-6"];
    all.extend(std::iter::zip(asked, router::asked()));
    // A question that was sent in two: the first half says that more comes, the second where it begins.
    for (name, half) in [("first-half", 0x2000_u16), ("second-half", 0x0004)] {
        let mut fragment = to(NAME_SERVER, 53, &question(LAB_NAME));
        fragment[20..22].copy_from_slice(&half.to_be_bytes());
        mend(&mut fragment);
        all.push((name, fragment));
    }
    all
}

/// The frame with a few other bytes, or less of it; now and then as it was.
fn broken(random: &mut Random, frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    for _ in 0..random.below(6) {
        let at = usize::from(random.below(u16::try_from(frame.len()).unwrap()));
        frame[at] = random.below(256).to_le_bytes()[0];
    }
    if random.below(3) == 0 {
        frame.truncate(usize::from(random.below(u16::try_from(frame.len()).unwrap())) + 1);
    }
    if random.below(2) == 0 {
        mend(&mut frame);
    }
    frame
}

#[tokio::test]
async fn no_frame_breaks_it_or_makes_it_grow() {
    let mut bench = Bench::new(Some(Arc::new(instance(Cloud::Ec2))));
    let networks = [
        Network { router: true, ..Network::default() },
        Network::default(),
        Network { names: NameServer::Silent, router: true, ..Network::default() },
        Network { names: NameServer::Fails, time: false, dhcp: false, ..Network::default() },
    ];
    let (mut random, whole) = (Random::new(3), whole());
    let (mut client, mut live, mut heard) = (Client::new(), None, 0);
    for round in 0..ROUNDS {
        bench.gateway.network = networks[round / CHANGES % networks.len()];
        bench.say(&broken(&mut random, &whole[round % whole.len()].1));
        let noise: Vec<u8> = (0..random.below(120)).map(|_| random.below(256).to_le_bytes()[0]).collect();
        bench.say(&noise);
        if round % MOVES == 0 {
            let name = format!("{}.pool.ntp.org", random.below(u16::MAX));
            bench.say(&broken(&mut random, &to(NAME_SERVER, 53, &question(&name))));
            bench.age += Duration::from_millis(20);
            let (service, said) = match round / CHANGES % 2 {
                0 => (SocketAddrV4::new(NAME_SERVER, 53), [&[0, 33][..], &question(LAB_NAME)].concat()),
                _ => (SocketAddrV4::new(METADATA, 80), b"GET /latest/api/token HTTP/1.1\r\nhost: a\r\n\r\n".to_vec()),
            };
            let one = *live.get_or_insert_with(|| client.open(service));
            let socket = client.socket(one);
            if socket.can_send() {
                socket.send_slice(&said).unwrap();
            }
            heard += client.heard(one).len();
            for frame in client.say(&bench) {
                if random.below(4) == 0 {
                    bench.say(&broken(&mut random, &frame));
                }
                let answers = bench.say(&frame);
                client.hear(answers);
            }
            client.hear(bench.speak());
            if random.below(64) == 0 || client.socket(one).state() == State::Closed {
                client.forget(one);
                live = None;
            }
            tokio::task::yield_now().await;
        }
        if round % COUNTED == 0 {
            bounded(&bench.gateway, &bench.egress);
        }
    }
    assert!(heard > 20_000, "{heard} bytes of what live connections asked for");
    // It is as well as it was.
    bench.gateway.network = Network::default();
    bench.say(&frame_behind());
    assert!(!payload_of(&bench.say(&to(NAME_SERVER, 53, &question(LAB_NAME)))[0]).is_empty());
    let mut client = Client::new();
    let one = client.open(SocketAddrV4::new(GATEWAY, 53));
    client.run(&mut bench).await;
    assert_eq!(client.socket(one).state(), State::Established);
    bounded(&bench.gateway, &bench.egress);
}

#[test]
fn what_a_guest_does_not_read_is_not_kept_for_it() {
    let mut bench = Bench::new(None);
    for port in 0..20_000 {
        bench.gateway.answer(0, &syn(GATEWAY, port, 40_000));
        bench.gateway.answer(0, &frame_behind());
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        bench.gateway.poll(super::instant(bench.age), &mut cx);
    }
    bounded(&bench.gateway, &bench.egress);
    let kept: usize = std::iter::repeat_with(|| bench.speak().len()).take_while(|said| *said > 0).sum();
    assert!((1..=1024).contains(&kept), "{kept} frames");
    assert_eq!(bench.say(&syn(GATEWAY, 22, 40_000)).len(), 1, "it goes on once that is read");
}

#[tokio::test]
async fn a_connection_opens_among_segments_that_do_not_hold() {
    let mut bench = Bench::new(None);
    let amiss = |bench: &mut Bench, ports: std::ops::Range<u16>| {
        for port in ports {
            let mut segment = syn(NAME_SERVER, 53, port);
            // Its sum is another one now.
            segment[50] ^= 1;
            assert!(bench.say(&segment).is_empty());
        }
    };
    amiss(&mut bench, 1000..1040);
    assert_eq!(bench.gateway.connections(), 1, "one of them waits for all");
    let mut client = Client::new();
    let one = client.open(SocketAddrV4::new(NAME_SERVER, 53));
    while client.socket(one).state() == State::SynSent {
        let said = client.say(&bench);
        client.hear(said.iter().flat_map(|frame| bench.say(frame)).collect());
        amiss(&mut bench, 2000..2040);
    }
    client.run(&mut bench).await;
    assert_eq!(client.socket(one).state(), State::Established);
}

/// What `harness/fuzz/` begins with. `KVERIFY_SEEDS=write` writes them.
#[test]
fn the_seeds_are_what_guests_send() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/lab");
    for (name, frame) in whole() {
        let frame = [&u16::try_from(frame.len()).unwrap().to_be_bytes(), frame.as_slice()].concat();
        // Twice: it may be another thing when it comes again.
        let seed = [&[0][..], &frame, &frame].concat();
        let path = seeds.join(name);
        if std::env::var_os("KVERIFY_SEEDS").is_some() {
            fs::create_dir_all(&seeds).unwrap();
            fs::write(&path, &seed).unwrap();
        }
        assert!(fs::read(&path).unwrap() == seed, "{name}");
        for kind in 0..=u8::MAX {
            hear(&[&[kind], &seed[1..]].concat());
        }
    }
}
