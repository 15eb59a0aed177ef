//! Times.

use crate::bench::Timing;
use crate::report::results::Measured;
use crate::report::table::{Align, Table, printable};

/// The times of each variant, the ratios, and what the machine can do at best.
pub fn bench(measured: &Measured) -> String {
    let mut table = Table::new(&[
        ("variant", Align::Left),
        ("threads", Align::Right),
        ("median ms", Align::Right),
        ("min ms", Align::Right),
        ("p90 ms", Align::Right),
        ("spread", Align::Right),
        ("GFLOP/s", Align::Right),
    ]);
    for timing in &measured.bench.timings {
        let [median, min, p90] =
            [timing.median_ms, timing.min_ms, timing.p90_ms].map(|time| format!("{time:.3}"));
        let spread = format!("{:.1} %", 100.0 * timing.spread());
        let rate = format!("{:.1}", rate(measured.bench.macs, timing));
        table.row([timing.variant.to_string(), timing.threads.to_string(), median, min, p90, spread, rate]);
    }
    let ratio = |ratio: &crate::bench::Ratio| {
        let threads = if ratio.threads == 1 { "thread" } else { "threads" };
        format!("{} / {} at {} {threads}: {:.3}\n", ratio.of, ratio.to, ratio.threads, ratio.value)
    };
    let ratios: String = measured.bench.ratios.iter().map(ratio).collect();
    let runs = measured.bench.timings.first().map_or((0, 0), |timing| (timing.runs, timing.batch));
    let probe = &measured.probe;
    format!(
        "{}, batch {}, {} runs each, in turns\n{}, {}\none core at best {:.1} GFLOP/s, {:.1} GB/s; round trip of two cores {:.0} ns\n\n{}{}{ratios}",
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
    )
}

/// Billions of operations a second, a multiply-accumulate of the source counted as two.
fn rate(macs: u64, timing: &Timing) -> f64 {
    2.0 * macs as f64 * timing.batch as f64 / (timing.median_ms * 1e6)
}
