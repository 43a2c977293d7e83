//! The task that moves frames: between machines, and between each and the gateway.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use kverify_checks::step::Network;
use smoltcp::wire::{EthernetAddress, EthernetFrame};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, Sleep, sleep_until},
};

use super::{
    Order,
    address::{GATEWAY_MAC, card_of},
    capture::Capture,
    crossing::Crossings,
    gateway::Gateway,
    random::Random,
    stack::instant,
    wire::Wire,
};

/// How many frames of a machine are taken before the others have their turn.
const TURN: usize = 64;
/// How many turns are taken before other tasks have theirs.
const TURNS: usize = 16;
/// How many frames may be on their way where that takes time; what comes then is lost.
const ON_THE_WAY: usize = 4096;
/// How far ahead a timer is set that nothing needs.
const NEVER: Duration = Duration::from_hours(1);

/// The switch of a lab, and the gateway on it.
pub(super) struct Switch {
    /// By machine; nothing where no QEMU is plugged in, or it has gone.
    wires: Vec<Option<Wire>>,
    gateway: Gateway,
    orders: mpsc::UnboundedReceiver<Order>,
    began: Instant,
    timer: Pin<Box<Sleep>>,
    random: Random,
    /// When each arrives, and what; all take the same time, so that they stay in their order.
    on_the_way: VecDeque<(Instant, Hop)>,
    crossings: Crossings,
    /// When the network is well again, where it is not, and who hears of it.
    heals: Option<(Instant, oneshot::Sender<()>)>,
    /// Where frames are seen as well.
    capture: Option<Capture>,
}

/// A frame on a cable.
enum Hop {
    From(u8, Vec<u8>),
    To(u8, Vec<u8>),
}

impl Switch {
    pub(super) fn new(machines: u8, orders: mpsc::UnboundedReceiver<Order>, seed: u64, gateway: Gateway) -> Self {
        let began = Instant::now();
        Self {
            wires: (0..machines).map(|_| None).collect(),
            gateway,
            orders,
            began,
            timer: Box::pin(sleep_until(began + NEVER)),
            random: Random::new(seed.rotate_left(32)),
            on_the_way: VecDeque::new(),
            crossings: Crossings::default(),
            heals: None,
            capture: None,
        }
    }

    fn now(&self) -> smoltcp::time::Instant {
        instant(self.began.elapsed())
    }

    /// Does what it was told; gives false once nobody can tell it any more.
    fn obey(&mut self, cx: &mut Context<'_>) -> bool {
        while let Poll::Ready(order) = self.orders.poll_recv(cx) {
            match order {
                None => return false,
                Some(Order::Dial { machine, port, limit, dialler }) => {
                    let now = self.now();
                    self.gateway.dial(machine, port, dialler, (now, now + limit.into()));
                }
                Some(Order::Plug(machine, wire)) => {
                    if let Some(place) = self.wires.get_mut(usize::from(machine)) {
                        *place = Some(wire);
                    }
                }
                Some(Order::Crossed(answer)) => drop(answer.send(self.crossings.take())),
                Some(Order::Be(network, healed)) => self.be(network, healed),
                Some(Order::Names(answer)) => drop(answer.send(self.gateway.names())),
                Some(Order::Capture(capture)) => self.capture = Some(capture),
                Some(Order::AddressOf(name, answer)) => drop(answer.send(self.gateway.address_of(&name))),
            }
        }
        true
    }

    /// The network is like this from now on: what it was before is over, its healing too.
    fn be(&mut self, network: Network, healed: oneshot::Sender<()>) {
        self.gateway.network = network;
        let at = network.heals_after.and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds)));
        self.heals = at.map(|at| (at, healed));
    }

    /// Makes the network well once that is due.
    fn heal(&mut self) -> bool {
        let Some((_, healed)) = self.heals.take_if(|(at, _)| *at <= Instant::now()) else { return false };
        self.gateway.network = self.gateway.network.healed();
        // Nobody may be waiting for it.
        let _ = healed.send(());
        true
    }

    /// Takes a turn of frames from each machine.
    fn listen(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        for machine in 0..self.wires.len() {
            for _ in 0..TURN {
                let Some(wire) = &mut self.wires[machine] else { break };
                match wire.poll_frame(cx) {
                    Poll::Ready(Some(frame)) => {
                        moved = true;
                        self.go(Hop::From(u8::try_from(machine).unwrap_or(u8::MAX), frame));
                    }
                    Poll::Ready(None) => self.wires[machine] = None,
                    Poll::Pending => break,
                }
            }
        }
        moved
    }

    /// Lets a frame go its way, or be lost on it.
    fn go(&mut self, hop: Hop) {
        let network = self.gateway.network;
        if network.loss > 0 && self.random.below(100) < u16::from(network.loss) {
            return;
        }
        if network.latency == 0 && self.on_the_way.is_empty() {
            self.arrive(hop);
        } else if self.on_the_way.len() < ON_THE_WAY {
            self.on_the_way.push_back((Instant::now() + Duration::from_millis(network.latency.into()), hop));
        }
    }

    fn arrive(&mut self, hop: Hop) {
        if let (Some(capture), Hop::From(_, frame) | Hop::To(_, frame)) = (&self.capture, &hop) {
            capture.frame(frame);
        }
        match hop {
            Hop::To(machine, frame) => {
                if let Some(Some(wire)) = self.wires.get_mut(usize::from(machine)) {
                    wire.send(&frame);
                }
            }
            Hop::From(machine, bytes) => {
                let Ok(frame) = EthernetFrame::new_checked(bytes.as_slice()) else { return };
                let to = frame.dst_addr();
                if to.is_unicast() && to != GATEWAY_MAC {
                    self.crossings.note(&frame);
                }
                self.forward(Some(machine), to, &bytes);
                if (to == GATEWAY_MAC || !to.is_unicast())
                    && let Some(answer) = self.gateway.answer(machine, &bytes)
                {
                    self.go(Hop::To(machine, answer));
                }
            }
        }
    }

    /// To the machines that it is for, but for the one that it is from.
    fn forward(&mut self, from: Option<u8>, to: EthernetAddress, frame: &[u8]) {
        for machine in (0..self.wires.len()).filter_map(|machine| u8::try_from(machine).ok()) {
            if Some(machine) != from && (!to.is_unicast() || to.0 == card_of(machine)) {
                self.go(Hop::To(machine, frame.to_vec()));
            }
        }
    }

    /// Lets arrive what was on its way for long enough.
    fn deliver(&mut self) -> bool {
        let mut moved = false;
        while let Some((due, _)) = self.on_the_way.front()
            && *due <= Instant::now()
            && let Some((_, hop)) = self.on_the_way.pop_front()
        {
            self.arrive(hop);
            moved = true;
        }
        moved
    }

    /// Whether no cable takes more. One of several that does not read loses what is for it, and keeps nobody waiting.
    fn is_blocked(&self) -> bool {
        let mut wires = self.wires.iter().flatten().peekable();
        wires.peek().is_some() && wires.all(Wire::is_full)
    }

    /// Sends what connections have to say, while cables take it.
    fn speak(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = self.gateway.poll(self.now(), cx);
        while !self.is_blocked()
            && let Some(bytes) = self.gateway.next()
        {
            moved = true;
            let Ok(frame) = EthernetFrame::new_checked(bytes.as_slice()) else { continue };
            self.forward(None, frame.dst_addr(), &bytes);
        }
        for wire in self.wires.iter_mut().flatten() {
            moved |= wire.poll_flush(cx);
        }
        moved
    }

    /// When to come again although nothing arrived.
    fn wake_at(&mut self) -> Instant {
        let (now, began) = (self.now(), self.began);
        let timer = self.gateway.poll_at(now);
        // A stack that cannot send has nothing to wait for but the cable.
        let blocked = self.is_blocked();
        let timer = timer
            .filter(|_| !blocked)
            .map(|at| began + Duration::from_micros(u64::try_from(at.total_micros()).unwrap_or_default()));
        let arrival = self.on_the_way.front().map(|(due, _)| *due);
        let healing = self.heals.as_ref().map(|(at, _)| *at);
        timer.into_iter().chain(arrival).chain(healing).min().unwrap_or_else(|| Instant::now() + NEVER)
    }
}

impl Future for Switch {
    type Output = ();

    /// Ends once the lab is dropped.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..TURNS {
            if !self.obey(cx) {
                return Poll::Ready(());
            }
            let moved = self.heal() | self.listen(cx) | self.deliver() | self.speak(cx);
            if moved {
                continue;
            }
            let at = self.wake_at();
            self.timer.as_mut().reset(at);
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc, time::Duration};

    use futures_util::poll;
    use jiff::Timestamp;
    use kverify_checks::step::{NameServer, Network};
    use tokio::{
        sync::{
            mpsc,
            oneshot::{self, error::TryRecvError},
        },
        time::sleep,
    };

    use super::{
        super::{clock::Clock, dns::Names, egress::Egress},
        Gateway, Order, Switch,
    };

    /// A switch without wires, and who tells it what to be.
    fn switch() -> (Switch, impl Fn(Network) -> oneshot::Receiver<()>) {
        let (orders, receiver) = mpsc::unbounded_channel();
        let clock = Arc::new(Clock::from(Timestamp::UNIX_EPOCH));
        let gateway = Gateway::new(7, Names::new(7, BTreeMap::new(), None), clock, Arc::new(Egress::new()), None);
        let be = move |network| {
            let (healed, hears) = oneshot::channel();
            orders.send(Order::Be(network, healed)).ok().unwrap();
            hears
        };
        (Switch::new(0, receiver, 7, gateway), be)
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_heals_when_it_is_due_and_says_so() {
        let (mut switch, be) = switch();
        let hurt = Network { dhcp: false, heals_after: Some(60), ..Network::default() };
        let mut hears = be(hurt);
        assert!(poll!(&mut switch).is_pending());
        sleep(Duration::from_millis(59_990)).await;
        assert!(poll!(&mut switch).is_pending());
        assert_eq!((switch.gateway.network, hears.try_recv()), (hurt, Err(TryRecvError::Empty)));
        sleep(Duration::from_millis(20)).await;
        assert!(poll!(&mut switch).is_pending());
        assert_eq!((switch.gateway.network, hears.try_recv()), (Network::default(), Ok(())));
    }

    #[tokio::test(start_paused = true)]
    async fn it_wakes_for_it_by_itself() {
        let (switch, be) = switch();
        let hears = be(Network { time: false, heals_after: Some(7000), ..Network::default() });
        let began = tokio::time::Instant::now();
        tokio::select! {
            () = switch => unreachable!("it is still told what to be"),
            word = hears => word.unwrap(),
        }
        let after = began.elapsed().as_secs();
        assert_eq!(after, 7000);
        drop(be);
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_step_replaces_an_earlier_one_and_its_healing() {
        let (mut switch, be) = switch();
        let mut first = be(Network { cable: false, dhcp: false, heals_after: Some(60), ..Network::default() });
        assert!(poll!(&mut switch).is_pending());
        sleep(Duration::from_secs(30)).await;
        let later = Network { names: NameServer::Silent, heals_after: Some(90), ..Network::default() };
        let mut second = be(later);
        assert!(poll!(&mut switch).is_pending());
        assert_eq!((switch.gateway.network, first.try_recv()), (later, Err(TryRecvError::Closed)));
        // The first one's would be due, the second one's is not.
        sleep(Duration::from_mins(1)).await;
        assert!(poll!(&mut switch).is_pending());
        assert_eq!((switch.gateway.network, second.try_recv()), (later, Err(TryRecvError::Empty)));
        // One that does not heal, or in no time that there is, stays.
        for heals_after in [None, Some(u64::MAX)] {
            let last = Network { loss: 10, heals_after, ..Network::default() };
            be(last);
            assert!(poll!(&mut switch).is_pending());
            sleep(Duration::from_hours(24)).await;
            assert!(poll!(&mut switch).is_pending());
            assert_eq!((switch.gateway.network, second.try_recv()), (last, Err(TryRecvError::Closed)));
        }
    }
}
