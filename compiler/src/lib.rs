//! From a model description to a native kernel.
//!
//! The rooms, in the order in which a model passes them: `import`, (legality and e-graph in `frit_passes`), `schedule`,
//! `kernels` on `vector` programs, `lower`, `driver`, `emit`. A room uses only those behind it; `report` and the command
//! read all, nothing reads them.
#![deny(unsafe_code)]

pub mod alternatives;
pub mod bench;
pub mod cost;
pub mod driver;
pub mod emit;
pub mod execute;
pub mod explain;
pub mod export;
pub mod import;
pub mod kernels;
pub mod lower;
pub mod machine;
pub mod onnx;
pub mod pack;
pub mod plan;
pub mod probe;
pub mod prove;
pub mod report;
pub mod schedule;
pub mod vector;
pub mod verify;
pub mod zoo;

use std::borrow::Cow;
use std::io::Write;
use std::time::Instant;

use frit_ir::diagnostic::{Diagnostic, Severity, codes};
use frit_ir::weights::Data;
use frit_ir::{Faults, Graph, Weight};
use frit_passes::egraph;
use frit_passes::legality::{self, Legal};
use frit_passes::pipeline::{self, Optimised};
use frit_runtime::artifact::{self, Contents};
use frit_runtime::memory::Memory;
use frit_runtime::program::Metadata;

use emit::EmitError;
use emit::interface::Interface;
use emit::link::Image;
use machine::Machine;
use plan::Way;
use prove::Proved;
use schedule::ways;

/// How to compile.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// What to compile for.
    pub machine: Machine,
    /// Whether layers are fused and folded; without it every source layer is a step of its own.
    pub fuse: bool,
    /// Names of rules that must not fire.
    pub disabled_rules: Vec<String>,
    /// The way of all blocks that can take it, where layers are fused; each its own best where there is none.
    pub way: Option<Way>,
    /// Whether convolutions may be computed by Winograd's algorithm, whose error is about twice that of the plain sum.
    pub winograd: bool,
}

impl Options {
    /// Fused, for this CPU, with all rules.
    pub fn native() -> Options {
        let machine = Machine::native();
        Options { machine, fuse: true, disabled_rules: Vec::new(), way: None, winograd: true }
    }

    /// Layer by layer where nothing is fused.
    fn policy(&self) -> schedule::Policy {
        let way = if self.fuse { self.way } else { Some(ways::WHOLE) };
        schedule::Policy { way, winograd: self.winograd }
    }
}

/// A part of the way and how long it took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Phase {
    /// Its name.
    pub name: &'static str,
    /// Wall-clock time.
    pub milliseconds: f64,
}

/// A compiled network with every stage that it passed.
#[derive(Debug)]
pub struct Compiled {
    /// The graph as it came, found legal.
    pub legal: Legal<Graph>,
    /// The graph that was scheduled.
    pub optimised: Legal<Graph>,
    /// What runs, in which order, and stays inside its memory.
    pub plan: Proved,
    /// The code, ready for the runtime.
    pub program: frit_runtime::Program,
    /// What is odd but allowed.
    pub warnings: Faults,
    /// Times, in order.
    pub phases: Vec<Phase>,
    /// What each pass did.
    pub passes: Vec<frit_passes::Report>,
}

/// A network compiled for a file.
#[derive(Debug)]
pub struct Built {
    /// The graph as it came, found legal.
    pub legal: Legal<Graph>,
    /// What runs, in which order, and stays inside its memory.
    pub plan: Proved,
    /// What is known of the program.
    pub metadata: Metadata,
    /// The code.
    pub image: Image,
    /// The packed weights.
    pub weights: Memory,
    /// What is odd but allowed.
    pub warnings: Faults,
    /// Times, in order.
    pub phases: Vec<Phase>,
}

impl Built {
    /// Writes the artifact that [`frit_runtime::Model::load`] reads; the same graph and options give the same bytes.
    ///
    /// # Errors
    /// The writer's; `InvalidData` for a program that no artifact can hold.
    pub fn write(&self, to: &mut impl Write) -> std::io::Result<()> {
        let Built { metadata, image, weights, .. } = self;
        artifact::write(&Contents { metadata, code: &image.bytes, weights: weights.bytes() }, to)
    }

    /// The object that a C program links instead, for the machine of `options`, which are those that the network was
    /// built with.
    ///
    /// # Errors
    /// More weights than an object can reach; a fault of frit itself has the code FR0901.
    pub fn object(&self, interface: &Interface<'_>, options: &Options) -> Result<Vec<u8>, Faults> {
        emit::standalone::object(&self.plan, &options.machine, interface, self.weights.bytes())
            .map_err(unemitted)
    }
}

/// Compiles `graph` into this process.
///
/// # Errors
/// All faults of the network in one go; a fault of frit itself has the code FR0901.
pub fn compile(graph: Graph, options: &Options) -> Result<Compiled, Faults> {
    let mut phases = Vec::new();
    let (optimised, plan, weights) = prepare(graph, options, &mut phases)?;
    let mut program = timed(&mut phases, "code", || emit::jit::emit(&plan, weights, &options.machine))
        .map_err(unemitted)?;
    describe(&mut program.metadata, &optimised.legal, options)?;
    let Optimised { legal, graph, warnings, reports } = optimised;
    Ok(Compiled { legal, optimised: graph, plan, program, warnings, phases, passes: reports })
}

/// Compiles `graph` for a file: the same code, for a machine that need not be this one. `progress` is told before the longest
/// parts how many are done, and of how many.
///
/// # Errors
/// As [`compile`].
pub fn build(
    graph: Graph,
    options: &Options,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Built, Faults> {
    let mut phases = Vec::new();
    let (optimised, plan, weights) = prepare(graph, options, &mut phases)?;
    progress(phases.len(), phases.len() + 1);
    let mut metadata = emit::metadata::metadata(&plan, &options.machine);
    describe(&mut metadata, &optimised.legal, options)?;
    let image = timed(&mut phases, "code", || emit::object::image(&plan, &options.machine, &metadata));
    let image = image.map_err(unemitted)?;
    let Optimised { legal, warnings, .. } = optimised;
    Ok(Built { legal, plan, metadata, image, weights, warnings, phases })
}

/// All that comes before the code.
fn prepare(
    graph: Graph,
    options: &Options,
    phases: &mut Vec<Phase>,
) -> Result<(Optimised, Proved, Memory), Faults> {
    let optimised = timed(phases, "legality and e-graph", || optimise(graph, options))?;
    let policy = options.policy();
    let plan = timed(phases, "schedule", || schedule::schedule(&optimised.graph, &options.machine, policy))?;
    let plan = timed(phases, "proof", || prove::prove(plan))?;
    let weights = timed(phases, "packing", || plan.weights.pack()).map_err(|refusal| refused(&refusal))?;
    Ok((optimised, plan, weights))
}

/// Adds what only the source and the options know.
fn describe(metadata: &mut Metadata, legal: &Legal<Graph>, options: &Options) -> Result<(), Faults> {
    let macs = cost::cost(legal)?.totals.macs;
    metadata.source = emit::metadata::source(legal, macs);
    metadata.fused = options.fuse;
    for port in &mut metadata.outputs {
        port.is_unbatched = legal.unbatched.contains(&port.name);
    }
    Ok(())
}

/// Legality, then the e-graph where layers are to be fused.
///
/// # Errors
/// As [`compile`].
pub fn optimise(graph: Graph, options: &Options) -> Result<Optimised, Faults> {
    Ok(pipeline::run(graph, &passes(options))?)
}

/// What [`compile`] says of a legal network beyond its warnings, found without making code: the faults of the network as
/// `options` compile it, and as warnings those of the other of fused and unfused, which [`verify`] compares it with. Weights
/// of which only the digest is known are no fault here.
///
/// # Errors
/// As [`compile`].
pub fn foresee(legal: &Legal<Graph>, options: &Options) -> Result<Faults, Faults> {
    let Some(legal) = with_values(legal)? else { return Ok(Faults::new()) };
    planned(&legal, options)?;
    let other = Options { fuse: !options.fuse, ..options.clone() };
    let mut warnings = Faults::new();
    for fault in planned(&legal, &other).err().iter().flat_map(Faults::iter) {
        let told = match other.fuse {
            true => "it is refused where layers are fused, as they are without --no-fuse",
            false => {
                "it is refused where layers are not fused: with --no-fuse, and in `verify` and `bench --compare unfused`"
            }
        };
        warnings.push(Diagnostic { severity: Severity::Warning, ..fault.clone() }.note(told));
    }
    Ok(warnings)
}

/// The most values that are drawn for weights that have none.
const MOST_DRAWN: usize = 1 << 26;

/// The network with any values for the weights that have none: itself where all have some, nothing where too many have none.
fn with_values(legal: &Legal<Graph>) -> Result<Option<Cow<'_, Legal<Graph>>>, Faults> {
    let empty = || legal.weights.iter().filter(|(_, weight)| matches!(weight.data, Data::Digest(_)));
    let values = empty().map(|(_, weight)| weight.shape.elements().unwrap_or(usize::MAX));
    match values.fold(0, usize::saturating_add) {
        0 => return Ok(Some(Cow::Borrowed(legal))),
        1..=MOST_DRAWN => {}
        _ => return Ok(None),
    }
    let mut graph = legal.graph().clone();
    for (name, weight) in empty() {
        graph.weights.insert(name, Weight { data: Data::Seeded(0), ..weight.clone() });
    }
    legality::check(graph).map(|(legal, _)| Some(Cow::Owned(legal)))
}

/// The plan of a legal network, or why it has none.
fn planned(legal: &Legal<Graph>, options: &Options) -> Result<Proved, Faults> {
    if !options.fuse {
        return schedule(legal, options);
    }
    let passes = passes(options);
    let (graph, _) = egraph::optimise(legal, &passes.model, &passes.limits).map_err(Diagnostic::from)?;
    schedule(&graph, options)
}

fn passes(options: &Options) -> pipeline::Options {
    let mut passes = pipeline::Options { fuse: options.fuse, ..pipeline::Options::default() };
    passes.limits.disabled = options.disabled_rules.iter().cloned().collect();
    passes
}

/// The plan of a graph that is optimised, or legal as it came, proved to keep to its memory.
///
/// # Errors
/// A tensor or window that is too large for the kernels; FR0901 for a plan that can't be proved.
pub fn schedule(graph: &Legal<Graph>, options: &Options) -> Result<Proved, Faults> {
    Ok(prove::prove(schedule::schedule(graph, &options.machine, options.policy())?)?)
}

fn timed<T>(phases: &mut Vec<Phase>, name: &'static str, run: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = run();
    phases.push(Phase { name, milliseconds: started.elapsed().as_secs_f64() * 1e3 });
    result
}

/// The diagnostic of something that the system does not give.
pub fn refused(refusal: &frit_runtime::Refusal) -> Diagnostic {
    Diagnostic::error(codes::SYSTEM_REFUSES, refusal.to_string())
        .help("raise the limit (`ulimit -a` shows it), or ask for less: fewer threads, a smaller batch")
}

/// The fault of code that could not be made: frit's, unless the system lacks memory or executes nothing.
fn unemitted(error: EmitError) -> Faults {
    let code = match &error {
        EmitError::Weights(_) => codes::NOT_EXPRESSIBLE,
        _ if error.is_refusal() => codes::SYSTEM_REFUSES,
        _ => codes::INTERNAL,
    };
    let fault = Diagnostic::error(code, error.to_string());
    match code {
        codes::NOT_EXPRESSIBLE => fault.help("compile to an artifact (.frit), which may be larger").into(),
        _ => fault.into(),
    }
}
