//! Variants of one network, timed against each other.
//!
//! Variants and ways to share out images take turns, round by round, so that a machine that slows down slows all of them. Each
//! turn begins with a run that does not count: it brings the variant's weights back into the caches.

use std::time::Instant;

use frit_ir::{Faults, Graph, Tensor};
use frit_runtime::program::Step;

use crate::Options;
use crate::execute::{self, Entrant, Execution, Variant, Workers};

/// Timed runs in one turn.
const TURN: usize = 5;

/// How models are timed.
#[derive(Debug, Clone)]
pub struct Request {
    /// How images are shared out, each way timed on its own.
    pub workers: Vec<Workers>,
    /// Timed runs of each variant in each of them, at least 1.
    pub runs: usize,
    /// Whether each step is timed too, in runs of their own: as many again.
    pub profile: bool,
}

/// The times of one variant in one way to share out images.
#[derive(Debug, Clone, PartialEq)]
pub struct Timing {
    /// The variant.
    pub variant: Variant,
    /// How images are shared out.
    pub workers: Workers,
    /// Images of one run.
    pub batch: usize,
    /// How many runs were timed.
    pub runs: usize,
    /// Half of the runs took at most so long.
    pub median_ms: f64,
    /// The fastest run.
    pub min_ms: f64,
    /// Nine runs of ten took at most so long.
    pub p90_ms: f64,
}

impl Timing {
    /// How far the runs are apart: from the fastest to the ninth of ten, as a share of the median.
    pub fn spread(&self) -> f64 {
        (self.p90_ms - self.min_ms) / self.median_ms
    }

    /// Images of a run by its median.
    pub fn images_per_second(&self) -> f64 {
        1e3 * self.batch as f64 / self.median_ms
    }
}

/// How many times as long one variant takes as another.
#[derive(Debug, Clone, PartialEq)]
pub struct Ratio {
    /// The variant in the numerator.
    pub of: Variant,
    /// The first variant that was named.
    pub to: Variant,
    /// How images are shared out, for both.
    pub workers: Workers,
    /// Median divided by median.
    pub value: f64,
}

/// The time of one step of one variant.
#[derive(Debug, Clone, PartialEq)]
pub struct StepTime {
    /// The variant.
    pub variant: Variant,
    /// Threads.
    pub threads: usize,
    /// What the program says of the step.
    pub step: Step,
    /// Half of the runs took at most so long, its barrier included.
    pub median_ms: f64,
}

impl StepTime {
    /// Billions of operations a second, a multiply-accumulate counted as two.
    pub fn gflops(&self) -> f64 {
        2e-6 * self.step.macs as f64 / self.median_ms
    }

    /// The predicted time, where there is one for this number of threads.
    pub fn predicted_ms(&self) -> Option<f64> {
        self.step.predicted_ms.get(self.threads - 1).copied()
    }
}

/// All times.
#[derive(Debug, Clone, PartialEq)]
pub struct Bench {
    /// By variant in the order of the request, then by how images are shared out.
    pub timings: Vec<Timing>,
    /// Each other variant against the first, in each way to share out images.
    pub ratios: Vec<Ratio>,
    /// Every step of every variant at each number of threads, of one image, where they were asked for.
    pub profile: Vec<StepTime>,
    /// Multiply-accumulates of one image, by the source.
    pub macs: u64,
}

struct Contestant {
    variant: Variant,
    workers: Workers,
    execution: Execution,
    milliseconds: Vec<f64>,
    steps: Vec<Step>,
    /// The milliseconds of each step in each run.
    profiles: Vec<Vec<f64>>,
}

/// Compiles variants of a network, to be timed by [`bench()`].
///
/// # Errors
/// Faults of the network.
pub fn compile(graph: &Graph, variants: &[Variant], options: &Options) -> Result<Vec<Entrant>, Faults> {
    let entrant = |&variant| Ok(Entrant { variant, model: execute::load(graph, variant, options)? });
    variants.iter().map(entrant).collect()
}

/// Times models of one network on `images` (the batch, of the only input); the first is what the others are compared with.
/// `progress` is told after each round how many are done, and of how many.
///
/// # Errors
/// Images of another length than the input; the system refuses memory or threads.
pub fn bench(
    entrants: &[Entrant],
    images: &Tensor,
    request: &Request,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Bench, Faults> {
    let macs = entrants.first().map_or(0, |entrant| entrant.model.metadata().source.macs);
    let batch = images.shape().first().copied().unwrap_or(0);
    let input: Vec<_> = images.iter().copied().collect();
    let mut contestants = contestants(entrants, request)?;
    let rounds = request.runs.div_ceil(TURN);
    let least = request.workers.iter().map(|workers| workers.streams).min().unwrap_or(1);
    for contestant in &mut contestants {
        contestant.execution.run(&[&input], batch)?;
    }
    for round in 0..rounds {
        let timed = TURN.min(request.runs - round * TURN);
        for contestant in &mut contestants {
            contestant.execution.run(&[&input], batch)?;
            for _ in 0..timed {
                let started = Instant::now();
                contestant.execution.run(&[&input], batch)?;
                contestant.milliseconds.push(started.elapsed().as_secs_f64() * 1e3);
            }
            // Steps are of one image, in whichever stream.
            let is_profiled = request.profile && contestant.workers.streams == least;
            let profiled = if is_profiled { timed } else { 0 };
            for _ in 0..profiled {
                let profile = contestant.execution.profile(&[&input[..input.len() / batch.max(1)]])?;
                contestant.profiles.push(profile);
            }
        }
        progress(round + 1, rounds);
    }
    let profile = contestants.iter().flat_map(step_times).collect();
    let timings: Vec<Timing> = contestants.into_iter().map(|contestant| timing(contestant, batch)).collect();
    let ratios = ratios(&timings);
    Ok(Bench { timings, ratios, profile, macs })
}

fn contestants(entrants: &[Entrant], request: &Request) -> Result<Vec<Contestant>, Faults> {
    let mut contestants = Vec::new();
    for &Entrant { variant, ref model } in entrants {
        for &workers in &request.workers {
            let execution = Execution::new(model, workers)?;
            let steps = model.metadata().steps.clone();
            let (milliseconds, profiles) = (Vec::new(), Vec::new());
            contestants.push(Contestant { variant, workers, execution, milliseconds, steps, profiles });
        }
    }
    Ok(contestants)
}

fn step_times(contestant: &Contestant) -> Vec<StepTime> {
    let &Contestant { variant, workers: Workers { threads, .. }, .. } = contestant;
    if contestant.profiles.is_empty() {
        return Vec::new();
    }
    let time = |(index, step): (usize, &Step)| {
        let mut times: Vec<f64> =
            contestant.profiles.iter().filter_map(|steps| steps.get(index).copied()).collect();
        times.sort_by(f64::total_cmp);
        StepTime { variant, threads, step: step.clone(), median_ms: quantile(&times, 0.5) }
    };
    contestant.steps.iter().enumerate().map(time).collect()
}

fn timing(contestant: Contestant, batch: usize) -> Timing {
    let Contestant { variant, workers, mut milliseconds, .. } = contestant;
    milliseconds.sort_by(f64::total_cmp);
    Timing {
        variant,
        workers,
        batch,
        runs: milliseconds.len(),
        median_ms: quantile(&milliseconds, 0.5),
        min_ms: quantile(&milliseconds, 0.0),
        p90_ms: quantile(&milliseconds, 0.9),
    }
}

/// The value below which the share `part` of `sorted` lies, between its two neighbours where it falls between them.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = part * last as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

fn ratios(timings: &[Timing]) -> Vec<Ratio> {
    let Some(first) = timings.first().map(|timing| timing.variant) else { return Vec::new() };
    let mut ratios = Vec::new();
    for base in timings.iter().filter(|timing| timing.variant == first) {
        for timing in timings.iter().filter(|timing| timing.workers == base.workers) {
            if timing.variant != first {
                let value = timing.median_ms / base.median_ms;
                ratios.push(Ratio { of: timing.variant, to: first, workers: base.workers, value });
            }
        }
    }
    ratios
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing_of(variant: Variant, threads: usize, median_ms: f64) -> Timing {
        let workers = Workers::threads(threads);
        Timing { variant, workers, batch: 1, runs: 1, median_ms, min_ms: median_ms, p90_ms: median_ms }
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0, 8.0], 0.5), 3.0);
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.5), 2.0);
        assert_eq!(quantile(&[5.0], 0.9), 5.0);
        assert!((quantile(&[0.0, 10.0], 0.9) - 9.0).abs() < 1e-12);
    }

    #[test]
    fn each_other_variant_is_compared_with_the_first_at_the_same_threads() {
        let timings = [
            timing_of(Variant::Fused, 1, 4.0),
            timing_of(Variant::Fused, 2, 2.0),
            timing_of(Variant::Unfused, 1, 8.0),
            timing_of(Variant::Unfused, 2, 6.0),
        ];
        let found: Vec<_> =
            ratios(&timings).iter().map(|r| (r.of, r.to, r.workers.threads, r.value)).collect();
        assert_eq!(
            found,
            [(Variant::Unfused, Variant::Fused, 1, 2.0), (Variant::Unfused, Variant::Fused, 2, 3.0)]
        );
    }
}
