//! Event count, barrier, pool and session in every order in which their threads can run and see each other's writes. Of waiting by
//! spinning, one look stands for all.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use loom::thread;

use crate::barrier::{Barrier, EventCount};
use crate::code::tests::{LENGTH, program};
use crate::model::Model;
use crate::pool::Pool;
use crate::session::Session;
use crate::sync::{Arc, AtomicU32, Ordering};

/// Runs `test` in every order, or where `interruptions` are given in every one in which no more threads than that are
/// interrupted where they could go on. Prints how many there were.
fn explore(name: &str, interruptions: Option<usize>, test: impl Fn() + Send + Sync + 'static) {
    let orders = std::sync::Arc::new(AtomicUsize::new(0));
    let counter = std::sync::Arc::clone(&orders);
    let begin = Instant::now();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = interruptions;
    builder.max_branches = 10_000;
    builder.check(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        test();
    });
    let bound = interruptions.map_or(String::new(), |most| format!(" with at most {most} interruptions"));
    let (count, took) = (orders.load(Ordering::Relaxed), begin.elapsed());
    println!("{name}: {count} orders{bound}, {:.1} s", took.as_secs_f64());
}

/// A value for each worker. Nothing orders these accesses but what is under test: loom tries all values that a read may see.
struct Board(Vec<AtomicU32>);

impl Board {
    fn new(workers: u32) -> Board {
        Board((0..workers).map(|_| AtomicU32::new(0)).collect())
    }

    fn write(&self, worker: u32, value: u32) {
        self.0[worker as usize].store(value, Ordering::Relaxed);
    }

    fn read(&self) -> Vec<u32> {
        self.0.iter().map(|value| value.load(Ordering::Relaxed)).collect()
    }
}

/// What a worker does around its rounds: it writes, and after the next barrier reads what all wrote; then all meet again,
/// so that it writes only when all have read.
fn work(board: &Board, barrier: &Barrier, worker: u32, rounds: u32) {
    for number in 0..rounds {
        let (round, writes) = (number / 2 + 1, number % 2 == 0);
        if writes {
            board.write(worker, round);
        }
        barrier.wait();
        if writes {
            assert!(board.read().iter().all(|&value| value == round));
        }
    }
    if rounds % 2 == 0 {
        board.write(worker, u32::MAX);
    }
}

/// `workers` threads that meet.
fn meet(workers: u32, rounds: u32) {
    let shared = Arc::new((Board::new(workers), Barrier::new(workers)));
    let threads: Vec<_> = (1..workers)
        .map(|worker| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || work(&shared.0, &shared.1, worker, rounds))
        })
        .collect();
    work(&shared.0, &shared.1, 0, rounds);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn an_event_wakes_whoever_waits_and_shows_what_was_written_before() {
    explore("an event count, one who advances it and one who waits", None, || {
        let shared = Arc::new((Board::new(1), EventCount::default()));
        let waiter = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                assert_eq!(shared.1.wait(0), 1);
                assert_eq!(shared.0.read(), [7]);
            })
        };
        shared.0.write(0, 7);
        shared.1.advance();
        waiter.join().unwrap();
    });
}

#[test]
fn an_event_that_two_advance_wakes_two_who_wait() {
    explore("an event count, two who advance it and two who wait, for one and for both", Some(2), || {
        let event = Arc::new(EventCount::default());
        let run = |job: fn(&EventCount)| {
            let event = Arc::clone(&event);
            thread::spawn(move || job(&event))
        };
        let until_two = |event: &EventCount| {
            let mut count = 0;
            while count < 2 {
                count = event.wait(count);
            }
        };
        let threads = [run(EventCount::advance), run(|event| assert!(event.wait(0) > 0)), run(until_two)];
        event.advance();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn two_meet() {
    explore("2 workers, 1 round", None, || meet(2, 1));
    explore("2 workers, 2 rounds", None, || meet(2, 2));
    explore("2 workers, 3 rounds", Some(4), || meet(2, 3));
}

#[test]
fn three_meet() {
    explore("3 workers, 1 round", Some(3), || meet(3, 1));
}

#[test]
fn a_pool_runs_every_job_once_on_every_worker() {
    explore("a pool of 2, 2 jobs", Some(3), || {
        let mut pool = Pool::new(2).unwrap();
        let board = Board::new(2);
        for round in 1..=2 {
            pool.run(&|worker| board.write(worker, round));
            assert_eq!(board.read(), [round, round]);
        }
    });
}

#[test]
fn a_pool_of_three_runs_a_job() {
    explore("a pool of 3, 1 job", Some(1), || {
        let mut pool = Pool::new(3).unwrap();
        let board = Board::new(3);
        pool.run(&|worker| board.write(worker, worker + 1));
        assert_eq!(board.read(), [1, 2, 3]);
    });
}

#[test]
fn a_pool_whose_job_panics_says_so_and_goes_on() {
    for guilty in 0..2 {
        explore(&format!("a pool of 2, worker {guilty} panics"), Some(2), move || {
            let mut pool = Pool::new(2).unwrap();
            let job = |worker| {
                if worker == guilty {
                    resume_unwind(Box::new(()))
                }
            };
            assert!(catch_unwind(AssertUnwindSafe(|| pool.run(&job))).is_err());
            let board = Board::new(2);
            pool.run(&|worker| board.write(worker, 1));
            assert_eq!(board.read(), [1, 1]);
        });
    }
}

#[test]
fn a_pool_ends_with_its_workers_wherever_they_are() {
    explore("a pool of 2 that is dropped at once", None, || drop(Pool::new(2).unwrap()));
    explore("a pool of 3 that is dropped at once", Some(3), || drop(Pool::new(3).unwrap()));
}

#[test]
fn workers_of_a_pool_meet_within_a_job() {
    explore("a pool of 2, 1 job with 3 rounds", Some(2), || {
        let mut pool = Pool::new(2).unwrap();
        let (board, barrier) = (Board::new(2), Barrier::new(2));
        pool.run(&|worker| work(&board, &barrier, worker, 3));
    });
}

#[test]
fn a_session_gives_the_same_result_in_every_order() {
    explore("a session of 2 threads, 2 images with 2 barriers each", Some(2), || {
        let model = Model::new(program(0.5, Vec::new())).unwrap();
        let mut session = Session::new(&model, 2).unwrap();
        for image in 0..2 {
            let input: Vec<f32> = (0..LENGTH).map(|index| (image * LENGTH + index) as f32).collect();
            let mut output = vec![f32::NAN; LENGTH];
            session.run(&[(&input).into()], &mut [(&mut output).into()], 1).unwrap();
            assert!(output.iter().eq(input.iter().rev().map(|value| value + 0.5).collect::<Vec<_>>().iter()));
        }
    });
}

#[test]
fn the_images_of_a_batch_do_not_meet_in_any_order() {
    explore("a session of 2 threads, 1 batch of 2 images with 3 barriers each", Some(2), || {
        let model = Model::new(program(0.5, Vec::new())).unwrap();
        let mut session = Session::new(&model, 2).unwrap();
        let input: Vec<f32> = (0..2 * LENGTH).map(|index| index as f32).collect();
        let mut output = vec![f32::NAN; 2 * LENGTH];
        session.run(&[(&input).into()], &mut [(&mut output).into()], 2).unwrap();
        let reversed = |image: &[f32]| image.iter().rev().map(|value| value + 0.5).collect::<Vec<f32>>();
        assert_eq!(output, input.chunks(LENGTH).flat_map(reversed).collect::<Vec<f32>>());
    });
}
