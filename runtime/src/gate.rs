//! Waiting: first spinning, since a step takes microseconds, then yielding, then parked, since a core may be taken.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a waiter spins before it yields: about what parking and waking would cost. It is a time, since CPUs differ
/// tenfold in how long one turn of the spin loop takes.
const SPIN: Duration = Duration::from_micros(50);

/// Turns of the spin loop between two looks at the clock.
const TURNS: u32 = 32;

/// Times that a waiter yields before it parks.
const YIELDS: u32 = 16;

/// A counter whose changes can be waited for.
#[derive(Debug, Default)]
pub struct Gate {
    count: AtomicU32,
    parked: AtomicU32,
    lock: Mutex<()>,
    changed: Condvar,
}

impl Gate {
    /// The count now.
    pub fn count(&self) -> u32 {
        self.count.load(Ordering::SeqCst)
    }

    /// Adds one and wakes all who wait. What was written before is visible to whoever sees the new count.
    pub fn open(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        // A waiter counts itself as parked before it looks at the count for the last time, so that one of the two sees
        // what the other did.
        if self.parked.load(Ordering::SeqCst) > 0 {
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.changed.notify_all();
        }
    }

    /// Returns as soon as the count is not `old`.
    pub fn wait(&self, old: u32) {
        if !self.spin(old) {
            self.park(old);
        }
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
        self.parked.fetch_add(1, Ordering::SeqCst);
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while self.count() == old {
            guard = self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        drop(guard);
        self.parked.fetch_sub(1, Ordering::SeqCst);
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
    use super::*;
    use std::sync::atomic::AtomicUsize;

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
            while gate.parked.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            gate.open();
            waiter.join().expect("the waiter returns");
        });
        assert_eq!(gate.count(), 1);
    }
}
