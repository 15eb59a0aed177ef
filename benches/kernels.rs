//! Every layer shape of MobileNetV2 alone, hot in the caches, on one core: GFLOP/s and the share of what the probe measured.
//!
//! A table for each lowering that this CPU has. A layer's time is the fastest of its runs: what the code can do, not what
//! the rest of the machine leaves it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use frit_benches::mobilenet_v2;
use frit_compiler::Options;
use frit_compiler::emit::jit::Prepared;
use frit_compiler::machine::{Lowering, Machine};
use frit_compiler::plan::interpret::{self, Launch};
use frit_compiler::plan::{Plan, Step};
use frit_compiler::probe;

/// How long each layer runs.
const TIME: Duration = Duration::from_millis(40);

fn main() {
    let quick = std::env::args().any(|argument| argument == "--test");
    let time = if quick { Duration::ZERO } else { TIME };
    for lowering in [Lowering::Portable, Lowering::Wide] {
        match Machine::native().with_lowering(lowering) {
            Ok(machine) => table(&machine, time),
            Err(reason) => println!("{reason}"),
        }
    }
}

fn table(machine: &Machine, time: Duration) {
    let options = Options { machine: machine.clone(), ..Options::native() };
    let optimised = frit_compiler::optimise(mobilenet_v2(), &options).expect("the network is legal").graph;
    let plan = frit_compiler::schedule(&optimised, &options).expect("the network can be scheduled");
    let peak = probe::measure(machine).gflops;
    println!("{}, {} lanes: {peak:.1} GFLOP/s at best on one core", machine.name, machine.width().lanes);
    println!("{:>9} {:>9} {:>8} {:>6}  layer and its kernels", "MMACs", "µs", "GFLOP/s", "share");
    let mut seen = BTreeSet::new();
    let (mut macs, mut seconds) = (0, 0.0);
    for step in plan.steps.iter().filter(|step| step.macs > 0) {
        let kernels: Vec<&str> =
            step.work.calls().map(|call| plan.kernels[call.kernel].name.as_str()).collect();
        if !seen.insert((step.macs, kernels.clone())) {
            continue;
        }
        let fastest = measure(&plan, step, machine, time).as_secs_f64();
        let gflops = 2e-9 * step.macs as f64 / fastest;
        (macs, seconds) = (macs + step.macs, seconds + fastest);
        println!(
            "{:>9.3} {:>9.1} {gflops:>8.1} {:>5.0}%  {}: {}",
            step.macs as f64 * 1e-6,
            fastest * 1e6,
            100.0 * gflops / peak,
            step.node,
            kernels.join(", ")
        );
    }
    let gflops = 2e-9 * macs as f64 / seconds;
    println!(
        "{:>9.3} {:>9.1} {gflops:>8.1} {:>5.0}%  all of these\n",
        macs as f64 * 1e-6,
        seconds * 1e6,
        100.0 * gflops / peak
    );
}

/// The fastest run of all calls of `step`, one after the other.
fn measure(plan: &Plan, step: &Step, machine: &Machine, time: Duration) -> Duration {
    let launches = interpret::launches(plan, step, 1);
    let mut calls: Vec<Prepared> = launches.iter().map(|launch| prepare(plan, launch, machine)).collect();
    let started = Instant::now();
    let mut fastest = Duration::MAX;
    loop {
        let run = Instant::now();
        calls.iter_mut().for_each(Prepared::run);
        fastest = fastest.min(run.elapsed());
        if started.elapsed() >= time {
            return fastest;
        }
    }
}

fn prepare(plan: &Plan, launch: &Launch, machine: &Machine) -> Prepared {
    let inputs: Vec<Vec<f32>> =
        plan.inputs.iter().map(|border| vec![0.0; border.shape.iter().product()]).collect();
    let mut memory = interpret::memory(plan, &inputs, 1);
    if let Some((_weights, tensors)) = memory.split_last_mut() {
        tensors.iter_mut().for_each(|values| values.fill(0.25));
    }
    let kernel = &plan.kernels[launch.kernel];
    Prepared::new(kernel, machine, memory, &launch.arguments, launch.items)
        .unwrap_or_else(|error| panic!("{} stays inside its memory: {error:?}", kernel.name))
}
