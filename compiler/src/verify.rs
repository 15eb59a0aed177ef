//! Compiled results against what they must be: the interpreter's in f64, or those of a golden file.

pub mod difference;
pub mod golden;
pub mod overflow;

use std::collections::BTreeMap;

use frit_ir::{Faults, Graph, NodeId, Tensor, interpret};
use frit_runtime::Model;

use crate::execute::{self, Entrant, Execution, Variant, Workers};
use crate::{Optimised, Options};
use difference::{Difference, difference};
use golden::Golden;
use overflow::{Overflow, Watch};

/// The largest difference that passes, as a share of the largest magnitude of the tensor.
pub const TOLERANCE: f64 = 1e-4;

/// What is checked.
#[derive(Debug, Clone)]
pub struct Request {
    /// How to compile.
    pub options: Options,
    /// What to compile.
    pub variants: Vec<Variant>,
    /// Numbers of threads, each run on its own.
    pub threads: Vec<usize>,
}

/// How far one output is off.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// Its name in the source.
    pub name: String,
    /// How far.
    pub difference: Difference,
}

/// One variant at one number of threads.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The variant.
    pub variant: Variant,
    /// Threads.
    pub threads: usize,
    /// Each output, in order.
    pub outputs: Vec<Output>,
    /// Whether all outputs have the bits that the variant's first run gave.
    pub same_bits: bool,
}

/// How far rewriting moved the value of one node of the optimised graph, both graphs interpreted in f64.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// The node, and the source layer whose value it computes.
    pub name: String,
    /// The source layers that it computes, in graph order.
    pub sources: Vec<String>,
    /// How far its value is from that of the source layer.
    pub difference: Difference,
    /// By how much it is further off than what it reads.
    pub added: f64,
}

/// What came out.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Whether every output of every run is within [`TOLERANCE`], and all numbers of threads gave the same bits.
    pub passed: bool,
    /// How many images.
    pub samples: usize,
    /// The worst of all runs for each output, in order.
    pub outputs: Vec<Output>,
    /// All runs.
    pub runs: Vec<Run>,
    /// The nodes of the optimised graph, in order, on the first image; none for a golden file or without fusing.
    pub regions: Vec<Region>,
    /// The first layer of the source that leaves what f32 holds; not looked for with a golden file.
    pub overflow: Option<Overflow>,
}

/// Told after each part of the work: how many parts are done, and of how many.
pub type Progress<'a> = &'a mut dyn FnMut(usize, usize);

/// Checks against the interpreter, which runs the source graph in f64 on `images` of the only input.
///
/// # Errors
/// Faults of the network, images of another length than the input.
pub fn against_interpreter(
    graph: &Graph,
    images: &[Tensor],
    request: &Request,
    progress: Progress<'_>,
) -> Result<Verdict, Faults> {
    let fused = request.variants.iter().any(|&variant| variant != Variant::Unfused);
    let runs = request.variants.len() * request.threads.len();
    let parts = images.len() + usize::from(fused) + runs;
    let mut judge = Judge::new(graph);
    let mut regions = Vec::new();
    let mut done = 0;
    for (index, image) in images.iter().enumerate() {
        if index == 0 && fused {
            let optimised =
                crate::optimise(graph.clone(), &Options { fuse: true, ..request.options.clone() })?;
            let inputs = [image.mapv(f64::from)];
            let source = interpret::run_all(optimised.legal.graph(), &inputs)?;
            progress(1, parts);
            regions = compare_regions(&optimised, &source, &interpret::run_all(&optimised.graph, &inputs)?);
            done += 1;
            judge.interpreted(image, &source)?;
        } else {
            judge.image(image)?;
        }
        done += 1;
        progress(done, parts);
    }
    let mut golden = judge.golden(images);
    let mut verdict = against_golden(graph, &golden, request, &mut |ran, _| progress(done + ran, parts))?;
    if !verdict.passed {
        golden.plain = plain(graph, images)?;
        verdict = against_golden(graph, &golden, request, &mut |_, _| {})?;
    }
    Ok(Verdict { regions, ..verdict })
}

/// The outputs in plain f32 arithmetic. A network may mean its rounding, as `(x + c) - c` does, which f64 does not see.
fn plain(graph: &Graph, images: &[Tensor]) -> Result<Vec<Vec<f64>>, Faults> {
    let mut plain = vec![Vec::new(); graph.outputs().len()];
    for image in images {
        let outputs = interpret::run(graph, std::slice::from_ref(image))?;
        for (all, output) in plain.iter_mut().zip(outputs) {
            all.extend(output.into_iter().map(f64::from));
        }
    }
    Ok(plain)
}

/// Interprets a network, image by image.
struct Judge<'a> {
    graph: &'a Graph,
    expected: Vec<Vec<f64>>,
    lost: Vec<Vec<bool>>,
    overflow: Option<Overflow>,
    images: usize,
}

impl<'a> Judge<'a> {
    fn new(graph: &'a Graph) -> Judge<'a> {
        let outputs = graph.outputs().len();
        let (expected, lost) = (vec![Vec::new(); outputs], vec![Vec::new(); outputs]);
        Judge { graph, expected, lost, overflow: None, images: 0 }
    }

    /// One image, in f64.
    fn image(&mut self, image: &Tensor) -> Result<(), Faults> {
        let mut watch = Watch::new(self.graph);
        let inputs = [image.mapv(f64::from)];
        let outputs = interpret::run_watched(self.graph, &inputs, |id, value| watch.see(id, value))?;
        self.judge(image, &outputs, watch.overflow(self.images))
    }

    /// The same, where the value of each node is known already.
    fn interpreted(&mut self, image: &Tensor, values: &Values) -> Result<(), Faults> {
        let mut watch = Watch::new(self.graph);
        for id in self.graph.topological() {
            watch.see(id, &values[&id]);
        }
        let outputs: Vec<Tensor<f64>> =
            self.graph.outputs().iter().map(|output| values[output].clone()).collect();
        self.judge(image, &outputs, watch.overflow(self.images))
    }

    /// Where f64 leaves what f32 holds it is no judge of what is behind: that is what plain f32 arithmetic makes.
    fn judge(
        &mut self,
        image: &Tensor,
        outputs: &[Tensor<f64>],
        overflow: Option<Overflow>,
    ) -> Result<(), Faults> {
        let plain = match overflow {
            Some(_) => Some(interpret::run(self.graph, std::slice::from_ref(image))?),
            None => None,
        };
        for (index, output) in outputs.iter().enumerate() {
            self.expected[index].extend(output.iter().copied());
            match &plain {
                Some(plain) => self.lost[index].extend(plain[index].iter().map(|value| !value.is_finite())),
                None => self.lost[index].resize(self.expected[index].len(), false),
            }
        }
        self.overflow = self.overflow.take().or(overflow);
        self.images += 1;
        Ok(())
    }

    fn golden(self, images: &[Tensor]) -> Golden {
        let inputs = images.iter().flat_map(|image| image.iter().copied()).collect();
        let Judge { lost, overflow, .. } = self;
        Golden { lost, overflow, ..Golden::new(inputs, images.len(), self.expected) }
    }
}

/// Checks against results that are known.
///
/// # Errors
/// Faults of the network, a golden of another length than the network's input and outputs.
pub fn against_golden(
    graph: &Graph,
    golden: &Golden,
    request: &Request,
    progress: Progress<'_>,
) -> Result<Verdict, Faults> {
    let names: Vec<String> = graph.outputs().iter().map(|&output| graph.node(output).name.clone()).collect();
    let parts = request.variants.len() * request.threads.len();
    let mut runs = Vec::new();
    for &variant in &request.variants {
        let model = execute::load(graph, variant, &request.options)?;
        let entrant = Entrant { variant, model };
        run_all(&entrant, golden, &request.threads, &mut |run| {
            runs.push(run);
            progress(runs.len(), parts);
        })?;
    }
    Ok(verdict(&names, golden, runs))
}

/// Checks a model that is compiled already against results that are known.
///
/// # Errors
/// A golden of another length than the model's input and outputs; the system refuses memory or threads.
pub fn model_against(
    entrant: &Entrant,
    golden: &Golden,
    threads: &[usize],
    progress: Progress<'_>,
) -> Result<Verdict, Faults> {
    let outputs = &entrant.model.metadata().outputs;
    let names: Vec<String> = outputs.iter().map(|output| output.name.clone()).collect();
    let mut runs = Vec::new();
    run_all(entrant, golden, threads, &mut |run| {
        runs.push(run);
        progress(runs.len(), threads.len());
    })?;
    Ok(verdict(&names, golden, runs))
}

/// What the interpreter makes of `images`, in f64.
///
/// # Errors
/// Faults of the network, images of another length than the input.
pub fn interpreted(graph: &Graph, images: &[Tensor], progress: Progress<'_>) -> Result<Golden, Faults> {
    let mut judge = Judge::new(graph);
    for (index, image) in images.iter().enumerate() {
        judge.image(image)?;
        progress(index + 1, images.len());
    }
    Ok(judge.golden(images))
}

/// Runs with each number of threads; `done` gets each run.
fn run_all(
    entrant: &Entrant,
    golden: &Golden,
    threads: &[usize],
    done: &mut dyn FnMut(Run),
) -> Result<(), Faults> {
    let Entrant { variant, model } = entrant;
    let names: Vec<String> = model.metadata().outputs.iter().map(|output| output.name.clone()).collect();
    let mut first: Option<Vec<Vec<f32>>> = None;
    for &threads in threads {
        let values = run(model, golden, threads)?;
        let same_bits = first.as_ref().is_none_or(|first| bits(first).eq(bits(&values)));
        done(Run { variant: *variant, threads, outputs: compare(&names, golden, &values), same_bits });
        first.get_or_insert(values);
    }
    Ok(())
}

fn verdict(names: &[String], golden: &Golden, runs: Vec<Run>) -> Verdict {
    let outputs = worst(names, &runs);
    let within = outputs.iter().all(|output| output.difference.max_rel <= TOLERANCE);
    let passed = within && runs.iter().all(|run| run.same_bits);
    let overflow = golden.overflow.clone();
    Verdict { passed, samples: golden.batch, outputs, runs, regions: Vec::new(), overflow }
}

fn run(model: &Model, golden: &Golden, threads: usize) -> Result<Vec<Vec<f32>>, Faults> {
    let mut execution = Execution::new(model, Workers::threads(threads))?;
    Ok(execution.run(&[&golden.inputs], golden.batch)?.to_vec())
}

fn bits(outputs: &[Vec<f32>]) -> impl Iterator<Item = u32> + '_ {
    outputs.iter().flatten().map(|value| value.to_bits())
}

fn compare(names: &[String], golden: &Golden, values: &[Vec<f32>]) -> Vec<Output> {
    let output = |(index, name): (usize, &String)| {
        let values = values[index].iter().map(|&value| f64::from(value));
        let lost = golden.lost.get(index).map_or(&[][..], Vec::as_slice);
        let exact = difference(&golden.expected[index], values.clone(), lost);
        let plain = golden.plain.get(index).map(|plain| difference(plain, values, &[]));
        let difference = plain.filter(|plain| plain.max_rel < exact.max_rel).unwrap_or(exact);
        Output { name: name.clone(), difference }
    };
    names.iter().enumerate().map(output).collect()
}

fn worst(names: &[String], runs: &[Run]) -> Vec<Output> {
    let output = |(index, name): (usize, &String)| Output {
        name: name.clone(),
        difference: runs
            .iter()
            .filter_map(|run| run.outputs.get(index))
            .fold(Difference::default(), |worst, output| worst.max(&output.difference)),
    };
    names.iter().enumerate().map(output).collect()
}

type Values = BTreeMap<NodeId, Tensor<f64>>;

fn compare_regions(optimised: &Optimised, source: &Values, values: &Values) -> Vec<Region> {
    let legal = optimised.legal.graph();
    let order = legal.topological();
    let places: BTreeMap<&str, usize> =
        order.iter().enumerate().map(|(place, &id)| (legal.node(id).name.as_str(), place)).collect();
    let mut off: BTreeMap<NodeId, f64> = BTreeMap::new();
    let mut regions = Vec::new();
    for id in optimised.graph.topological() {
        let node = optimised.graph.node(id);
        let Some(&place) = places.get(node.name.as_str()) else { continue };
        let expected: Vec<f64> = source[&order[place]].iter().copied().collect();
        let difference = difference(&expected, values[&id].iter().copied(), &[]);
        let operands = optimised.graph.operands(id);
        let before = operands.iter().filter_map(|operand| off.get(operand)).copied().fold(0.0, f64::max);
        let added = (difference.max_rel - before).max(0.0);
        off.insert(id, difference.max_rel);
        let mut sources: Vec<String> = node.sources.layers().map(str::to_owned).collect();
        sources.sort_by_key(|layer| places.get(layer.as_str()).copied());
        regions.push(Region { name: node.name.clone(), sources, difference, added });
    }
    regions
}
