//! Times.

use serde::Serialize;

use super::Object;
use crate::bench::{Ratio, StepTime, Timing};
use crate::execute::Workers;
use crate::report::results::Measured;

#[derive(Serialize)]
struct Variant {
    name: String,
    streams: usize,
    threads: usize,
    batch: usize,
    runs: usize,
    median_ms: f64,
    min_ms: f64,
    p90_ms: f64,
    images_per_second: f64,
}

impl From<&Timing> for Variant {
    fn from(timing: &Timing) -> Variant {
        let &Timing {
            variant,
            workers: Workers { streams, threads },
            batch,
            runs,
            median_ms,
            min_ms,
            p90_ms,
        } = timing;
        let images_per_second = timing.images_per_second();
        let name = variant.to_string();
        Variant { name, streams, threads, batch, runs, median_ms, min_ms, p90_ms, images_per_second }
    }
}

#[derive(Serialize)]
struct Against {
    of: String,
    to: String,
    streams: usize,
    threads: usize,
    value: f64,
}

impl From<&Ratio> for Against {
    fn from(ratio: &Ratio) -> Against {
        Against {
            of: ratio.of.to_string(),
            to: ratio.to.to_string(),
            streams: ratio.workers.streams,
            threads: ratio.workers.threads,
            value: ratio.value,
        }
    }
}

#[derive(Serialize)]
struct Profiled<'a> {
    variant: String,
    threads: usize,
    step: &'a str,
    block: &'a str,
    kernel: String,
    ms: f64,
    gflops: f64,
    share: f64,
    bytes: u64,
    predicted_ms: Option<f64>,
}

#[derive(Serialize)]
struct Rates {
    gflops: f64,
    gb_per_s: f64,
    round_trip_ns: f64,
}

/// `{"model", "isa", "machine", "macs", "variants", "ratios", "probe": {"gflops", "gb_per_s", "round_trip_ns"}}`.
///
/// `variants` are `{"name", "streams", "threads", "batch", "runs", "median_ms", "min_ms", "p90_ms", "images_per_second"}`, `ratios`
/// `{"of", "to", "streams", "threads", "value"}`. Where steps were timed, `profile` lists `{"variant", "threads", "step", "block",
/// "kernel", "ms", "gflops", "share", "bytes", "predicted_ms"}`; the share is that of the probed peak of all threads.
pub fn bench(measured: &Measured) -> String {
    let probe = &measured.probe;
    let rates = Rates { gflops: probe.gflops, gb_per_s: probe.gb_per_s, round_trip_ns: probe.round_trip_ns };
    let object = Object::default()
        .field("model", &measured.model)
        .field("isa", &measured.isa)
        .field("machine", &measured.machine)
        .field("macs", &measured.bench.macs)
        .list("variants", measured.bench.timings.iter().map(Variant::from))
        .list("ratios", measured.bench.ratios.iter().map(Against::from))
        .field("probe", &rates);
    if measured.bench.profile.is_empty() {
        return object.text();
    }
    object.list("profile", measured.bench.profile.iter().map(|time| profiled(time, probe.gflops))).text()
}

fn profiled(time: &StepTime, peak: f64) -> Profiled<'_> {
    Profiled {
        variant: time.variant.to_string(),
        threads: time.threads,
        step: &time.step.node,
        block: &time.step.block,
        kernel: time.step.kernels.join(" "),
        ms: time.median_ms,
        gflops: time.gflops(),
        share: time.gflops() / (peak * time.threads as f64),
        bytes: time.step.bytes,
        predicted_ms: time.predicted_ms(),
    }
}
