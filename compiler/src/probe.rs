//! What this machine can do at best, measured: multiply-adds, reading of memory, the distance between two cores.
//!
//! For benches and reports; nothing that is compiled depends on it.

use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::emit::jit::Prepared;
use crate::machine::Machine;
use crate::vector::program::Width;
use crate::vector::{Address, Builder, Count, Instruction, Operand, Program};

/// Rates of one machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probe {
    /// Multiply-adds of one core at the width of the machine's lowering, each counted as two operations, in 10^9 a second.
    pub gflops: f64,
    /// Memory that one core reads where no cache holds it, in 10^9 bytes a second.
    pub gb_per_s: f64,
    /// From one thread to another and back through one word of memory, in nanoseconds.
    pub round_trip_ns: f64,
}

/// Measures all rates; takes about a third of a second. The best of several tries counts, as others may be at work.
///
/// The rate of multiply-adds is 0 where code for `machine` can't run here.
pub fn measure(machine: &Machine) -> Probe {
    Probe {
        gflops: multiply_adds(machine).unwrap_or(0.0),
        gb_per_s: bandwidth(),
        round_trip_ns: round_trip().as_nanos() as f64 / f64::from(TURNS),
    }
}

/// Sums that are independent of each other: enough to hide the latency of two units (4 cycles each on today's cores).
const SUMS: usize = 12;

/// Multiply-adds to each sum in one pass of the loop.
const UNROLL: usize = 4;

/// Passes of the loop in one run.
const PASSES: u64 = 8_000;

fn multiply_adds(machine: &Machine) -> Option<f64> {
    let width = machine.width();
    let kernel = chains(width);
    let memory = vec![vec![1.0; (SUMS + 2) * width.lanes]];
    let mut prepared = Prepared::new(&kernel, machine, memory, &[(0, 0)], PASSES).ok()?;
    let best = (0..100).map(|_| timed(|| prepared.run())).min()?;
    let operations = 2.0 * PASSES as f64 * (SUMS * UNROLL * width.lanes) as f64;
    Some(operations / best.as_nanos().max(1) as f64)
}

/// `for item: sum[i] += a * b`, all in registers; loads what it needs and stores the sums.
fn chains(width: Width) -> Program {
    let mut builder = Builder::new("probe_multiply_adds", width, 1);
    let base = builder.parameter(0);
    let vector = (4 * width.lanes) as i32;
    let loaded: Vec<_> = (0..SUMS + 2).map(|index| builder.load(base, index as i32 * vector)).collect();
    let (factors, sums) = loaded.split_at(2);
    builder.repeat(Count::Items, |b| {
        for &sum in std::iter::repeat_n(sums, UNROLL).flatten() {
            b.emit(Instruction::MultiplyAdd { sum, a: factors[0], b: Operand::Register(factors[1]) });
        }
    });
    for (index, &from) in loaded.iter().enumerate() {
        builder.emit(Instruction::Store { to: Address::new(base, index as i32 * vector), from });
    }
    builder.finish().expect("14 registers are fewer than any target has")
}

/// Larger than any cache of one core's share that is common today.
const READ_BYTES: usize = 128 << 20;

fn bandwidth() -> f64 {
    let values = vec![1.0f32; READ_BYTES / 4];
    let best =
        (0..4).map(|_| timed(|| _ = black_box(sum(black_box(&values))))).min().unwrap_or(Duration::MAX);
    READ_BYTES as f64 / best.as_nanos().max(1) as f64
}

/// Memory to read so that the caches hold nothing else: more than the third level of one core's share.
pub struct Eviction(Vec<f32>);

impl Default for Eviction {
    fn default() -> Eviction {
        Eviction(vec![1.0; (64 << 20) / 4])
    }
}

impl Eviction {
    /// Reads it all.
    pub fn evict(&self) {
        black_box(sum(black_box(&self.0)));
    }
}

/// Bytes a second, in 10^9, at which `values` are read that no cache holds; the median of `tries`.
pub fn cold_gb_per_s(values: &[f32], eviction: &Eviction, tries: usize) -> f64 {
    let mut times: Vec<Duration> = (0..tries.max(1))
        .map(|_| {
            eviction.evict();
            timed(|| _ = black_box(sum(black_box(values))))
        })
        .collect();
    times.sort_unstable();
    size_of_val(values) as f64 / times[times.len() / 2].as_nanos().max(1) as f64
}

/// A sum of many lanes: memory is slower than these additions.
fn sum(values: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 32];
    for chunk in values.chunks_exact(lanes.len()) {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += value;
        }
    }
    lanes.iter().sum()
}

/// Round trips that are timed together.
const TURNS: u32 = 1_000;

fn round_trip() -> Duration {
    let ball = AtomicU32::new(0);
    let tries = 5;
    std::thread::scope(|scope| {
        let partner = std::thread::Builder::new().spawn_scoped(scope, || {
            for turn in 0..tries * TURNS {
                await_value(&ball, 2 * turn + 1);
                ball.store(2 * turn + 2, Ordering::Release);
            }
        });
        if partner.is_err() {
            return Duration::MAX;
        }
        let rally = |first: u32| {
            for turn in first..first + TURNS {
                ball.store(2 * turn + 1, Ordering::Release);
                await_value(&ball, 2 * turn + 2);
            }
        };
        (0..tries).map(|index| timed(|| rally(index * TURNS))).min().unwrap_or(Duration::MAX)
    })
}

/// Waits until `word` is `value`; lets others run where that takes long, as on a machine with one core.
fn await_value(word: &AtomicU32, value: u32) {
    let mut spins = 0u32;
    while word.load(Ordering::Acquire) != value {
        spins += 1;
        if spins.is_multiple_of(10_000) {
            std::thread::yield_now();
        }
        spin_loop();
    }
}

fn timed(run: impl FnOnce()) -> Duration {
    let started = Instant::now();
    run();
    started.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Level, Lowering};

    #[test]
    fn rates_are_those_of_a_machine_and_not_of_a_slip_of_units() {
        let machine = Machine::native().with_lowering(Lowering::Portable).unwrap();
        let probe = measure(&machine);
        assert!((0.5..2_000.0).contains(&probe.gflops), "{probe:?}");
        assert!((0.1..2_000.0).contains(&probe.gb_per_s), "{probe:?}");
        assert!((5.0..10_000_000.0).contains(&probe.round_trip_ns), "{probe:?}");
    }

    #[test]
    fn a_machine_that_is_not_here_has_no_rate() {
        let other = if cfg!(target_arch = "aarch64") { Level::V4 } else { Level::Aarch64 };
        assert_eq!(multiply_adds(&Machine::of(other)), None);
    }
}
