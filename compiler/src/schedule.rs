//! From the optimised graph to a plan: where tensors lie, which kernels run, how their items are split.
//!
//! A node becomes a step, or a block of nodes becomes one or two (see `block`). Inside, tensors lie in blocks of as many
//! channels as a vector has lanes; the caller's inputs and outputs are dense, and so is what an op makes that moves
//! elements. A convolution reads either, anything else gets a copy in the layout that it needs first.
//!
//! Nothing here depends on the number of workers, so results are the same bits for any number of them.

mod arrange;
mod block;
mod buffers;
mod choice;
mod concat;
mod convolution;
mod join;
mod large_window;
mod placement;
mod pool;
mod predict;
mod prologue;
mod ring;
mod simple;
mod squeeze;
mod tiles;
mod transposed;

use std::collections::{BTreeMap, BTreeSet};

use frit_ir::diagnostic::{Diagnostic, codes};
use frit_ir::{Faults, Graph, NodeId, Op, Shape};

use crate::kernels::{F32, copy};
use crate::machine::Machine;
use crate::pack::Packing;
use crate::plan::{Blank, Border, Call, Choice, Plan, Region, Step, Tensor, Way, Work};
use crate::vector::builder::TooManyRegisters;
use crate::vector::program::{Program, Width};
use block::Block;
use choice::Blueprint;
use placement::Placed;
use predict::Predictor;

/// The largest tensor in bytes, and the largest distance inside one: 1 GiB, so that distances fit 32 bits.
pub const LARGEST: usize = 1 << 30;

/// How blocks are to go through the caches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ways {
    /// Each in the way that is predicted to be the fastest.
    #[default]
    Auto,
    /// All in this way where they can take it, the others layer by layer.
    All(Way),
}

/// Schedules `graph` for `machine`.
///
/// # Errors
/// A tensor or window too large for the kernels' addressing (FR0010), weights without values (FR0021).
pub fn schedule(graph: &Graph, machine: &Machine, ways: Ways) -> Result<Plan, Faults> {
    let shapes = graph.shapes()?;
    let mut scheduler = Scheduler::new(graph, machine, shapes);
    scheduler.choose(ways)?;
    let mut faults = Faults::new();
    for id in graph.topological() {
        if let Err(fault) = scheduler.node(id) {
            let node = graph.node(id);
            faults.push(fault.at(format!("{} ({})", node.name, node.op.name())));
            return Err(faults);
        }
    }
    Ok(scheduler.finish())
}

struct Scheduler<'a> {
    graph: &'a Graph,
    machine: &'a Machine,
    width: Width,
    shapes: BTreeMap<NodeId, Shape>,
    /// The first place of each node's tensor, its copy in blocks, and its dense copy.
    placed: BTreeMap<NodeId, Placed>,
    in_blocks: BTreeMap<NodeId, Placed>,
    dense: BTreeMap<NodeId, Placed>,
    /// Tensors that lie inside others, and those others as far as they have a place.
    parts: BTreeMap<NodeId, concat::Part>,
    wholes: BTreeMap<NodeId, Placed>,
    kernels: Vec<Program>,
    by_name: BTreeMap<String, Vec<usize>>,
    steps: Vec<Step>,
    tensors: Vec<Tensor>,
    weights: Packing,
    inputs: Vec<Border>,
    scratch_bytes: usize,
    /// Blocks that don't go layer by layer, by their last layer.
    blocks: BTreeMap<NodeId, Planned>,
    /// Layers of blocks that are computed with a later one.
    inner: BTreeSet<NodeId>,
    /// The last layer of the block that a layer is in.
    block_of: BTreeMap<NodeId, NodeId>,
    choices: Vec<Choice>,
}

/// A block and the way that it takes.
#[derive(Clone, Copy)]
struct Planned {
    block: Block,
    way: Way,
    /// Output rows of a band.
    height: usize,
    /// Predicted milliseconds of the first step with 1 and with 2 workers.
    predicted_ms: [f64; 2],
}

impl<'a> Scheduler<'a> {
    fn new(graph: &'a Graph, machine: &'a Machine, shapes: BTreeMap<NodeId, Shape>) -> Scheduler<'a> {
        let parts = concat::parts(graph, &shapes, machine.width().lanes);
        Scheduler {
            graph,
            machine,
            width: machine.width(),
            shapes,
            placed: BTreeMap::new(),
            in_blocks: BTreeMap::new(),
            dense: BTreeMap::new(),
            parts,
            wholes: BTreeMap::new(),
            kernels: Vec::new(),
            by_name: BTreeMap::new(),
            steps: Vec::new(),
            tensors: Vec::new(),
            weights: Packing::default(),
            inputs: Vec::new(),
            scratch_bytes: 0,
            blocks: BTreeMap::new(),
            inner: BTreeSet::new(),
            block_of: BTreeMap::new(),
            choices: Vec::new(),
        }
    }

    /// Adds the step of `id`, and the copies to the outputs that it is.
    fn node(&mut self, id: NodeId) -> Result<(), Diagnostic> {
        placement::check_size(&self.shapes[&id], self.width.lanes)?;
        if self.inner.contains(&id) {
            return Ok(());
        }
        if let Some(planned) = self.blocks.get(&id).copied() {
            self.block(&planned)?;
            return self.copy_to_outputs(id);
        }
        match &self.graph.node(id).op {
            Op::Input(_) => self.input(id),
            Op::Constant(_) => self.constant(id)?,
            Op::Conv2d(conv) => self.conv2d(id, conv)?,
            Op::Conv2dTranspose(conv) => self.conv2d_transpose(id, conv)?,
            Op::Dense(dense) => self.dense(id, dense)?,
            Op::BatchNorm(norm) => self.batch_norm(id, norm)?,
            Op::Activation(activation) => self.activation(id, *activation)?,
            Op::Binary(binary) => self.binary(id, *binary)?,
            Op::Prelu(prelu) => self.prelu(id, prelu)?,
            Op::Pad(pad) => self.pad(id, pad)?,
            Op::Pool(pool) => self.pool(id, pool)?,
            Op::GlobalAveragePool(_) => self.global_average_pool(id)?,
            Op::Reduce(reduce) => self.reduce(id, reduce)?,
            Op::Resize(resize) => self.resize(id, resize)?,
            Op::Softmax(softmax) => self.softmax(id, *softmax)?,
            Op::ArgMax(arg_max) => self.arg_max(id, *arg_max)?,
            Op::Concat(concat) => self.concat(id, concat)?,
            Op::Slice(slice) => self.slice(id, slice)?,
            Op::Transpose(transpose) => self.transpose(id, transpose)?,
            Op::Reshape(_) => self.reshape(id)?,
            Op::SqueezeExcite(squeeze) => self.squeeze_excite(id, squeeze)?,
            Op::Identity => self.alias(id),
        }
        self.copy_to_outputs(id)
    }

    fn input(&mut self, id: NodeId) {
        let index = self.inputs.len();
        let shape = self.shapes[&id].clone();
        self.inputs.push(Border { name: self.graph.node(id).name.clone(), shape: shape.axes().to_vec() });
        let placed = Placed::dense(&shape, self.width.lanes, Region::Input(index));
        self.placed.insert(id, placed);
    }

    /// The place of a new tensor for `id`: inside the tensor that it is joined to, the caller's output where that is laid out
    /// in the same way, else the arena.
    fn place(&mut self, id: NodeId) -> Placed {
        let shape = self.shapes[&id].clone();
        let outputs: Vec<usize> =
            (0..self.graph.outputs().len()).filter(|&o| self.graph.outputs()[o] == id).collect();
        // Row sums need room behind the tensor, which one inside another has not.
        let leaves_row_sums = self.leaves_row_sums(id);
        let joined = if leaves_row_sums { None } else { self.place_joined(id) };
        let dense = |output: usize| Placed::dense(&shape, self.width.lanes, Region::Output(output));
        let placed = match (joined, &outputs[..]) {
            (Some(joined), _) => joined,
            _ if leaves_row_sums => {
                let region = Region::Tensor(self.tensors.len());
                let (placed, bytes) = Placed::with_row_sums(&shape, self.width.lanes, region);
                self.new_tensor(bytes, placed.blank(self.width.lanes));
                placed
            }
            (None, &[output]) if dense(output).lies_both_ways(self.width.lanes) => dense(output),
            _ => self.place_in_blocks(&shape),
        };
        self.placed.insert(id, placed);
        placed
    }

    fn place_in_blocks(&mut self, shape: &Shape) -> Placed {
        let (placed, bytes) = Placed::in_blocks(shape, self.width.lanes, Region::Tensor(self.tensors.len()));
        self.new_tensor(bytes, placed.blank(self.width.lanes));
        placed
    }

    fn new_tensor(&mut self, bytes: usize, blank: Blank) {
        let step = self.steps.len();
        self.tensors.push(Tensor { offset: 0, bytes, blank, first: step, last: step });
    }

    /// The tensor of `id` as it lies.
    fn tensor(&self, id: NodeId) -> Placed {
        self.placed[&id]
    }

    /// The tensor of `id` in blocks of channels, copied once if it lies otherwise.
    fn tensor_in_blocks(&mut self, id: NodeId) -> Result<Placed, Diagnostic> {
        let placed = self.placed[&id];
        if !placed.is_dense || placed.lies_both_ways(self.width.lanes) {
            return Ok(placed);
        }
        if let Some(&copy) = self.in_blocks.get(&id) {
            return Ok(copy);
        }
        let shape = self.shapes[&id].clone();
        let copy = if let Op::Constant(_) = &self.graph.node(id).op {
            let values = self.graph.weights.values(&self.graph.node(id).weights[0])?;
            self.packed_in_blocks(&values, &shape)
        } else {
            let copy = self.place_in_blocks(&shape);
            self.copy(id, placed, copy)?;
            copy
        };
        self.in_blocks.insert(id, copy);
        Ok(copy)
    }

    fn copy(&mut self, id: NodeId, from: Placed, to: Placed) -> Result<(), Diagnostic> {
        let program = copy::build(self.width, from.channels, from.strides, to.strides);
        let arguments = vec![from.reach(from.strides.pixel), to.reach(to.strides.pixel)];
        let call = Call { kernel: self.kernel(program)?, arguments, items: from.pixels() };
        self.pass(id, vec![call], 2 * F32 * from.channels * from.pixels());
        Ok(())
    }

    fn copy_to_outputs(&mut self, id: NodeId) -> Result<(), Diagnostic> {
        for (index, &output) in self.graph.outputs().iter().enumerate() {
            let region = Region::Output(index);
            if output == id && self.placed[&id].region != region {
                let to = Placed::dense(&self.shapes[&id], self.width.lanes, region);
                self.copy(id, self.placed[&id], to)?;
            }
        }
        Ok(())
    }

    /// The index of `program` among the kernels; an equal one is shared, one of the same name gets a number.
    fn kernel(&mut self, program: Result<Program, TooManyRegisters>) -> Result<usize, Diagnostic> {
        let mut program = program.map_err(|fault| {
            Diagnostic::error(
                codes::INTERNAL,
                format!("kernel {} needs {} registers of {}", fault.kernel, fault.needed, fault.available),
            )
        })?;
        let same_name = self.by_name.entry(program.name.clone()).or_default();
        if let Some(&index) = same_name.iter().find(|&&index| self.kernels[index].body == program.body) {
            return Ok(index);
        }
        same_name.push(self.kernels.len());
        if same_name.len() > 1 {
            program.name = format!("{}.{}", program.name, same_name.len());
        }
        self.kernels.push(program);
        Ok(self.kernels.len() - 1)
    }

    /// Adds a step of `id` whose items are shared out.
    fn step(&mut self, id: NodeId, calls: Vec<Call>) {
        self.step_of(&[id], Work::Items(calls));
    }

    /// Adds a step of `id` beside the one that computes it: a pass over so many `bytes`.
    fn pass(&mut self, id: NodeId, calls: Vec<Call>, bytes: usize) {
        self.step(id, calls);
        let predicted_ms =
            choice::WORKERS.map(|workers| Predictor { machine: self.machine, workers }.far(bytes / workers));
        if let Some(step) = self.steps.last_mut() {
            (step.macs, step.bytes, step.predicted_ms) = (0, bytes as u64, predicted_ms);
        }
    }

    /// Adds a step that computes `nodes`; tensors that it touches stay alive until its end.
    fn step_of(&mut self, nodes: &[NodeId], work: Work) {
        let index = self.steps.len();
        for argument in work.calls().flat_map(|call| &call.arguments) {
            if let Region::Tensor(tensor) = argument.region {
                self.tensors[tensor].last = index;
            }
        }
        let name = |&id: &NodeId| self.graph.node(id).name.clone();
        let (last, fused) = nodes.split_last().expect("a step computes a node");
        let sources = nodes.iter().flat_map(|&id| self.graph.node(id).sources.layers());
        let layers: Vec<predict::Layer> = nodes.iter().map(|&id| self.layer_of(id)).collect();
        let step = Step {
            node: name(last),
            block: name(self.block_of.get(last).unwrap_or(last)),
            fused: fused.iter().map(name).collect(),
            sources: sources.map(str::to_owned).collect(),
            macs: layers.iter().map(|layer| layer.macs).sum(),
            bytes: bytes(&layers) as u64,
            predicted_ms: self.predicted(*last, &layers),
            work,
        };
        self.steps.push(step);
    }

    /// Predicted milliseconds, with 1 and with 2 workers, of a step that computes `layers`, the last of which is `last`.
    fn predicted(&self, last: NodeId, layers: &[predict::Layer]) -> [f64; 2] {
        let block = self.block_of.get(&last).and_then(|last| self.blocks.get(last));
        match (block, layers) {
            (Some(planned), [_, _, ..]) => planned.predicted_ms,
            _ => choice::WORKERS.map(|workers| {
                let predictor = Predictor { machine: self.machine, workers };
                layers.iter().map(|layer| predictor.alone(layer)).sum()
            }),
        }
    }

    fn layer_of(&self, id: NodeId) -> predict::Layer {
        predict::Layer::new(self.machine, self.graph, |id| self.shapes[&id].clone(), id)
    }

    /// Decides for each block which way it takes.
    fn choose(&mut self, ways: Ways) -> Result<(), Faults> {
        for block in block::find(self.graph, &self.shapes) {
            let Op::Conv2d(depthwise) = &self.graph.node(block.depthwise).op else { continue };
            let axes = self.axes(block.depthwise, depthwise);
            let [rows, _] = axes.map_err(|fault| fault.at(self.graph.node(block.depthwise).name.clone()))?;
            let blueprint = Blueprint {
                machine: self.machine,
                expand: block.expand.map(|id| self.layer_of(id)),
                depthwise: self.layer_of(block.depthwise),
                project: block.project.map(|id| self.layer_of(id)),
                rows,
            };
            let costs = blueprint.costs();
            let (way, refused) = match ways {
                Ways::Auto => (choice::choose(&costs), None),
                Ways::All(way) if costs.iter().any(|&(possible, _)| possible == way) => (way, None),
                Ways::All(way) => (Way::Whole, Some(way)),
            };
            self.plan_block(block, way, &blueprint);
            self.block_of.extend(block.layers().into_iter().map(|id| (id, block.last())));
            let layers = block.layers().iter().map(|&id| self.graph.node(id).name.clone()).collect();
            self.choices.push(Choice { layers, way, refused, costs });
        }
        Ok(())
    }

    fn plan_block(&mut self, block: Block, way: Way, blueprint: &Blueprint<'_>) {
        if way == Way::Whole {
            return;
        }
        let predicted_ms = choice::WORKERS.map(|workers| {
            let predictor = Predictor { machine: self.machine, workers };
            if way == Way::Bands { blueprint.bands(&predictor) } else { blueprint.pairs(&predictor) }
        });
        let layers = block.layers();
        self.inner.extend(layers.iter().filter(|&&id| id != block.last()));
        let planned = Planned { block, way, height: blueprint.height(), predicted_ms };
        self.blocks.insert(block.last(), planned);
    }

    /// The steps of a block that does not go layer by layer.
    fn block(&mut self, planned: &Planned) -> Result<(), Diagnostic> {
        match (planned.way, planned.block.expand) {
            (Way::Groups, Some(expand)) => self.groups(&planned.block, expand),
            _ => self.bands(&planned.block, planned.height),
        }
    }

    fn finish(mut self) -> Plan {
        let arena_bytes = buffers::place(&mut self.tensors);
        let output = |&id: &NodeId| Border {
            name: self.graph.node(id).name.clone(),
            shape: self.shapes[&id].axes().to_vec(),
        };
        Plan {
            name: self.graph.name.clone(),
            inputs: self.inputs,
            outputs: self.graph.outputs().iter().map(output).collect(),
            kernels: self.kernels,
            steps: self.steps,
            tensors: self.tensors,
            weights: self.weights,
            arena_bytes,
            scratch_bytes: self.scratch_bytes.next_multiple_of(64),
            choices: self.choices,
        }
    }
}

/// Bytes of the tensors that `layers` together read and write, and of their weights.
fn bytes(layers: &[predict::Layer]) -> usize {
    let own: usize = layers.iter().map(|layer| layer.input_bytes + layer.weight_bytes).sum();
    let between: usize = layers.iter().map(|layer| layer.bytes).rev().skip(1).sum();
    own - between + layers.last().map_or(0, |layer| layer.bytes)
}
