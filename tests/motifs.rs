//! Networks of the motifs that the e-graph and the schedule recognise, most of them near misses (see `frit_ir::random::composed`):
//! compiled in every way, by every lowering, for every number of workers, they compute what the interpreter computes.
//!
//! Every network has a number, and is the same in every run. `FRIT_NETWORKS=0..10000 cargo test --release -p frit-tests --test
//! motifs -- --nocapture` tries those and counts what they were made of; `tests/motifs.sh` does it in parts.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use frit_compiler::import::{Source, json};
use frit_compiler::machine::{Caches, Lowering, Machine};
use frit_compiler::plan::{self, Plan, Way, Work};
use frit_compiler::schedule::ways;
use frit_compiler::{Compiled, Options, compile};
use frit_ir::ops::{Concat, Slice};
use frit_ir::random::{Composed, Drawn, composed};
use frit_ir::{Graph, NodeId, Op, Shape, Tensor};
use frit_passes::pipeline;
use frit_runtime::Model;
use frit_tests::compare::{
    agree, agree_for_all_targets, bits, close, interpreted, rounding, run, values, ways,
};
use frit_tests::networks::{Network, conv, inputs};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// The networks that are tried where none are named.
const NETWORKS: Range<u64> = 0..240;

/// Numbers of workers, the first of which the others are compared with.
const WORKERS: [usize; 4] = [1, 2, 3, 8];

/// What a result may differ from the exact one by, relative to the largest magnitude, beside what is lost to rounding whoever
/// computes it.
const TOLERANCE: f64 = 1e-5;

/// How many simpler networks are tried in search of the simplest that fails.
const SIMPLER: usize = 200;

/// How a network is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    /// Each block in the way that is predicted to be the fastest.
    Auto,
    /// The same on a CPU with so little near memory that small maps don't fit, and whose barriers take no time.
    Cramped,
    /// Each block in this way, where it can take it.
    All(Way),
    /// Layer by layer as in the source.
    Unfused,
}

impl Course {
    const ALL: [Course; 7] = [
        Course::Auto,
        Course::Cramped,
        Course::All(ways::WHOLE),
        Course::All(ways::BANDS),
        Course::All(ways::GROUPS),
        Course::All(ways::WINOGRAD),
        Course::Unfused,
    ];

    fn options(self, mut machine: Machine) -> Options {
        let way = match self {
            Course::All(way) => Some(way),
            _ => None,
        };
        if self == Course::Cramped {
            machine.caches = Caches { l1: 2 << 10, l2: 16 << 10, l3: 256 << 10 };
            machine.rates.barrier_us = 0.01;
        }
        Options { machine, way, fuse: self != Course::Unfused, ..Options::native() }
    }
}

/// The network of this number, and those that are simpler.
fn network(number: u64) -> impl ValueTree<Value = Composed> {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    composed()
        .new_tree(&mut TestRunner::new_with_rng(Config::default(), rng))
        .expect("any bytes make a network")
}

/// What plans were made of, and how often.
type Taken = BTreeMap<String, usize>;

/// Compares `graph` with the interpreter, as machine code by each lowering of this CPU, and in the vector programs' interpreter
/// for one target, which the number of the network decides: on every course where networks are named, else on one for each of
/// the three.
fn compare(graph: &Graph, number: u64, taken: &mut Taken) -> Result<(), String> {
    let inputs = inputs(graph, number);
    let exact = interpreted(graph, &inputs)?;
    let lost = rounding(graph, &inputs, &exact)?;
    let expected = Expected { inputs: &inputs, exact: &exact, lost: &lost };
    let (targets, every, number) = (Machine::all(), asked().is_some(), number as usize);
    let takes =
        |part: usize, index: usize| every || (number + part * (1 + number / 6)) % Course::ALL.len() == index;
    for (index, course) in Course::ALL.into_iter().enumerate() {
        // Where an address leaves its memory, this one says so; the machine code would end the process.
        if takes(0, index) {
            let target = &targets[(number / Course::ALL.len() + index) % targets.len()];
            let told =
                |error: String| format!("{course:?} for {} {:?}: {error}", target.name, target.lowering);
            let workers = 1 + number % 3;
            expected.planned(graph, &course.options(target.clone()), workers, taken).map_err(told)?;
        }
        for (part, lowering) in [Lowering::Wide, Lowering::Portable].into_iter().enumerate() {
            let Ok(machine) = Machine::native().with_lowering(lowering) else { continue };
            let told = |error: String| format!("{course:?} by {lowering:?}: {error}");
            if takes(part, index) {
                expected.compiled(graph, &course.options(machine), taken).map_err(told)?;
            }
        }
    }
    Ok(())
}

/// What a network must give.
struct Expected<'a> {
    inputs: &'a [Tensor<f32>],
    exact: &'a [Vec<f64>],
    /// Lost to rounding, an output each.
    lost: &'a [f64],
}

impl Expected<'_> {
    fn check(&self, found: &[Vec<f32>]) -> Result<(), String> {
        for (index, found) in found.iter().enumerate() {
            close(&self.exact[index], found, TOLERANCE + self.lost[index])
                .map_err(|error| format!("output {index}: {error}"))?;
        }
        Ok(())
    }

    /// In the vector programs' interpreter, which checks every access.
    fn planned(
        &self,
        graph: &Graph,
        options: &Options,
        workers: usize,
        taken: &mut Taken,
    ) -> Result<(), String> {
        let optimised =
            frit_compiler::optimise(graph.clone(), options).map_err(|faults| format!("{faults:?}"))?;
        let plan =
            frit_compiler::schedule(&optimised.graph, options).map_err(|faults| format!("{faults:?}"))?;
        count(&plan, taken);
        let found = plan::interpret::run(&plan, &values(self.inputs), workers);
        self.check(&found.map_err(|fault| fault.to_string())?)
    }

    /// As machine code.
    fn compiled(&self, graph: &Graph, options: &Options, taken: &mut Taken) -> Result<(), String> {
        let Compiled { legal, optimised, plan, program, .. } =
            compile(graph.clone(), options).map_err(|faults| format!("{faults:?}"))?;
        pipeline::verify("all passes", &legal, &optimised).map_err(|fault| format!("{fault:?}"))?;
        count(&plan, taken);
        let model = Model::new(program).map_err(|error| error.to_string())?;
        let first = run(&model, WORKERS[0], &values(self.inputs))?;
        self.check(&first)?;
        for workers in &WORKERS[1..] {
            if bits(&run(&model, *workers, &values(self.inputs))?) != bits(&first) {
                return Err(format!("{workers} workers give other bits than one"));
            }
        }
        Ok(())
    }
}

/// What comes up in the plans of all networks, by the names that [`count`] gives.
const TAKEN: [&str; 28] = [
    "call by panels",
    "call by rows",
    "call by tiles",
    "kernel add",
    "kernel avg_pool",
    "kernel conv",
    "kernel copy",
    "kernel depthwise",
    "kernel depthwise of a clamp",
    "kernel depthwise with row sums",
    "kernel elementwise",
    "kernel gate_weights",
    "kernel global_avg_pool",
    "kernel join",
    "kernel max_pool",
    "kernel mul",
    "kernel pair",
    "kernel pair with row sums",
    "kernel rearrange",
    "kernel reduce_mean",
    "kernel resize",
    "kernel softmax",
    "kernel squeeze",
    "kernel squeeze_expand",
    "kernel squeeze_reduce",
    "way bands",
    "way groups",
    "way whole",
];

/// Counts the ways of the blocks of `plan`, how its convolutions are shared out, and its kernels by kind.
fn count(plan: &Plan, taken: &mut Taken) {
    let mut add = |what: String| *taken.entry(what).or_default() += 1;
    plan.choices.iter().for_each(|choice| add(format!("way {}", choice.way.name)));
    plan.kernels.iter().for_each(|kernel| add(format!("kernel {}", kind(&kernel.name))));
    for step in &plan.steps {
        let Work::Items(calls) = &step.work else { continue };
        for call in calls.iter().filter(|call| kind(&plan.kernels[call.kernel].name) == "conv") {
            let is_flat = plan.kernels[call.kernel].name.starts_with("conv1x1_");
            add(format!(
                "call by {}",
                match (call.arguments[1].stride, is_flat) {
                    (0, true) => "tiles",
                    (0, false) => "rows",
                    _ => "panels",
                }
            ));
        }
    }
}

/// The kind of a kernel, by its name.
fn kind(name: &str) -> String {
    let has_sums =
        name.split('_').any(|part| part.trim_end_matches(|c: char| c == '.' || c.is_ascii_digit()) == "sum");
    let kind = match name.split_once("__") {
        Some(_) => "pair",
        None => name.split(|c: char| c.is_ascii_digit()).next().unwrap_or(name).trim_end_matches('_'),
    };
    match kind {
        "depthwise" if name.contains("_of_") => "depthwise of a clamp".to_owned(),
        "depthwise" | "pair" if has_sums => format!("{kind} with row sums"),
        _ => kind.to_owned(),
    }
}

/// What came of a number of networks.
#[derive(Default)]
struct Tally {
    tried: u64,
    motifs: BTreeMap<Drawn, usize>,
    taken: Taken,
    failed: Vec<String>,
}

/// Tries the network of this number; one that fails is made as simple as can be.
fn attempt(number: u64, tally: &Mutex<Tally>) {
    let mut tree = network(number);
    let mut taken = Taken::new();
    let composed = tree.current();
    let mut failure = fails(&composed.graph, number, &mut taken);
    let mut simplest = composed.clone();
    let mut goes_on = failure.is_some() && tree.simplify();
    for _ in 0..SIMPLER {
        if !goes_on {
            break;
        }
        let simpler = tree.current();
        goes_on = match fails(&simpler.graph, number, &mut Taken::new()) {
            Some(error) => {
                (failure, simplest) = (Some(error), simpler);
                tree.simplify()
            }
            None => tree.complicate(),
        };
    }
    let mut tally = tally.lock().expect("no network ends a thread");
    tally.tried += 1;
    composed.drawn.iter().for_each(|drawn| *tally.motifs.entry(*drawn).or_default() += 1);
    taken.into_iter().for_each(|(what, count)| *tally.taken.entry(what).or_default() += count);
    if let Some(error) = failure {
        let failed = format!("network {number}: {error}\n{:?}\n{:?}", simplest.drawn, simplest.graph);
        println!("{failed}");
        tally.failed.push(failed);
    }
}

/// Why `graph` fails, a panic being a failure too.
fn fails(graph: &Graph, number: u64, taken: &mut Taken) -> Option<String> {
    let compared = catch_unwind(AssertUnwindSafe(|| compare(graph, number, taken)));
    compared.unwrap_or_else(|_| Err("something panicked".to_owned())).err()
}

/// The numbers in `FRIT_NETWORKS`, as `FROM..TO`.
fn asked() -> Option<Range<u64>> {
    let text = env::var("FRIT_NETWORKS").ok()?;
    let bounds = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    Some(bounds.unwrap_or_else(|| panic!("FRIT_NETWORKS is {text}; write FROM..TO, such as 0..10000")))
}

#[test]
fn networks_of_motifs_and_near_misses_compute_what_the_interpreter_computes() {
    let numbers = asked().unwrap_or(NETWORKS);
    let (next, tally) = (AtomicU64::new(numbers.start), Mutex::new(Tally::default()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= numbers.end {
                        break;
                    }
                    attempt(number, &tally);
                }
            });
        }
    });
    let tally = tally.into_inner().expect("no network ends a thread");
    println!("networks {}", tally.tried);
    tally.motifs.iter().for_each(|(drawn, count)| println!("motif {drawn}: {count}"));
    tally.taken.iter().for_each(|(what, count)| println!("{what}: {count}"));
    assert!(tally.failed.is_empty(), "{} networks fail:\n{}", tally.failed.len(), tally.failed.join("\n"));
    let missing: Vec<&str> = TAKEN.into_iter().filter(|&what| !tally.taken.contains_key(what)).collect();
    assert!(missing.is_empty() || asked().is_some(), "never taken: {missing:?}");
}

#[test]
fn every_motif_and_every_near_miss_is_drawn() {
    let drawn: BTreeSet<Drawn> = (0..4_000).flat_map(|number| network(number).current().drawn).collect();
    let missing: Vec<String> =
        Drawn::kinds().iter().filter(|kind| !drawn.contains(kind)).map(Drawn::to_string).collect();
    assert!(missing.is_empty(), "never drawn: {missing:?}");
}

/// A convolution of one filter a group, and a pointwise one that reads it.
fn one_filter_a_group(shape: [usize; 3], filters: usize, projected: usize) -> Graph {
    let text = format!(
        r#"{{"frit":1,"name":"groups","input":{{"name":"image","shape":{shape:?}}},"weights":{{"seed":7}},
        "defaults":{{"padding":"same"}},"layers":[
        {{"name":"g","op":"conv2d","filters":{filters},"kernel":3,"groups":{filters},"activation":"relu"}},
        {{"name":"p","op":"conv2d","filters":{projected},"kernel":1}}]}}"#
    );
    json::read(&text, &Source::default()).unwrap_or_else(|faults| panic!("{faults}")).0
}

#[test]
fn one_filter_a_group_is_not_depthwise_where_a_group_has_several_channels() {
    for (shape, filters, projected) in [([112, 112, 64], 32, 64), ([16, 16, 8], 4, 8), ([9, 7, 48], 24, 5)] {
        let graph = one_filter_a_group(shape, filters, projected);
        let inputs = inputs(&graph, 1);
        agree(&graph, &ways(), &inputs).unwrap_or_else(|error| panic!("{shape:?}: {error}"));
        if shape[0] < 100 {
            for way in [None, Some(ways::BANDS), Some(ways::GROUPS)] {
                agree_for_all_targets(&graph, way, &inputs)
                    .unwrap_or_else(|error| panic!("{shape:?}, {way:?}: {error}"));
            }
        }
    }
}

/// The e-graph makes one layer of these: with as many groups as filters, and more channels.
#[test]
fn nor_where_the_groups_were_convolutions_of_their_own() {
    let mut network = Network::new(7);
    let image = network.input(&[20, 20, 16]);
    let parts: Vec<NodeId> = (0..4)
        .map(|part| {
            let slice = Slice::along(&Shape::new(&[20, 20, 16]), 2, 4 * part, 4);
            let slice = network.layer(&format!("slice{part}"), Op::Slice(slice), &[image]);
            network.layer(&format!("conv{part}"), Op::Conv2d(conv(1, 3)), &[slice])
        })
        .collect();
    let joined = network.layer("joined", Op::Concat(Concat { axis: 2, inputs: 4 }), &parts);
    let read = network.layer("read", Op::Conv2d(conv(8, 1)), &[joined]);
    let graph = network.finish(&[read]);
    let optimised = frit_compiler::optimise(graph.clone(), &Options::native()).expect("it is legal").graph;
    let is_grouped = |id: NodeId| matches!(&optimised.node(id).op, Op::Conv2d(layer) if layer.groups == 4 && layer.filters == 4);
    assert!(optimised.ids().any(is_grouped), "{optimised:?}");
    let inputs = inputs(&graph, 1);
    agree(&graph, &ways(), &inputs).unwrap_or_else(|error| panic!("{error}"));
    for way in [None, Some(ways::BANDS), Some(ways::GROUPS)] {
        agree_for_all_targets(&graph, way, &inputs).unwrap_or_else(|error| panic!("{way:?}: {error}"));
    }
}
