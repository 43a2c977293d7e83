//! A guest that opens connections, played by smoltcp on a bench: no threads, and a clock of its own.

use std::{
    net::SocketAddrV4,
    time::{Duration, Instant},
};

use smoltcp::{
    iface::{Config, Interface, SocketHandle, SocketSet},
    socket::tcp,
    wire::{HardwareAddress, IpCidr, IpEndpoint},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

use super::{
    super::{
        address::{GATEWAY, of_machine},
        stack::{Queues, instant},
    },
    Bench, GUEST,
};

/// The first machine.
pub(super) struct Client {
    device: Queues,
    interface: Interface,
    sockets: SocketSet<'static>,
    ports: std::ops::RangeFrom<u16>,
    began: Instant,
}

impl Client {
    pub(super) fn new() -> Self {
        let mut device = Queues::default();
        let config = Config::new(HardwareAddress::Ethernet(GUEST));
        let mut interface = Interface::new(config, &mut device, instant(Duration::ZERO));
        interface.update_ip_addrs(|addresses| addresses.push(IpCidr::new(of_machine(0).into(), 24)).unwrap());
        interface.routes_mut().add_default_ipv4_route(GATEWAY).unwrap();
        Self { device, interface, sockets: SocketSet::new(Vec::new()), ports: 40_000.., began: Instant::now() }
    }

    /// Begins to open a connection.
    pub(super) fn open(&mut self, to: SocketAddrV4) -> SocketHandle {
        let buffer = || tcp::SocketBuffer::new(vec![0; 64 * 1024]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        let from = self.ports.next().unwrap();
        socket.connect(self.interface.context(), IpEndpoint::new((*to.ip()).into(), to.port()), from).unwrap();
        self.sockets.add(socket)
    }

    /// Waits for a connection.
    pub(super) fn listen(&mut self, port: u16) -> SocketHandle {
        let buffer = || tcp::SocketBuffer::new(vec![0; 64 * 1024]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.listen(port).unwrap();
        self.sockets.add(socket)
    }

    /// Drops a connection without a word.
    pub(super) fn forget(&mut self, handle: SocketHandle) {
        self.sockets.remove(handle);
    }

    pub(super) fn socket(&mut self, handle: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(handle)
    }

    /// What it says by now.
    pub(super) fn say(&mut self, bench: &Bench) -> Vec<Vec<u8>> {
        self.interface.poll(instant(bench.age), &mut self.device, &mut self.sockets);
        self.device.leaving.drain(..).collect()
    }

    /// What it is to hear of next.
    pub(super) fn hear(&mut self, frames: Vec<Vec<u8>>) {
        self.device.arrived.extend(frames);
    }

    /// Lets frames go to and fro for a tenth of a second of theirs, in which what serves connections has its turns.
    pub(super) async fn run(&mut self, bench: &mut Bench) {
        for _ in 0..100 {
            bench.age += Duration::from_millis(1);
            let said = self.say(bench);
            self.hear(said.iter().flat_map(|frame| bench.say(frame)).collect());
            self.hear(bench.speak());
            tokio::task::yield_now().await;
        }
    }

    /// Lets frames go over a cable until something is so; that has to come within five seconds.
    pub(super) async fn run_over(&mut self, cable: &mut UnixStream, mut until: impl FnMut(&mut Self) -> bool) {
        let (deadline, mut arrived) = (Instant::now() + Duration::from_secs(5), Vec::new());
        while !until(self) {
            assert!(Instant::now() < deadline);
            self.interface.poll(instant(self.began.elapsed()), &mut self.device, &mut self.sockets);
            for frame in self.device.leaving.drain(..) {
                cable.write_u32(u32::try_from(frame.len()).unwrap()).await.unwrap();
                cable.write_all(&frame).await.unwrap();
            }
            let _ = timeout(Duration::from_millis(5), cable.read_buf(&mut arrived)).await;
            while let Some((length, rest)) = arrived.split_at_checked(4) {
                let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
                let Some(frame) = rest.get(..length) else { break };
                self.device.arrived.push_back(frame.to_vec());
                arrived.drain(..4 + length);
            }
        }
        assert!(arrived.is_empty(), "half a frame");
    }

    /// What came over a connection since the last time.
    pub(super) fn heard(&mut self, handle: SocketHandle) -> Vec<u8> {
        let socket = self.socket(handle);
        let mut bytes = vec![0; socket.recv_queue()];
        if !bytes.is_empty() {
            socket.recv_slice(&mut bytes).unwrap();
        }
        bytes
    }
}
