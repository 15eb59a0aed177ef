//! A persistent pool of threads that all run the same function.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::barrier::EventCount;
use crate::error::Refusal;
use crate::sync::{Arc, AtomicBool, AtomicU32, Builder, JoinHandle, Ordering, UnsafeCell};

/// A function that every worker runs with its own number.
type Job = *const (dyn Fn(u32) + Sync);

/// `workers` threads, the caller's among them as worker 0.
pub struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    /// Advanced once for every job.
    start: EventCount,
    /// Advanced once for every worker that is done with it.
    done: EventCount,
    job: UnsafeCell<Option<Job>>,
    stop: AtomicBool,
    panicked: AtomicBool,
    /// Workers that still have to finish the job.
    busy: AtomicU32,
}

// SAFETY: `job` is written only by the caller of `Pool::run` while no worker is busy, and read by workers only between
// the advance of `start` and their own decrement of `busy`; the job itself is `Sync`.
unsafe impl Sync for Shared {}
// SAFETY: as above; a job is only reached while `Pool::run` keeps it alive.
unsafe impl Send for Shared {}

impl Pool {
    /// Starts `workers` - 1 threads.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn new(workers: usize) -> Result<Pool, Refusal> {
        let shared = Arc::new(Shared {
            start: EventCount::default(),
            done: EventCount::default(),
            job: UnsafeCell::new(None),
            stop: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
            busy: AtomicU32::new(0),
        });
        let mut pool = Pool { shared, threads: Vec::new() };
        for worker in 1..workers {
            let shared = Arc::clone(&pool.shared);
            let thread = Builder::new().name(format!("frit-{worker}"));
            let started = thread.spawn(move || work(&shared, worker as u32));
            let what = || format!("thread {} of {workers}", worker + 1);
            pool.threads.push(started.map_err(|reason| Refusal { what: what(), reason })?);
        }
        Ok(pool)
    }

    /// Number of workers, the caller included.
    pub fn workers(&self) -> usize {
        self.threads.len() + 1
    }

    /// Runs `job` once on every worker, and returns when all have finished.
    ///
    /// # Panics
    /// If the job panicked on any worker.
    pub fn run(&mut self, job: &(dyn Fn(u32) + Sync)) {
        if self.threads.is_empty() {
            return job(0);
        }
        let shared = &*self.shared;
        // SAFETY: only the lifetime is changed: this function does not return, or unwind, before every worker is done
        // with the job. `&mut self` means that no other job runs, so no worker reads the cell now.
        shared.job.with_mut(|cell| unsafe {
            *cell = Some(std::mem::transmute::<*const (dyn Fn(u32) + Sync + '_), Job>(job));
        });
        shared.busy.store(self.threads.len() as u32, Ordering::Release);
        shared.start.advance();
        let mine = catch_unwind(AssertUnwindSafe(|| job(0)));
        loop {
            let count = shared.done.count();
            if shared.busy.load(Ordering::Acquire) == 0 {
                break;
            }
            shared.done.wait(count);
        }
        if let Err(panic) = mine {
            resume_unwind(panic);
        }
        assert!(!shared.panicked.swap(false, Ordering::AcqRel), "a worker panicked");
    }
}

fn work(shared: &Shared, worker: u32) {
    let mut seen = 0;
    loop {
        seen = shared.start.wait(seen);
        if shared.stop.load(Ordering::Acquire) {
            return;
        }
        // SAFETY: `start` was opened after the job was stored, and `Pool::run` keeps job and cell untouched until this
        // worker has decremented `busy`.
        let job = shared.job.with(|cell| unsafe { (*cell).map(|job| &*job) });
        let result = catch_unwind(AssertUnwindSafe(|| {
            if let Some(job) = job {
                job(worker);
            }
        }));
        if result.is_err() {
            shared.panicked.store(true, Ordering::Release);
        }
        shared.busy.fetch_sub(1, Ordering::AcqRel);
        shared.done.advance();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.start.advance();
        for thread in self.threads.drain(..) {
            // A worker's panic was reported by `run`.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("workers", &self.workers()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn every_worker_runs_every_job_once() {
        for workers in 1..5 {
            let mut pool = Pool::new(workers).unwrap();
            let counts: Vec<AtomicUsize> = (0..workers).map(|_| AtomicUsize::new(0)).collect();
            for round in 1..100 {
                pool.run(&|worker| {
                    counts[worker as usize].fetch_add(1, Ordering::Relaxed);
                });
                assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == round));
            }
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
        let mut pool = Pool::new(3).unwrap();
        for guilty in 0..3 {
            let run = catch_unwind(AssertUnwindSafe(|| pool.run(&|worker| assert_ne!(worker, guilty))));
            assert!(run.is_err(), "worker {guilty} panicked");
        }
        let count = AtomicUsize::new(0);
        pool.run(&|_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(count.load(Ordering::Relaxed), 3);
    }
}
