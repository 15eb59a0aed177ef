//! Waiting: first spinning, since a step takes microseconds, then yielding, then parked, since a core may be taken.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use crate::sync::{AtomicU32, Condvar, Mutex, MutexGuard, Ordering};

/// How long a waiter spins before it yields: about what parking and waking would cost. It is a time, since CPUs differ
/// tenfold in how long one turn of the spin loop takes.
const SPIN: Duration = Duration::from_micros(50);

/// Turns of the spin loop between two looks at the clock.
const TURNS: u32 = 32;

/// Times that a waiter yields before it parks.
const YIELDS: u32 = 16;

/// A counter whose changes can be waited for; it begins again after 2^31 of them.
#[derive(Debug, Default)]
pub struct Gate {
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

impl Gate {
    /// The count now.
    pub fn count(&self) -> u32 {
        self.state.load(Ordering::Acquire) / ONE
    }

    /// Adds one and wakes all who wait. What was written before is visible to whoever sees the new count.
    pub fn open(&self) {
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
        let turns = |gate: &Gate| {
            (0..TURNS).any(|_| {
                std::hint::spin_loop();
                gate.count() != old
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
        while begin.elapsed() < SPIN {
            if turns(self) {
                return true;
            }
        }
        (0..YIELDS).any(|_| {
            std::thread::yield_now();
            self.count() != old
        })
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
pub struct Meeting {
    workers: u32,
    arrived: AtomicU32,
    gate: Gate,
}

impl Meeting {
    /// A meeting of `workers`.
    pub fn new(workers: u32) -> Meeting {
        Meeting { workers, arrived: AtomicU32::new(0), gate: Gate::default() }
    }

    /// Returns when all workers have called it; what each wrote before is visible to all after.
    pub fn wait(&self) {
        let round = self.gate.count();
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.workers {
            self.arrived.store(0, Ordering::Release);
            self.gate.open();
        } else {
            self.gate.wait(round);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn nobody_leaves_a_meeting_before_all_have_come() {
        for workers in 1..5 {
            let meeting = Meeting::new(workers);
            let steps = AtomicUsize::new(0);
            std::thread::scope(|scope| {
                for _ in 0..workers {
                    scope.spawn(|| {
                        for round in 1..200 {
                            steps.fetch_add(1, Ordering::Relaxed);
                            meeting.wait();
                            assert_eq!(steps.load(Ordering::Relaxed), round * workers as usize);
                            meeting.wait();
                        }
                    });
                }
            });
        }
    }

    #[test]
    fn a_parked_waiter_wakes() {
        let gate = Gate::default();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| gate.wait(0));
            while gate.state.load(Ordering::Relaxed) & PARKED == 0 {
                std::thread::yield_now();
            }
            gate.open();
            assert_eq!(waiter.join().expect("the waiter returns"), 1);
        });
        assert_eq!(gate.state.into_inner(), ONE, "nobody is parked any more");
    }

    #[test]
    fn the_count_begins_again() {
        let gate = Gate { state: AtomicU32::new(u32::MAX - PARKED), ..Gate::default() };
        gate.open();
        assert_eq!(gate.wait(u32::MAX / ONE), 0);
    }
}
