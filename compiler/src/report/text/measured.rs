//! Times.

use super::{bytes, counted};
use crate::bench::{StepTime, Timing};
use crate::execute::Workers;
use crate::report::distinct;
use crate::report::results::Measured;
use crate::report::table::{Align, Table, printable};

/// The times of each variant, the ratios, and what the machine can do at best.
pub fn bench(measured: &Measured) -> String {
    let mut table = Table::new(&[
        ("variant", Align::Left),
        ("streams", Align::Right),
        ("threads", Align::Right),
        ("median ms", Align::Right),
        ("min ms", Align::Right),
        ("p90 ms", Align::Right),
        ("spread", Align::Right),
        ("images/s", Align::Right),
        ("GFLOP/s", Align::Right),
    ]);
    for timing in &measured.bench.timings {
        let [median, min, p90] =
            [timing.median_ms, timing.min_ms, timing.p90_ms].map(|time| format!("{time:.3}"));
        let spread = format!("{:.1} %", 100.0 * timing.spread());
        let rate = format!("{:.1}", rate(measured.bench.macs, timing));
        let Workers { streams, threads } = timing.workers;
        let [streams, threads] = [streams, threads].map(|count| count.to_string());
        let images = format!("{:.1}", timing.images_per_second());
        table.row([timing.variant.to_string(), streams, threads, median, min, p90, spread, images, rate]);
    }
    let ratio = |ratio: &crate::bench::Ratio| {
        let Workers { streams, threads } = ratio.workers;
        let streams = if streams == 1 { String::new() } else { format!("{streams} streams of ") };
        let threads = counted(threads, "thread");
        format!("{} / {} at {streams}{threads}: {:.3}\n", ratio.of, ratio.to, ratio.value)
    };
    let ratios: String = measured.bench.ratios.iter().map(ratio).collect();
    let runs = measured.bench.timings.first().map_or((0, 0), |timing| (timing.runs, timing.batch));
    let probe = &measured.probe;
    format!(
        "{}, batch {}, {} runs each, in turns\n{}, {}\none core at best {:.1} GFLOP/s, {:.1} GB/s; round trip of two cores {:.0} ns\n\n{}{}{ratios}{}",
        printable(&measured.model),
        runs.1,
        runs.0,
        printable(&measured.machine),
        measured.isa,
        probe.gflops,
        probe.gb_per_s,
        probe.round_trip_ns,
        table.text(),
        if ratios.is_empty() { "" } else { "\n" },
        profile(&measured.bench.profile, probe.gflops),
    )
}

/// The steps of each variant at each number of threads, and with several of them a table of the blocks.
fn profile(times: &[StepTime], peak: f64) -> String {
    let runs: Vec<&[StepTime]> =
        times.chunk_by(|a, b| (a.variant, a.threads) == (b.variant, b.threads)).collect();
    let steps: String = runs.iter().map(|run| steps(run, peak)).collect();
    if runs.len() > 1 { steps + &blocks(&runs) } else { steps }
}

fn steps(times: &[StepTime], peak: f64) -> String {
    let Some(first) = times.first() else { return String::new() };
    let mut table = Table::new(&[
        ("step", Align::Left),
        ("block", Align::Left),
        ("ms", Align::Right),
        ("GFLOP/s", Align::Right),
        ("share", Align::Right),
        ("bytes", Align::Right),
        ("predicted", Align::Right),
        ("kernels", Align::Left),
    ]);
    for time in times {
        let share = 100.0 * time.gflops() / (peak * time.threads as f64);
        table.row([
            time.step.node.clone(),
            time.step.block.clone(),
            format!("{:.3}", time.median_ms),
            format!("{:.1}", time.gflops()),
            format!("{share:.0} %"),
            bytes(time.step.bytes),
            time.predicted_ms().map_or(String::new(), |ms| format!("{ms:.3}")),
            kernels(&time.step.kernels),
        ]);
    }
    let threads = counted(first.threads, "thread");
    format!("\n{} at {threads}, step by step, {:.3} ms in all\n{}", first.variant, total(times), table.text())
}

fn total(times: &[StepTime]) -> f64 {
    times.iter().map(|time| time.median_ms).sum()
}

/// Milliseconds of each block of the first variant, by variant and threads; below them what stands in none of these.
fn blocks(runs: &[&[StepTime]]) -> String {
    const NAME: usize = 36;
    let title =
        |run: &&[StepTime]| run.first().map_or(String::new(), |t| format!("{}/{}", t.variant, t.threads));
    let first = runs.first().copied().unwrap_or_default();
    let names = distinct(first.iter().map(|time| time.step.block.as_str()));
    let line = |name: &str, cells: Vec<String>| {
        let cells: String = cells.into_iter().map(|cell| format!("{cell:>12}")).collect();
        format!("{:<NAME$}{cells}\n", printable(name))
    };
    let sum = |run: &&[StepTime], is_in: &dyn Fn(&str) -> bool| {
        let own: Vec<f64> =
            run.iter().filter(|time| is_in(&time.step.block)).map(|time| time.median_ms).collect();
        if own.is_empty() { String::new() } else { format!("{:.3}", own.iter().sum::<f64>()) }
    };
    let mut text = format!("\n{}", line("block, ms", runs.iter().map(title).collect()));
    for name in &names {
        text += &line(name, runs.iter().map(|run| sum(run, &|block| block == *name)).collect());
    }
    let elsewhere: Vec<String> = runs.iter().map(|run| sum(run, &|block| !names.contains(&block))).collect();
    if elsewhere.iter().any(|cell| !cell.is_empty()) {
        text += &line("elsewhere", elsewhere);
    }
    text
}

/// The first kernels by name, and how many more there are.
fn kernels(names: &[String]) -> String {
    const NAMED: usize = 2;
    let names = distinct(names.iter().map(String::as_str));
    let shown = names[..names.len().min(NAMED)].join(", ");
    if names.len() > NAMED { format!("{shown}, {} more", names.len() - NAMED) } else { shown }
}

/// Billions of operations a second, a multiply-accumulate of the source counted as two.
fn rate(macs: u64, timing: &Timing) -> f64 {
    2.0 * macs as f64 * timing.batch as f64 / (timing.median_ms * 1e6)
}
