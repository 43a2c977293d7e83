//! Connections that kverify opens, when one side is slow.

use std::{
    io::{ErrorKind, Read},
    net::Shutdown,
    os::unix::net::UnixStream,
    time::Duration,
};

use smoltcp::{iface::SocketHandle, socket::tcp::State};
use tokio::sync::oneshot;

use super::{super::stack::instant, Bench, client::Client};

/// A connection to a guest: our end, and the guest's.
async fn dialled(bench: &mut Bench, client: &mut Client) -> (UnixStream, SocketHandle) {
    let guest = client.listen(7);
    let (dialler, answer) = oneshot::channel();
    let now = instant(bench.age);
    bench.gateway.dial(0, 7, dialler, (now, now + Duration::from_secs(5).into()));
    client.run(bench).await;
    (answer.await.unwrap().unwrap(), guest)
}

/// Lets a guest send all of this while nobody reads, as far as it goes.
async fn send(bench: &mut Bench, client: &mut Client, guest: SocketHandle, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let sent = client.socket(guest).send_slice(bytes).unwrap();
        client.run(bench).await;
        bytes = &bytes[sent..];
    }
}

/// What comes until the end, while the guest and the gateway go on.
async fn read(bench: &mut Bench, client: &mut Client, mut host: UnixStream) -> (Vec<u8>, std::io::Result<usize>) {
    host.set_nonblocking(true).unwrap();
    let (mut all, mut chunk) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        match host.read(&mut chunk) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => client.run(bench).await,
            Ok(length) if length > 0 => all.extend_from_slice(&chunk[..length]),
            end => return (all, end),
        }
    }
}

#[tokio::test]
async fn what_a_guest_said_before_it_closed_comes_to_a_slow_reader_whole() {
    // More than the cable within the host takes, and less than that and the window together.
    let said: Vec<u8> = (0..300_000_u32).map(|number| (number / 3).to_le_bytes()[0]).collect();
    for guest_first in [true, false] {
        let mut bench = Bench::new(None);
        let mut client = Client::new();
        let (host, guest) = dialled(&mut bench, &mut client).await;
        send(&mut bench, &mut client, guest, &said).await;
        if !guest_first {
            host.shutdown(Shutdown::Write).unwrap();
            client.run(&mut bench).await;
        }
        client.socket(guest).close();
        client.run(&mut bench).await;
        if guest_first {
            host.shutdown(Shutdown::Write).unwrap();
            client.run(&mut bench).await;
        }
        let ended = client.socket(guest).state();
        assert!(matches!(ended, State::Closed | State::TimeWait), "the guest has done: {ended}");
        let (all, end) = read(&mut bench, &mut client, host).await;
        assert!(all == said, "{} of {} bytes", all.len(), said.len());
        assert_eq!(end.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_connection_whose_reader_has_gone_is_over() {
    let mut bench = Bench::new(None);
    let mut client = Client::new();
    let (host, guest) = dialled(&mut bench, &mut client).await;
    send(&mut bench, &mut client, guest, &vec![1; 300_000]).await;
    drop(host);
    client.run(&mut bench).await;
    assert_eq!(client.socket(guest).state(), State::Closed, "reset");
    assert_eq!(bench.gateway.connections(), 0);
}

#[tokio::test]
async fn a_connection_on_which_nobody_says_anything_stays_until_the_guest_has_gone() {
    let mut bench = Bench::new(None);
    let mut client = Client::new();
    let (mut host, guest) = dialled(&mut bench, &mut client).await;
    host.set_nonblocking(true).unwrap();
    for _ in 0..60 {
        bench.age += Duration::from_secs(30);
        client.run(&mut bench).await;
    }
    assert_eq!(client.socket(guest).state(), State::Established, "after half an hour");
    client.socket(guest).send_slice(b"settled").unwrap();
    client.run(&mut bench).await;
    let mut heard = [0; 16];
    assert_eq!(host.read(&mut heard).unwrap(), 7);
    client.forget(guest);
    for _ in 0..30 {
        bench.age += Duration::from_secs(30);
        bench.speak();
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.gateway.connections(), 0, "nobody has answered for a quarter of an hour");
}
