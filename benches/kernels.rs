//! Every layer shape of the zoo alone, hot in the caches, on one core: GFLOP/s and the share of what the probe measured.
//!
//! `cargo bench --bench kernels -- mobilenet_v2 mnasnet_b1` looks at these networks only. A shape that several networks
//! have is measured once, with the first of them.
//!
//! A table for each lowering that this CPU has. Layers take turns with a reference, the widest pointwise convolution in
//! the middle of the network: a machine can be slow in loads while its multiply-adds are as fast as ever, and rounds in
//! which the reference is more than 3 % off its best don't count. Where too few do, a layer's time is that of the reference
//! at its best, multiplied by how many times as long the layer took in the same round; such lines have a star. Last comes the classifier
//! of MobileNetV2, cold: its weights are read from memory, and compared with a plain read.

use std::time::{Duration, Instant};

use frit_benches::network;
use frit_compiler::emit::jit::Prepared;
use frit_compiler::machine::{Lowering, Machine};
use frit_compiler::plan::interpret::{self, Launch};
use frit_compiler::plan::{Plan, Step};
use frit_compiler::probe::{self, Eviction};
use frit_compiler::prove::Proved;
use frit_compiler::schedule::ways;
use frit_compiler::{Options, zoo};

/// Rounds of each layer.
const ROUNDS: usize = 60;

/// Fewer rounds that count than this are too few.
const LEAST: usize = 5;

/// How far the reference may be off its best in a round that counts.
const TOLERANCE: f64 = 1.03;

/// The network of the reference and of the classifier.
const REFERENCE: &str = "mobilenet_v2";

fn main() {
    let quick = std::env::args().any(|argument| argument == "--test");
    let rounds = if quick { 1 } else { ROUNDS };
    let chosen: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let names: Vec<&str> = zoo::names()
        .filter(|&name| chosen.is_empty() || chosen.iter().any(|wanted| wanted == name))
        .collect();
    for lowering in [Lowering::Portable, Lowering::Wide] {
        match Machine::native().with_lowering(lowering) {
            Ok(machine) => table(&machine, &names, rounds),
            Err(reason) => println!("{reason}"),
        }
    }
}

/// One layer's times beside those of the reference.
struct Layer {
    /// The network and the layer.
    name: String,
    macs: u64,
    kernels: Vec<String>,
    /// Seconds of the reference and of the layer, round by round.
    rounds: Vec<(f64, f64)>,
}

fn table(machine: &Machine, names: &[&str], rounds: usize) {
    let plan = plan(REFERENCE, machine);
    let reference = plan.steps.iter().find(|step| step.node.starts_with("s5/2/expand"));
    let mut reference = prepare(&plan, reference.expect("the network has this layer"), machine);
    let before = probe::measure(machine).gflops;
    let mut layers = Vec::new();
    for name in names {
        measure(name, machine, rounds, &mut reference, &mut layers);
    }
    let peak = before.max(probe::measure(machine).gflops);
    println!("{}, {} lanes: {peak:.1} GFLOP/s at best on one core", machine.name, machine.width().lanes);
    report(&layers, peak);
    classifier(&plan, machine, rounds.min(15));
}

/// Every layer by itself, none of its block's fused with it.
fn plan(name: &str, machine: &Machine) -> Proved {
    let options = Options { machine: machine.clone(), way: Some(ways::WHOLE), ..Options::native() };
    let optimised = frit_compiler::optimise(network(name), &options).expect("the network is legal").graph;
    frit_compiler::schedule(&optimised, &options).expect("the network can be scheduled")
}

/// Adds the shapes of a network that `layers` has not yet.
fn measure(
    network: &str,
    machine: &Machine,
    rounds: usize,
    reference: &mut [Prepared],
    layers: &mut Vec<Layer>,
) {
    let plan = plan(network, machine);
    for step in plan.steps.iter().filter(|step| step.macs > 0) {
        let kernels: Vec<String> =
            step.work.calls().map(|call| plan.kernels[call.kernel].name.clone()).collect();
        if layers.iter().any(|known| known.macs == step.macs && known.kernels == kernels) {
            continue;
        }
        let mut calls = prepare(&plan, step, machine);
        run(&mut calls);
        let rounds = (0..rounds).map(|_| (run(reference), run(&mut calls))).collect();
        layers.push(Layer { name: format!("{network} {}", step.node), macs: step.macs, kernels, rounds });
    }
}

/// The layers line by line, and the median and the least share of each kind.
fn report(layers: &[Layer], peak: f64) {
    let references = layers.iter().flat_map(|layer| layer.rounds.iter().map(|&(reference, _)| reference));
    let best = references.fold(f64::INFINITY, f64::min);
    println!(
        "{:>9} {:>9} {:>8} {:>6} {:>6}  layer and its kernels",
        "MMACs", "µs", "GFLOP/s", "share", "rounds"
    );
    let mut shares: Vec<(&str, f64)> = Vec::new();
    for Layer { name, macs, kernels, rounds } in layers {
        let counted = rounds.iter().filter(|&&(reference, _)| reference <= TOLERANCE * best);
        let mut times: Vec<f64> = counted.map(|&(_, time)| time).collect();
        let clean = times.len();
        let star = if clean < LEAST { "*" } else { " " };
        if clean < LEAST {
            times = rounds.iter().map(|&(reference, time)| best * time / reference).collect();
        }
        times.sort_by(f64::total_cmp);
        let time = times[times.len() / 2];
        let gflops = 2e-9 * *macs as f64 / time;
        let share = 100.0 * gflops / peak;
        shares.push((kind(kernels), share));
        println!(
            "{:>9.3} {:>9.1} {gflops:>8.1} {share:>5.0}% {clean:>5}{star}  {name}: {}",
            *macs as f64 * 1e-6,
            time * 1e6,
            kernels.join(", ")
        );
    }
    for name in ["pointwise", "depthwise at stride 1", "depthwise at stride 2", "windowed", "classifier"] {
        let mut of: Vec<f64> =
            shares.iter().filter(|(kind, _)| *kind == name).map(|&(_, share)| share).collect();
        of.sort_by(f64::total_cmp);
        if let Some(least) = of.first() {
            println!("{name}: median {:.0} %, least {least:.0} %, of {}", of[of.len() / 2], of.len());
        }
    }
}

fn kind(kernels: &[String]) -> &'static str {
    match kernels[0].as_str() {
        name if name.starts_with("depthwise") && name.contains("s1_") => "depthwise at stride 1",
        name if name.starts_with("depthwise") => "depthwise at stride 2",
        name if name.contains("_1x") => "classifier",
        name if name.starts_with("conv1x1") => "pointwise",
        _ => "windowed",
    }
}

/// The classifier with its weights in no cache, beside a plain read of as many bytes.
fn classifier(plan: &Plan, machine: &Machine, tries: usize) {
    let step = plan.steps.iter().rfind(|step| step.macs > 0).expect("the network has a classifier");
    let mut calls = prepare(plan, step, machine);
    let eviction = Eviction::default();
    let mut times: Vec<f64> = (0..tries)
        .map(|_| {
            eviction.evict();
            run(&mut calls)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let bytes = 4 * step.macs as usize;
    let rate = 1e-9 * bytes as f64 / times[times.len() / 2];
    let plain = probe::cold_gb_per_s(&vec![1.0; bytes / 4], &eviction, tries);
    println!(
        "classifier, cold: {rate:.1} GB/s, {:.0} % of a plain read's {plain:.1} GB/s\n",
        100.0 * rate / plain
    );
}

/// Seconds of all calls, one after the other.
fn run(calls: &mut [Prepared]) -> f64 {
    let started = Instant::now();
    calls.iter_mut().for_each(Prepared::run);
    started.elapsed().max(Duration::from_nanos(1)).as_secs_f64()
}

fn prepare(plan: &Plan, step: &Step, machine: &Machine) -> Vec<Prepared> {
    interpret::launches(plan, step, 1).iter().map(|launch| prepare_launch(plan, launch, machine)).collect()
}

/// The kernel of `launch` on the plan's memory, in which all but the weights is 0.25.
fn prepare_launch(plan: &Plan, launch: &Launch, machine: &Machine) -> Prepared {
    let inputs: Vec<Vec<f32>> =
        plan.inputs.iter().map(|border| vec![0.25; border.shape.iter().product()]).collect();
    let mut memory = interpret::memory(plan, &inputs, 1);
    memory[plan.inputs.len() + plan.outputs.len()].fill(0.25);
    let kernel = &plan.kernels[launch.kernel];
    Prepared::new(kernel, machine, memory, &launch.arguments, launch.items)
        .unwrap_or_else(|error| panic!("{} stays inside its memory: {error:?}", kernel.name))
}
