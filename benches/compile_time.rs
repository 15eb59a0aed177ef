//! From a graph to code, by phase, for each network of the zoo: legality, e-graph, schedule with its proof and the proof alone,
//! packing, machine code.
//!
//! `cargo bench --bench compile_time -- mobilenet_v3` runs those whose name has this in it.

use std::cell::LazyCell;
use std::time::Duration;

use criterion::{BatchSize, Criterion};
use frit_benches::network;
use frit_compiler::{Options, emit, prove, zoo};
use frit_passes::{CostModel, Limits, egraph, legality};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for name in zoo::names() {
        phases(&mut criterion, name);
    }
    criterion.final_summary();
}

/// Prepares only what is asked for on the command line.
fn phases(criterion: &mut Criterion, name: &str) {
    let options = Options::native();
    let graph = LazyCell::new(|| network(name));
    let legal = LazyCell::new(|| legality::check(graph.clone()).expect("the network is legal").0);
    let optimised = LazyCell::new(|| {
        frit_compiler::optimise(graph.clone(), &options).expect("the network is legal").graph
    });
    let plan = LazyCell::new(|| {
        frit_compiler::schedule(&optimised, &options).expect("the network can be scheduled")
    });
    let mut group = criterion.benchmark_group(format!("compile {name}"));
    group.bench_function("legality", |bencher| {
        bencher.iter_batched(|| graph.clone(), |graph| legality::check(graph).is_ok(), BatchSize::LargeInput);
    });
    group.bench_function("egraph", |bencher| {
        LazyCell::force(&legal);
        bencher.iter(|| egraph::optimise(&legal, &CostModel::default(), &Limits::default()).is_ok());
    });
    group.bench_function("schedule", |bencher| {
        LazyCell::force(&optimised);
        bencher.iter(|| frit_compiler::schedule(&optimised, &options).is_ok());
    });
    group.bench_function("proof", |bencher| {
        LazyCell::force(&plan);
        let unproved = || (*plan).clone().into_plan();
        bencher.iter_batched(unproved, |plan| prove::prove(plan).is_ok(), BatchSize::LargeInput);
    });
    let pack = || plan.weights.pack().expect("the system has memory");
    group.bench_function("packing", |bencher| {
        LazyCell::force(&plan);
        bencher.iter(|| pack().bytes().len());
    });
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
