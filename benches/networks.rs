//! One inference of MobileNetV2: fused against unfused, with 1 and 2 threads.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use frit_benches::{image, mobilenet_v2};
use frit_compiler::Options;
use frit_compiler::execute::{self, Execution, Variant};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    networks(&mut criterion);
    criterion.final_summary();
}

fn networks(criterion: &mut Criterion) {
    let graph = mobilenet_v2();
    let image: Vec<f32> = image(&graph).into_iter().collect();
    let mut group = criterion.benchmark_group("mobilenet_v2");
    for variant in [Variant::Fused, Variant::Unfused] {
        let model = execute::load(&graph, variant, &Options::native()).expect("the network compiles");
        for threads in [1, 2] {
            let mut execution = Execution::new(&model, threads).expect("the system has memory and threads");
            group.bench_function(BenchmarkId::new(variant.to_string(), threads), |bencher| {
                bencher.iter(|| execution.run(&[&image], 1).expect("the image fits").len());
            });
        }
    }
    group.finish();
}
