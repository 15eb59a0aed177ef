//! Times.

use serde::Serialize;

use super::Object;
use crate::bench::{Ratio, Timing};
use crate::report::results::Measured;

#[derive(Serialize)]
struct Variant {
    name: String,
    threads: usize,
    batch: usize,
    runs: usize,
    median_ms: f64,
    min_ms: f64,
    p90_ms: f64,
}

impl From<&Timing> for Variant {
    fn from(timing: &Timing) -> Variant {
        let &Timing { variant, threads, batch, runs, median_ms, min_ms, p90_ms } = timing;
        Variant { name: variant.to_string(), threads, batch, runs, median_ms, min_ms, p90_ms }
    }
}

#[derive(Serialize)]
struct Against {
    of: String,
    to: String,
    threads: usize,
    value: f64,
}

impl From<&Ratio> for Against {
    fn from(ratio: &Ratio) -> Against {
        Against {
            of: ratio.of.to_string(),
            to: ratio.to.to_string(),
            threads: ratio.threads,
            value: ratio.value,
        }
    }
}

#[derive(Serialize)]
struct Rates {
    gflops: f64,
    gb_per_s: f64,
    round_trip_ns: f64,
}

/// `{"model", "isa", "machine", "macs", "variants", "ratios", "probe": {"gflops", "gb_per_s", "round_trip_ns"}}`.
///
/// `variants` are `{"name", "threads", "batch", "runs", "median_ms", "min_ms", "p90_ms"}`, `ratios`
/// `{"of", "to", "threads", "value"}`.
pub fn bench(measured: &Measured) -> String {
    let probe = &measured.probe;
    let rates = Rates { gflops: probe.gflops, gb_per_s: probe.gb_per_s, round_trip_ns: probe.round_trip_ns };
    Object::default()
        .field("model", &measured.model)
        .field("isa", &measured.isa)
        .field("machine", &measured.machine)
        .field("macs", &measured.bench.macs)
        .list("variants", measured.bench.timings.iter().map(Variant::from))
        .list("ratios", measured.bench.ratios.iter().map(Against::from))
        .field("probe", &rates)
        .text()
}
