//! The task that moves frames: between machines, and between each and the gateway.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use smoltcp::wire::{EthernetAddress, EthernetFrame};
use tokio::{
    sync::mpsc,
    time::{Sleep, sleep_until},
};

use super::{
    Order,
    address::{GATEWAY_MAC, card_of},
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
            timer: Box::pin(sleep_until((began + NEVER).into())),
            random: Random::new(seed.rotate_left(32)),
            on_the_way: VecDeque::new(),
            crossings: Crossings::default(),
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
                Some(Order::Be(network)) => self.gateway.network = network,
                Some(Order::Names(answer)) => drop(answer.send(self.gateway.names())),
                Some(Order::AddressOf(name, answer)) => drop(answer.send(self.gateway.address_of(&name))),
            }
        }
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

    /// Sends what connections have to say, while cables take it.
    fn speak(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = self.gateway.poll(self.now(), cx);
        while !self.wires.iter().flatten().any(Wire::is_full)
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
        let blocked = self.wires.iter().flatten().any(Wire::is_full);
        let timer = timer
            .filter(|_| !blocked)
            .map(|at| began + Duration::from_micros(u64::try_from(at.total_micros()).unwrap_or_default()));
        let arrival = self.on_the_way.front().map(|(due, _)| *due);
        timer.into_iter().chain(arrival).min().unwrap_or_else(|| Instant::now() + NEVER)
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
            let moved = self.listen(cx) | self.deliver() | self.speak(cx);
            if moved {
                continue;
            }
            let at = self.wake_at();
            self.timer.as_mut().reset(at.into());
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
