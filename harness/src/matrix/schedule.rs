//! Which row is begun next: the longest that there is room for, since what is begun last must not be what takes longest.
//!
//! Pure, so that it can be asked about machines that nobody has.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

/// What a row takes, and for how long.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// Its name.
    pub row: String,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Processors.
    pub cpus: u32,
    /// Seconds that it took before, if it was run.
    pub seconds: Option<f64>,
}

/// What there is to run rows on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Processors; a row that wants more runs alone.
    pub cpus: u32,
    /// The most rows at once.
    pub rows: usize,
}

/// Rows that wait, and what is left of the room.
#[derive(Clone, Debug)]
pub struct Queue {
    /// The next to be begun last.
    waiting: Vec<Waiting>,
    room: Room,
    memory: u64,
    cpus: u32,
    running: usize,
}

#[derive(Clone, Debug)]
struct Waiting {
    number: usize,
    memory: u64,
    cpus: u32,
}

impl Queue {
    /// All rows, by how long they took, those that nobody knows first; of rows that take equally long the first is begun first.
    #[must_use]
    pub fn new(loads: &[Load], room: Room) -> Self {
        let mut waiting: Vec<_> = loads.iter().enumerate().collect();
        waiting.sort_by(|one, other| longest_first(*one, *other).reverse());
        let waiting = waiting.into_iter().map(|(number, load)| Waiting {
            number,
            memory: load.memory_mib,
            // One that wants more than there is has all of it.
            cpus: load.cpus.min(room.cpus),
        });
        Self { waiting: waiting.collect(), room, memory: 0, cpus: 0, running: 0 }
    }

    /// The row to begin now; `None` where none waits, or there is no room for any.
    pub fn begin(&mut self) -> Option<usize> {
        if self.running >= self.room.rows {
            return None;
        }
        let fits =
            |one: &Waiting| self.memory + one.memory <= self.room.memory_mib && self.cpus + one.cpus <= self.room.cpus;
        let at = self.waiting.iter().rposition(fits)?;
        let Waiting { number, memory, cpus } = self.waiting.remove(at);
        self.memory += memory;
        self.cpus += cpus;
        self.running += 1;
        Some(number)
    }

    /// The rows that want more memory than there is; none of them is begun.
    pub fn without_room(&mut self) -> Vec<usize> {
        let most = self.room.memory_mib;
        let without: Vec<_> = self.waiting.iter().filter(|one| one.memory > most).map(|one| one.number).collect();
        self.waiting.retain(|one| one.memory <= most);
        without
    }

    /// A row is over.
    pub fn ended(&mut self, load: &Load) {
        self.memory -= load.memory_mib;
        self.cpus -= load.cpus.min(self.room.cpus);
        self.running -= 1;
    }

    /// Those that were not begun, the next first; none of them is begun any more.
    pub fn drop_waiting(&mut self) -> Vec<usize> {
        self.waiting.drain(..).rev().map(|one| one.number).collect()
    }
}

/// The order in which rows are begun.
fn longest_first(one: (usize, &Load), other: (usize, &Load)) -> Ordering {
    let known = |load: &Load| load.seconds.unwrap_or(f64::INFINITY);
    known(other.1).total_cmp(&known(one.1)).then_with(|| one.0.cmp(&other.0))
}

/// The rows of each of `shards` machines that are alike, by their numbers: the same for the same rows and times, wherever it is
/// asked, and as even as longest-first makes it.
#[must_use]
pub fn shared_out(loads: &[Load], shards: usize) -> Vec<Vec<usize>> {
    let usual = usual(loads);
    let mut order: Vec<_> = loads.iter().enumerate().collect();
    order.sort_by(|one, other| longest_first(*one, *other));
    let mut parts = vec![Vec::new(); shards];
    let mut least: BinaryHeap<Reverse<(Seconds, usize)>> =
        (0..shards).map(|part| Reverse((Seconds(0.0), part))).collect();
    for (number, load) in order {
        let Some(Reverse((Seconds(so_far), part))) = least.pop() else { break };
        parts[part].push(number);
        least.push(Reverse((Seconds(so_far + load.seconds.unwrap_or(usual)), part)));
    }
    for numbers in &mut parts {
        numbers.sort_unstable();
    }
    parts
}

/// What a row is taken to last that nobody has run: as long as the others on average, or all alike.
fn usual(loads: &[Load]) -> f64 {
    let known: Vec<_> = loads.iter().filter_map(|load| load.seconds).collect();
    #[expect(clippy::cast_precision_loss, reason = "nobody has so many rows")]
    let count = known.len() as f64;
    if known.is_empty() { 1.0 } else { known.iter().sum::<f64>() / count }
}

/// Seconds that can be compared; none is no number.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seconds(f64);

impl Eq for Seconds {}

impl PartialOrd for Seconds {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Seconds {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// How long all rows take where each takes as long as before: what [`Queue`] makes of them.
#[must_use]
pub fn foreseen(loads: &[Load], room: Room) -> f64 {
    let usual = usual(loads);
    let mut queue = Queue::new(loads, room);
    let mut running: BinaryHeap<Reverse<(Seconds, usize)>> = BinaryHeap::new();
    let mut now = 0.0;
    loop {
        while let Some(number) = queue.begin() {
            running.push(Reverse((Seconds(now + loads[number].seconds.unwrap_or(usual)), number)));
        }
        let Some(Reverse((Seconds(then), number))) = running.pop() else { return now };
        now = then;
        queue.ended(&loads[number]);
    }
}

#[cfg(test)]
mod tests {
    use super::{Load, Queue, Room, foreseen, shared_out};

    fn load(row: &str, memory_mib: u64, cpus: u32, seconds: f64) -> Load {
        Load { row: row.to_owned(), memory_mib, cpus, seconds: Some(seconds) }
    }

    const ROOM: Room = Room { memory_mib: 8192, cpus: 4, rows: 16 };

    fn begun(queue: &mut Queue) -> Vec<usize> {
        std::iter::from_fn(|| queue.begin()).collect()
    }

    #[test]
    fn the_longest_that_fits_is_begun_first() {
        let unknown = Load { seconds: None, ..load("d", 1024, 1, 0.0) };
        let loads = [load("a", 2048, 2, 10.0), load("b", 2048, 2, 30.0), load("c", 2048, 2, 30.0), unknown];
        let mut queue = Queue::new(&loads, ROOM);
        assert_eq!(begun(&mut queue), [3, 1], "c wants two more processors than are left");
        queue.ended(&loads[3]);
        assert_eq!(begun(&mut queue), [2]);
        queue.ended(&loads[1]);
        assert_eq!(begun(&mut queue), [0]);
    }

    #[test]
    fn memory_and_the_number_of_rows_limit_too() {
        let loads = [load("a", 5000, 1, 1.0), load("b", 5000, 1, 2.0), load("c", 3000, 1, 0.5)];
        let mut queue = Queue::new(&loads, ROOM);
        assert_eq!(begun(&mut queue), [1, 2], "a smaller one goes ahead of one that has no room");
        assert_eq!(queue.drop_waiting(), [0]);
        let mut queue = Queue::new(&loads, Room { rows: 1, ..ROOM });
        assert_eq!(begun(&mut queue), [1]);
        let mut queue = Queue::new(&loads, Room { memory_mib: 4000, ..ROOM });
        assert_eq!(queue.without_room(), [0, 1]);
        assert_eq!(begun(&mut queue), [2]);
    }

    #[test]
    fn one_that_wants_more_processors_than_there_are_runs_alone() {
        let loads = [load("a", 1024, 8, 9.0), load("b", 1024, 1, 1.0)];
        let mut queue = Queue::new(&loads, ROOM);
        assert_eq!(begun(&mut queue), [0]);
        queue.ended(&loads[0]);
        assert_eq!(begun(&mut queue), [1]);
    }

    /// Numbers that are the same in every run, from 30 to 630 seconds.
    fn many(count: usize) -> Vec<Load> {
        let mut state = 2026_u64;
        let loads = (0..count).map(|number| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let seconds = 30.0 + f64::from(u16::try_from(state >> 48).unwrap()) / 65_536.0 * 600.0;
            load(&format!("row-{number}"), 2048, 2, seconds)
        });
        loads.collect()
    }

    #[test]
    fn ten_thousand_rows_over_two_hundred_workers_are_shared_out_evenly() {
        let loads = many(10_000);
        let all: f64 = loads.iter().filter_map(|load| load.seconds).sum();
        let shared = shared_out(&loads, 200);
        let longest = |numbers: &Vec<usize>| numbers.iter().filter_map(|number| loads[*number].seconds).sum::<f64>();
        let worst = shared.iter().map(longest).fold(0.0, f64::max);
        assert!(worst <= all / 200.0 * 1.05, "{worst} of {}", all / 200.0);
        let mut numbers: Vec<_> = shared.concat();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..10_000).collect::<Vec<_>>(), "each once");
        assert_eq!(shared, shared_out(&loads, 200), "the same wherever it is asked");
        let workers = Room { memory_mib: 2048 * 200, cpus: 400, rows: 200 };
        let took = foreseen(&loads, workers);
        assert!(took <= all / 200.0 * 1.05, "{took}");
    }

    #[test]
    fn rows_that_nobody_has_run_are_shared_out_too() {
        let loads: Vec<_> = (0..5).map(|n| Load { seconds: None, ..load(&format!("{n}"), 1, 1, 0.0) }).collect();
        let sizes: Vec<_> = shared_out(&loads, 3).iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 2, 1]);
        let mixed = [load("a", 1, 1, 100.0), Load { seconds: None, ..load("b", 1, 1, 0.0) }];
        assert_eq!(shared_out(&mixed, 2).iter().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
    }
}
