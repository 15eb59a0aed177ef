//! From a graph to code, by phase: legality, e-graph, schedule, packing, machine code.

use std::time::Duration;

use criterion::{BatchSize, Criterion};
use frit_benches::mobilenet_v2;
use frit_compiler::{Options, emit};
use frit_passes::{CostModel, Limits, egraph, legality};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    phases(&mut criterion);
    criterion.final_summary();
}

fn phases(criterion: &mut Criterion) {
    let (graph, options) = (mobilenet_v2(), Options::native());
    let (legal, _) = legality::check(graph.clone()).expect("the network is legal");
    let optimised = frit_compiler::optimise(graph.clone(), &options).expect("the network is legal").graph;
    let plan = frit_compiler::schedule(&optimised, &options).expect("the network can be scheduled");
    let mut group = criterion.benchmark_group("compile mobilenet_v2");
    group.bench_function("legality", |bencher| {
        bencher.iter_batched(|| graph.clone(), |graph| legality::check(graph).is_ok(), BatchSize::LargeInput);
    });
    group.bench_function("egraph", |bencher| {
        bencher.iter(|| egraph::optimise(&legal, &CostModel::default(), &Limits::default()).is_ok());
    });
    group.bench_function("schedule", |bencher| {
        bencher.iter(|| frit_compiler::schedule(&optimised, &options).is_ok());
    });
    let pack = || plan.weights.pack().expect("the system has memory");
    group.bench_function("packing", |bencher| bencher.iter(|| pack().values().len()));
    group.bench_function("code", |bencher| {
        let emit = |weights| emit::jit::emit(&plan, weights, &options.machine).is_ok();
        bencher.iter_batched(pack, emit, BatchSize::LargeInput);
    });
    group.bench_function("all", |bencher| {
        let compile = |graph| frit_compiler::compile(graph, &options).is_ok();
        bencher.iter_batched(|| graph.clone(), compile, BatchSize::LargeInput);
    });
    group.finish();
}
