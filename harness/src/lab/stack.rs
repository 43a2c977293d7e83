//! TCP between kverify and guests, and the address resolution that it needs, by smoltcp. No socket of the host leads
//! out of here: each connection ends in one half of a pair, whose other half kverify holds.

use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, SocketAddrV4},
    os::unix::net::UnixStream as StdStream,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use smoltcp::{
    iface::{Config, Interface, SocketHandle, SocketSet},
    phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken},
    socket::tcp::{self, State},
    time::Instant,
    wire::{EthernetAddress, HardwareAddress, IpCidr, IpEndpoint},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UnixStream,
    sync::oneshot,
};

use crate::cloud::{METADATA, WIRE_SERVER};

use super::{
    address::{GATEWAY, GATEWAY_MAC, NAME_SERVER, PREFIX},
    frame::{self, Cards},
    random::Random,
};

/// Bytes of a frame without its checksum.
pub(super) const FRAME: usize = 1514;
/// How much of a connection is on its way in each direction, in bytes.
const WINDOW: usize = 256 * 1024;
/// The same of a connection to a service of ours, whose answers are short.
const SMALL_WINDOW: usize = 16 * 1024;
/// How long nothing may come from a guest: one that is gone must not hold a connection for ever.
const GONE: Duration = Duration::from_mins(5);
/// After how long without a word a guest is asked whether it is still there.
const ASKED: Duration = Duration::from_mins(1);
/// How many connections there may be at once.
const MOST: usize = 64;
/// How many of them guests may have opened: kverify's own way to them stays free.
const MOST_OF_GUESTS: usize = 32;
/// How many frames wait to be read by the stack, and how many wait to be sent by it.
const QUEUE: usize = 512;
/// From here on, nobody listens on ports.
const FIRST_EPHEMERAL: u16 = 49_152;

/// Whom a dial is answered to.
pub(super) type Dialler = oneshot::Sender<io::Result<StdStream>>;

/// The connections of a lab.
pub(super) struct Stack {
    device: Queues,
    interface: Interface,
    sockets: SocketSet<'static>,
    connections: Vec<Connection>,
    /// Those that guests opened, by what they opened them to, and nobody took yet.
    accepted: Vec<(SocketAddrV4, UnixStream)>,
    /// For ports: other ones in each fork, whose guests remember the connections of their origin.
    random: Random,
}

struct Connection {
    handle: SocketHandle,
    /// Whether it was a guest that opened it.
    of_guest: bool,
    end: End,
}

enum End {
    /// Whom it is opened for, and until when.
    Opening(Dialler, Instant),
    /// Where the guest opens it from, and what to.
    Expected(SocketAddrV4, SocketAddrV4),
    Open {
        host: UnixStream,
        host_done: bool,
        guest_done: bool,
    },
}

impl Stack {
    pub(super) fn new(seed: u64) -> Self {
        let mut device = Queues::default();
        let mut config = Config::new(HardwareAddress::Ethernet(GATEWAY_MAC));
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut device, Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            // There is room for four; it answers for these alone, and no frame for the services of clouds comes here
            // but where there is one.
            for (address, prefix) in [(GATEWAY, PREFIX), (NAME_SERVER, PREFIX), (METADATA, 32), (WIRE_SERVER, 32)] {
                let _ = addresses.push(IpCidr::new(address.into(), prefix));
            }
        });
        Self {
            device,
            interface,
            sockets: SocketSet::new(Vec::new()),
            connections: Vec::new(),
            accepted: Vec::new(),
            random: Random::new(seed),
        }
    }

    /// A frame for one of our addresses.
    pub(super) fn take(&mut self, frame: &[u8]) {
        if self.device.arrived.len() < QUEUE {
            self.device.arrived.push_back(frame.to_vec());
        }
    }

    /// Opens a connection to a guest; `dialler` hears once the guest has accepted it or refused, or at the deadline.
    pub(super) fn dial(
        &mut self,
        (address, card): (Ipv4Addr, EthernetAddress),
        port: u16,
        dialler: Dialler,
        (now, deadline): (Instant, Instant),
    ) {
        if self.connections.len() >= MOST {
            let _ = dialler.send(Err(io::Error::other(format!("{MOST} connections are open already"))));
            return;
        }
        // We know whom the address is given to; a question could be asked once a second only.
        self.take(&frame::behind(Cards { from: card, to: GATEWAY_MAC }, address, GATEWAY));
        self.interface.poll(now, &mut self.device, &mut self.sockets);
        let mut socket = new_socket(WINDOW);
        let from = (GATEWAY, self.free_port());
        let opened = socket.connect(self.interface.context(), IpEndpoint::new(address.into(), port), from);
        if let Err(error) = opened {
            let _ = dialler.send(Err(io::Error::other(error.to_string())));
            return;
        }
        let handle = self.sockets.add(socket);
        self.connections.push(Connection { handle, of_guest: false, end: End::Opening(dialler, deadline) });
    }

    /// A guest opens a connection to a service of ours: its first segment comes next. There is no backlog that it could
    /// wait in, so it has a socket of its own, once for however often it is sent.
    pub(super) fn expect(&mut self, guest: SocketAddrV4, service: SocketAddrV4) {
        let known = |one: &Connection| matches!(one.end, End::Expected(from, to) if (from, to) == (guest, service));
        if self.connections.iter().any(known) {
            return;
        }
        // One that still listens, for a segment that did not hold, would take the next in any case.
        let listens = |one: &&mut Connection| {
            matches!(one.end, End::Expected(_, to) if to == service)
                && self.sockets.get::<tcp::Socket<'_>>(one.handle).is_listening()
        };
        if let Some(free) = self.connections.iter_mut().find(listens) {
            free.end = End::Expected(guest, service);
            return;
        }
        let of_guests = self.connections.iter().filter(|one| one.of_guest).count();
        if self.connections.len() >= MOST || of_guests >= MOST_OF_GUESTS {
            // Of those that were never opened to their end, the oldest makes room: a flood shuts nobody out.
            let Some(oldest) = self.connections.iter().position(|one| matches!(one.end, End::Expected(..))) else {
                return;
            };
            self.sockets.remove(self.connections.remove(oldest).handle);
        }
        let mut socket = new_socket(SMALL_WINDOW);
        if socket.listen((*service.ip(), service.port())).is_ok() {
            let handle = self.sockets.add(socket);
            self.connections.push(Connection { handle, of_guest: true, end: End::Expected(guest, service) });
        }
    }

    /// The connections that guests opened since the last time, each with what it was opened to.
    pub(super) fn accepted(&mut self) -> Vec<(SocketAddrV4, UnixStream)> {
        std::mem::take(&mut self.accepted)
    }

    /// Moves what can be moved, and says whether anything was.
    pub(super) fn poll(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        self.interface.poll(now, &mut self.device, &mut self.sockets);
        let mut moved = false;
        let Self { sockets, connections, accepted, .. } = self;
        connections.retain_mut(|connection| {
            let socket = sockets.get_mut::<tcp::Socket<'_>>(connection.handle);
            moved |= connection.advance(socket, now, cx);
            moved |= connection.accept(socket, accepted);
            let over = match &connection.end {
                // Whoever dialled has heard.
                End::Opening(dialler, _) => dialler.is_closed(),
                // One that never came is taken by the next, which listens no more once it is there.
                End::Expected(..) => !socket.is_open(),
                // What the guest said before it closed may still be on its way to a host that reads slowly.
                End::Open { guest_done, .. } => {
                    matches!(socket.state(), State::Closed | State::TimeWait) && (*guest_done || !socket.can_recv())
                }
            };
            if over {
                socket.abort();
                // Its last word is sent with the others.
                self.interface.poll(now, &mut self.device, sockets);
                sockets.remove(connection.handle);
            }
            !over
        });
        if moved {
            self.interface.poll(now, &mut self.device, &mut self.sockets);
        }
        moved
    }

    /// How many connections there are, each with a socket.
    #[cfg(any(test, fuzzing))]
    pub(super) fn connections(&self) -> usize {
        assert_eq!(self.connections.len(), self.sockets.iter().count());
        self.connections.len()
    }

    /// How many frames wait at most, to be read or to be sent.
    #[cfg(any(test, fuzzing))]
    pub(super) fn queued(&self) -> usize {
        self.device.arrived.len().max(self.device.leaving.len())
    }

    /// When to come again at the latest.
    pub(super) fn poll_at(&mut self, now: Instant) -> Option<Instant> {
        let deadlines = self.connections.iter().filter_map(|connection| match connection.end {
            End::Opening(_, deadline) => Some(deadline),
            End::Expected(..) | End::Open { .. } => None,
        });
        deadlines.chain(self.interface.poll_at(now, &self.sockets)).min()
    }

    /// The next frame that it sends.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        self.device.leaving.pop_front()
    }

    fn free_port(&mut self) -> u16 {
        loop {
            let port = FIRST_EPHEMERAL + self.random.below(u16::MAX - FIRST_EPHEMERAL);
            let taken = self.sockets.iter().any(|(_, socket)| match socket {
                smoltcp::socket::Socket::Tcp(socket) => socket.local_endpoint().is_some_and(|its| its.port == port),
            });
            if !taken {
                return port;
            }
        }
    }
}

fn new_socket(window: usize) -> tcp::Socket<'static> {
    let buffer = || tcp::SocketBuffer::new(vec![0; window]);
    let mut socket = tcp::Socket::new(buffer(), buffer());
    socket.set_nagle_enabled(false);
    socket.set_timeout(Some(GONE.into()));
    socket.set_keep_alive(Some(ASKED.into()));
    socket
}

impl Connection {
    fn advance(&mut self, socket: &mut tcp::Socket<'_>, now: Instant, cx: &mut Context<'_>) -> bool {
        match &mut self.end {
            End::Opening(..) => self.open(socket, now),
            End::Expected(..) => false,
            End::Open { host, host_done, guest_done } => {
                let guest = to_host(socket, host, guest_done, cx);
                let back = to_guest(socket, host, host_done, cx);
                // Nobody is there any more.
                if matches!(guest, Poll::Ready(Err(_))) || matches!(back, Poll::Ready(Err(_))) {
                    *guest_done = true;
                    socket.abort();
                    return true;
                }
                guest.is_ready() || back.is_ready()
            }
        }
    }

    /// Hands over a connection that a guest opened, as soon as it is open.
    fn accept(&mut self, socket: &mut tcp::Socket<'_>, accepted: &mut Vec<(SocketAddrV4, UnixStream)>) -> bool {
        let End::Expected(_, to) = self.end else { return false };
        if !matches!(socket.state(), State::Established | State::CloseWait) {
            return false;
        }
        let pair = pair().and_then(|(host, service)| {
            service.set_nonblocking(true)?;
            Ok((host, UnixStream::from_std(service)?))
        });
        match pair {
            Ok((host, service)) => {
                accepted.push((to, service));
                self.end = End::Open { host, host_done: false, guest_done: false };
            }
            // The host has no descriptor left for it.
            Err(_) => socket.abort(),
        }
        true
    }

    /// Tells whoever dialled what came of it, as soon as something did.
    fn open(&mut self, socket: &tcp::Socket<'_>, now: Instant) -> bool {
        let End::Opening(dialler, deadline) = &mut self.end else { return false };
        let answer = match socket.state() {
            State::Established | State::CloseWait => pair(),
            State::Closed => Err(io::ErrorKind::ConnectionRefused.into()),
            _ if now >= *deadline => Err(io::ErrorKind::TimedOut.into()),
            _ => return false,
        };
        let (answer, host) = match answer {
            Ok((ours, theirs)) => (Ok(theirs), Some(ours)),
            Err(error) => (Err(error), None),
        };
        // A sender is used up by what it sends.
        let (unused, _) = oneshot::channel();
        let _ = std::mem::replace(dialler, unused).send(answer);
        if let Some(host) = host {
            self.end = End::Open { host, host_done: false, guest_done: false };
        }
        true
    }
}

/// Both halves of a connection within this process.
fn pair() -> io::Result<(UnixStream, StdStream)> {
    let (ours, theirs) = StdStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((UnixStream::from_std(ours)?, theirs))
}

/// Moves what the guest sent.
fn to_host(
    socket: &mut tcp::Socket<'_>,
    host: &mut UnixStream,
    done: &mut bool,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    let mut moved = Poll::Pending;
    while socket.can_recv() {
        let written = socket.recv(|bytes| match Pin::new(&mut *host).poll_write(cx, bytes) {
            Poll::Ready(Ok(length)) => (length, Poll::Ready(Ok(()))),
            Poll::Ready(Err(error)) => (0, Poll::Ready(Err(error))),
            Poll::Pending => (0, Poll::Pending),
        });
        match written.map_err(|error| io::Error::other(error.to_string()))? {
            Poll::Ready(result) => {
                result?;
                moved = Poll::Ready(Ok(()));
            }
            Poll::Pending => return moved,
        }
    }
    if !*done && !socket.may_recv() && socket.state() != State::SynReceived {
        ready!(Pin::new(host).poll_shutdown(cx))?;
        *done = true;
        moved = Poll::Ready(Ok(()));
    }
    moved
}

/// Moves what is for the guest.
fn to_guest(
    socket: &mut tcp::Socket<'_>,
    host: &mut UnixStream,
    done: &mut bool,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    let mut moved = Poll::Pending;
    while !*done && socket.can_send() {
        let read = socket.send(|room| {
            let mut buffer = ReadBuf::new(room);
            match Pin::new(&mut *host).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) => (buffer.filled().len(), Poll::Ready(Ok(buffer.filled().len()))),
                Poll::Ready(Err(error)) => (0, Poll::Ready(Err(error))),
                Poll::Pending => (0, Poll::Pending),
            }
        });
        match read.map_err(|error| io::Error::other(error.to_string()))? {
            Poll::Ready(length) => {
                if length? == 0 {
                    *done = true;
                    socket.close();
                }
                moved = Poll::Ready(Ok(()));
            }
            Poll::Pending => break,
        }
    }
    moved
}

/// The frames of a network card that is none.
#[derive(Default)]
pub(super) struct Queues {
    pub(super) arrived: VecDeque<Vec<u8>>,
    pub(super) leaving: VecDeque<Vec<u8>>,
}

pub(super) struct Arrived(Vec<u8>);

pub(super) struct Leaving<'a>(&'a mut VecDeque<Vec<u8>>);

impl Device for Queues {
    type RxToken<'a> = Arrived;
    type TxToken<'a> = Leaving<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Arrived, Leaving<'_>)> {
        // What arrives may be answered: without room for that it waits, and what comes then is lost.
        if self.leaving.len() >= QUEUE {
            return None;
        }
        let frame = self.arrived.pop_front()?;
        Some((Arrived(frame), Leaving(&mut self.leaving)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Leaving<'_>> {
        (self.leaving.len() < QUEUE).then_some(Leaving(&mut self.leaving))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME;
        capabilities
    }
}

impl RxToken for Arrived {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, with: F) -> R {
        with(&self.0)
    }
}

impl TxToken for Leaving<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, with: F) -> R {
        let mut frame = vec![0; length];
        let result = with(&mut frame);
        self.0.push_back(frame);
        result
    }
}

/// The time since a lab began, as smoltcp counts it.
pub(super) fn instant(since: Duration) -> Instant {
    Instant::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
