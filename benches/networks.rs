//! One inference of each network of the zoo: fused against unfused, with 1 and 2 threads.
//!
//! `cargo bench --bench networks -- mobilenet_v3` runs those whose name has this in it.

use std::cell::LazyCell;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use frit_benches::{image, network};
use frit_compiler::execute::{self, Execution, Variant, Workers};
use frit_compiler::{Options, zoo};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for name in zoo::names() {
        inferences(&mut criterion, name);
    }
    criterion.final_summary();
}

/// Compiles only what is asked for on the command line.
fn inferences(criterion: &mut Criterion, name: &str) {
    let graph = LazyCell::new(|| network(name));
    let image: LazyCell<Vec<f32>, _> = LazyCell::new(|| image(&graph).into_iter().collect());
    let mut group = criterion.benchmark_group(name);
    for variant in [Variant::Fused, Variant::Unfused] {
        let model = LazyCell::new(|| {
            execute::load(&graph, variant, &Options::native()).expect("the network compiles")
        });
        for threads in [1, 2] {
            group.bench_function(BenchmarkId::new(variant.to_string(), threads), |bencher| {
                let mut execution = Execution::new(&model, Workers::threads(threads))
                    .expect("the system has memory and threads");
                bencher.iter(|| execution.run(&[&image], 1).expect("the image fits").len());
            });
        }
    }
    group.finish();
}
