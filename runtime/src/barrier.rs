//! Waiting: first spinning, since a step takes microseconds, then yielding, then parked, since a core may be taken.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use crate::sync::{AtomicU32, Condvar, Mutex, MutexGuard, Ordering};

/// How long a waiter spins before it yields. Steps of a network end within a few microseconds of each other; where they do not,
/// the other worker may be waiting for this very core. It is a time, since CPUs differ tenfold in how long one turn of the spin
/// loop takes.
const SPIN: Duration = Duration::from_micros(5);

/// Turns of the spin loop between two looks at the clock.
const TURNS: u32 = 32;

/// How long a waiter spins and yields before it parks: several times what parking and waking would cost.
const YIELD: Duration = Duration::from_micros(100);

/// A counter whose changes can be waited for (Reed and Kanodia, Synchronization with Eventcounts and Sequencers, 1979); it
/// begins again after 2^31 of them.
#[derive(Debug, Default)]
pub struct EventCount {
    /// Twice the count, and [`PARKED`]. That both are one word orders them: who parks sees the new count, or who counts
    /// sees that somebody parks.
    state: AtomicU32,
    /// Held by who parks from before it marks until it waits, and by who takes the mark away.
    lock: Mutex<()>,
    changed: Condvar,
}

/// The mark that a waiter may be parked.
const PARKED: u32 = 1;
/// What the state grows by when the count grows by one.
const ONE: u32 = 2;

impl EventCount {
    /// The count now.
    pub fn count(&self) -> u32 {
        self.state.load(Ordering::Acquire) / ONE
    }

    /// Adds one and wakes all who wait. What was written before is visible to whoever sees the new count.
    pub fn advance(&self) {
        if self.state.fetch_add(ONE, Ordering::Release) & PARKED != 0 {
            let guard = self.locked();
            // Whoever parks for a later count marks again when it is woken.
            self.state.fetch_and(!PARKED, Ordering::Relaxed);
            drop(guard);
            self.changed.notify_all();
        }
    }

    /// Returns the count as soon as it is not `old`.
    pub fn wait(&self, old: u32) -> u32 {
        if !self.spin(old) {
            self.park(old);
        }
        self.count()
    }

    /// Whether the count changed while spinning and yielding.
    fn spin(&self, old: u32) -> bool {
        let turns = |event: &EventCount| {
            (0..TURNS).any(|_| {
                std::hint::spin_loop();
                event.count() != old
            })
        };
        if self.count() != old {
            return true;
        }
        // There one look stands for all: loom tries whatever it may see.
        if cfg!(loom) {
            return false;
        }
        let begin = Instant::now();
        while begin.elapsed() < YIELD {
            if turns(self) {
                return true;
            }
            if begin.elapsed() >= SPIN {
                std::thread::yield_now();
            }
        }
        false
    }

    fn park(&self, old: u32) {
        let mark = |state: u32| (state / ONE == old).then_some(state | PARKED);
        let mut guard = self.locked();
        while self.state.fetch_update(Ordering::Acquire, Ordering::Acquire, mark).is_ok() {
            guard = self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn locked(&self) -> MutexGuard<'_, ()> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a fixed number of workers meet again and again.
#[derive(Debug)]
pub struct Barrier {
    workers: u32,
    arrived: AtomicU32,
    round: EventCount,
}

impl Barrier {
    /// A barrier for `workers`.
    pub fn new(workers: u32) -> Barrier {
        Barrier { workers, arrived: AtomicU32::new(0), round: EventCount::default() }
    }

    /// Returns when all workers have called it; what each wrote before is visible to all after.
    pub fn wait(&self) {
        let round = self.round.count();
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.workers {
            self.arrived.store(0, Ordering::Release);
            self.round.advance();
        } else {
            self.round.wait(round);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn nobody_leaves_a_barrier_before_all_have_come() {
        for workers in 1..5 {
            let barrier = Barrier::new(workers);
            let steps = AtomicUsize::new(0);
            std::thread::scope(|scope| {
                for _ in 0..workers {
                    scope.spawn(|| {
                        for round in 1..200 {
                            steps.fetch_add(1, Ordering::Relaxed);
                            barrier.wait();
                            assert_eq!(steps.load(Ordering::Relaxed), round * workers as usize);
                            barrier.wait();
                        }
                    });
                }
            });
        }
    }

    #[test]
    fn a_parked_waiter_wakes() {
        let event = EventCount::default();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| event.wait(0));
            while event.state.load(Ordering::Relaxed) & PARKED == 0 {
                std::thread::yield_now();
            }
            event.advance();
            assert_eq!(waiter.join().expect("the waiter returns"), 1);
        });
        assert_eq!(event.state.into_inner(), ONE, "nobody is parked any more");
    }

    #[test]
    fn the_count_begins_again() {
        let event = EventCount { state: AtomicU32::new(u32::MAX - PARKED), ..EventCount::default() };
        event.advance();
        assert_eq!(event.wait(u32::MAX / ONE), 0);
    }
}
