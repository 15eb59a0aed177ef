//! What a barrier costs: a program of empty steps, with 1 and with 2 threads, and MobileNetV2 beside it.
//!
//! Prints the microseconds of a barrier, and the share of an inference with 2 threads that its barriers take.

use std::time::Instant;

use frit_benches::{image, mobilenet_v2};
use frit_compiler::execute::{self, Execution, Variant, Workers};
use frit_compiler::machine::Machine;
use frit_compiler::pack::Packing;
use frit_compiler::plan::{Plan, Step, Work};
use frit_compiler::prove::prove;
use frit_compiler::{Options, emit};
use frit_runtime::{Model, Session};

/// Steps of the empty program.
const STEPS: usize = 1_000;

fn main() {
    let quick = std::env::args().any(|argument| argument == "--test");
    let runs = if quick { 1 } else { 200 };
    let model = empty();
    let [alone, together] = [1, 2].map(|threads| {
        let mut session = Session::new(&model, threads).expect("the system has memory and threads");
        median(runs, || session.run(&[], &mut [], 1).expect("the program takes nothing")) / STEPS as f64
    });
    println!("a step: {:.3} µs with 1 thread, {:.3} µs with 2", 1e6 * alone, 1e6 * together);
    let graph = mobilenet_v2();
    let image: Vec<f32> = image(&graph).into_iter().collect();
    let model = execute::load(&graph, Variant::Fused, &Options::native()).expect("the network compiles");
    let mut execution =
        Execution::new(&model, Workers::threads(2)).expect("the system has memory and threads");
    let inference = median(runs, || _ = execution.run(&[&image], 1).expect("the image fits"));
    let barriers = model.metadata().steps.len() - 1;
    println!(
        "MobileNetV2 with 2 threads: {barriers} barriers in {:.3} ms, {:.2} % of it",
        1e3 * inference,
        100.0 * barriers as f64 * together / inference
    );
}

/// A program of steps that do nothing.
fn empty() -> Model {
    let step = Step {
        node: "empty".into(),
        block: "empty".into(),
        fused: Vec::new(),
        sources: Vec::new(),
        macs: 0,
        bytes: 0,
        predicted_ms: [0.0; 2],
        work: Work::Items(Vec::new()),
    };
    let plan = Plan {
        name: "empty".into(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        kernels: Vec::new(),
        steps: vec![step; STEPS],
        choices: Vec::new(),
        tensors: Vec::new(),
        weights: Packing::default(),
        arena_bytes: 0,
        scratch_bytes: 0,
    };
    let plan = prove(plan).expect("nothing touches no memory");
    let weights = plan.weights.pack().expect("nothing fits into memory");
    Model::new(emit::jit::emit(&plan, weights, &Machine::native()).expect("nothing can be compiled"))
        .expect("native code runs here")
}

/// Seconds of half of the runs at most, after one that does not count.
fn median(runs: usize, mut run: impl FnMut()) -> f64 {
    run();
    let mut times: Vec<f64> = (0..runs)
        .map(|_| {
            let started = Instant::now();
            run();
            started.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
