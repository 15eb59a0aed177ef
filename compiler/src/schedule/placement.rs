//! The second step: every value's home, layout and lifetime, before any kernel is built.
//!
//! Values are placed in the order in which they are computed. Who places a layer asks for its operands in the layout that
//! its kernel reads (a copy is made where they lie otherwise, once), for a place for its result, and for whatever lies in
//! between; then it adds the stage that will compute it. A tensor of the arena is alive from the stage that was next when it
//! was asked for to the last that touches it.

use std::collections::BTreeMap;

use frit_ir::diagnostic::Diagnostic;
use frit_ir::{NodeId, Op, Shape};

use super::joined;
use super::network::Network;
use super::placed::Placed;
use super::stage::{Build, Effort, Kernels, Stage};
use crate::kernels::{F32, Strides, copy};
use crate::pack::{Packing, Source, Values};
use crate::plan::{Argument, Blank, Region, Tensor};
use crate::vector::builder::TooManyRegisters;
use crate::vector::program::{Program, Width};

/// Where everything lies, and the stages that compute it.
pub(super) struct Placement<'a> {
    pub(super) net: &'a Network<'a>,
    /// The first place of each node's tensor, its copy in blocks, and its dense copy.
    homes: BTreeMap<NodeId, Placed>,
    in_blocks: BTreeMap<NodeId, Placed>,
    dense: BTreeMap<NodeId, Placed>,
    /// Tensors that lie inside others, and those others as far as they have a place.
    parts: BTreeMap<NodeId, joined::Part>,
    wholes: BTreeMap<NodeId, Placed>,
    /// The caller's inputs, in order.
    pub(super) inputs: Vec<NodeId>,
    pub(super) tensors: Vec<Tensor>,
    pub(super) weights: Packing,
    pub(super) scratch_bytes: usize,
    pub(super) stages: Vec<Stage<'a>>,
}

impl<'a> Placement<'a> {
    pub(super) fn new(net: &'a Network<'a>) -> Placement<'a> {
        Placement {
            net,
            homes: BTreeMap::new(),
            in_blocks: BTreeMap::new(),
            dense: BTreeMap::new(),
            parts: joined::parts(net.graph, net.shapes(), net.width.lanes),
            wholes: BTreeMap::new(),
            inputs: Vec::new(),
            tensors: Vec::new(),
            weights: Packing::default(),
            scratch_bytes: 0,
            stages: Vec::new(),
        }
    }

    /// The tensor of `id` as it lies.
    pub(super) fn home(&self, id: NodeId) -> Placed {
        self.homes[&id]
    }

    /// Says that the tensor of `id` lies at `home`.
    pub(super) fn settle(&mut self, id: NodeId, home: Placed) {
        self.homes.insert(id, home);
    }

    /// `id` is its operand, whose elements lie as they should.
    pub(super) fn alias(&mut self, id: NodeId) {
        let operand = self.net.operand(id, 0);
        self.settle(id, self.home(operand));
        for copies in [&mut self.in_blocks, &mut self.dense] {
            if let Some(&copy) = copies.get(&operand) {
                copies.insert(id, copy);
            }
        }
    }

    /// The next of the caller's inputs is `id`.
    pub(super) fn input(&mut self, id: NodeId) {
        let region = Region::Input(self.inputs.len());
        self.inputs.push(id);
        self.settle(id, Placed::dense(self.net.shape(id), self.net.width.lanes, region));
    }

    /// The place of a new tensor for `id`: inside the tensor that it is joined to, the caller's output where that is laid out
    /// in the same way, else the arena.
    pub(super) fn place(&mut self, id: NodeId) -> Placed {
        let (net, lanes) = (self.net, self.net.width.lanes);
        let shape = net.shape(id);
        let outputs: Vec<usize> =
            (0..net.graph.outputs().len()).filter(|&o| net.graph.outputs()[o] == id).collect();
        // Row sums need room behind the tensor, which one inside another has not.
        let leaves_row_sums = net.leaves_row_sums(id);
        let joined = if leaves_row_sums { None } else { self.place_joined(id) };
        let dense = |output: usize| Placed::dense(shape, lanes, Region::Output(output));
        let placed = match (joined, &outputs[..]) {
            (Some(joined), _) => joined,
            _ if leaves_row_sums => {
                let (placed, bytes) = Placed::with_row_sums(shape, lanes, self.next_tensor());
                self.new_tensor(bytes, placed.blank(lanes));
                placed
            }
            (None, &[output]) if dense(output).lies_both_ways(lanes) => dense(output),
            _ => self.place_in_blocks(shape),
        };
        self.settle(id, placed);
        placed
    }

    /// The place of a new dense tensor for `id`: the caller's output where it is one, else the arena.
    pub(super) fn place_dense(&mut self, id: NodeId) -> Placed {
        let shape = self.net.shape(id);
        let output = self.net.graph.outputs().iter().position(|&output| output == id);
        let placed = match output {
            Some(output) => Placed::dense(shape, self.net.width.lanes, Region::Output(output)),
            None => self.place_dense_in_arena(shape),
        };
        self.settle(id, placed);
        placed
    }

    /// The place of `id` inside the concatenation that it is a part of, or that it is.
    fn place_joined(&mut self, id: NodeId) -> Option<Placed> {
        let net = self.net;
        let part = match self.parts.get(&id) {
            Some(&part) => part,
            None if joined::joins_channels(net.op(id), net.shape(id)) => {
                joined::Part { whole: id, channel: 0 }
            }
            None => return None,
        };
        let whole = match self.wholes.get(&part.whole) {
            Some(&whole) => whole,
            None => {
                let whole = self.place_in_blocks(net.shape(part.whole));
                self.wholes.insert(part.whole, whole);
                whole
            }
        };
        Some(whole.channels_from(part.channel / net.width.lanes, net.shape(id).channels()))
    }

    /// A new tensor of `shape` in the arena, in blocks of channels.
    pub(super) fn place_in_blocks(&mut self, shape: &Shape) -> Placed {
        let lanes = self.net.width.lanes;
        let (placed, bytes) = Placed::in_blocks(shape, lanes, self.next_tensor());
        self.new_tensor(bytes, placed.blank(lanes));
        placed
    }

    /// A new dense tensor of `shape` in the arena.
    pub(super) fn place_dense_in_arena(&mut self, shape: &Shape) -> Placed {
        let placed = Placed::dense(shape, self.net.width.lanes, self.next_tensor());
        self.new_tensor(placed.pixels() * placed.channels * F32, Blank::default());
        placed
    }

    fn next_tensor(&self) -> Region {
        Region::Tensor(self.tensors.len())
    }

    /// A new tensor of so many bytes in the arena.
    pub(super) fn new_tensor(&mut self, bytes: usize, blank: Blank) -> Region {
        let (region, next) = (self.next_tensor(), self.stages.len());
        self.tensors.push(Tensor { offset: 0, bytes, blank, first: next, last: next });
        region
    }

    /// The tensor of `id` in blocks of channels, copied once if it lies otherwise.
    pub(super) fn tensor_in_blocks(&mut self, id: NodeId) -> Result<Placed, Diagnostic> {
        let placed = self.home(id);
        if !placed.is_dense || placed.lies_both_ways(self.net.width.lanes) {
            return Ok(placed);
        }
        if let Some(&copy) = self.in_blocks.get(&id) {
            return Ok(copy);
        }
        let shape = self.net.shape(id);
        let copy = if matches!(self.net.op(id), Op::Constant(_)) {
            let values = self.net.weight(id, 0)?;
            self.pack_in_blocks(&values, shape)
        } else {
            let copy = self.place_in_blocks(shape);
            self.copy(id, placed, copy);
            copy
        };
        self.in_blocks.insert(id, copy);
        Ok(copy)
    }

    /// The tensor of `id`, dense, copied once if it lies otherwise.
    pub(super) fn tensor_dense(&mut self, id: NodeId) -> Placed {
        let placed = self.home(id);
        if placed.is_dense || placed.lies_both_ways(self.net.width.lanes) {
            return placed;
        }
        if let Some(&copy) = self.dense.get(&id) {
            return copy;
        }
        let copy = self.place_dense_in_arena(self.net.shape(id));
        self.copy(id, placed, copy);
        self.dense.insert(id, copy);
        copy
    }

    /// Copies `id` to those of the caller's outputs that it is, where it does not lie there yet.
    pub(super) fn copy_to_outputs(&mut self, id: NodeId) {
        for (index, &output) in self.net.graph.outputs().iter().enumerate() {
            let region = Region::Output(index);
            if output == id && self.home(id).region != region {
                let to = Placed::dense(self.net.shape(id), self.net.width.lanes, region);
                self.copy(id, self.home(id), to);
            }
        }
    }

    /// Adds the copy of `id` that lies at `from` to where it shall lie, too.
    pub(super) fn copy(&mut self, id: NodeId, from: Placed, to: Placed) {
        let bytes = 2 * F32 * from.channels * from.pixels();
        self.pass(id, bytes, &[from.region, to.region], move |kernels| {
            let program = copy::build(kernels.width, from.channels, from.strides, to.strides);
            let arguments = vec![from.argument(from.strides.pixel), to.argument(to.strides.pixel)];
            kernels.items(program, arguments, from.pixels())
        });
    }

    /// `values`, a dense tensor of `shape`, in blocks of channels among the packed weights.
    pub(super) fn pack_in_blocks(&mut self, values: &Values, shape: &Shape) -> Placed {
        let lanes = self.net.width.lanes;
        let (placed, bytes) = Placed::in_blocks(shape, lanes, Region::Weights);
        let mut packed = vec![0.0; bytes / F32];
        let Strides { pixel, block, .. } = placed.strides;
        for (index, vector) in values.chunks_exact(placed.channels).enumerate() {
            for (number, part) in vector.chunks(lanes).enumerate() {
                let begin = (number * block + index * pixel) / F32;
                packed[begin..][..part.len()].copy_from_slice(part);
            }
        }
        let offset = self.pack(Source::Values(packed.into())).offset;
        Placed { offset, ..placed }
    }

    /// Packs `source`; the argument begins at its first value.
    pub(super) fn pack(&mut self, source: Source) -> Argument {
        Argument { region: Region::Weights, offset: self.weights.add(source), stride: 0 }
    }

    /// Gives each worker at least so many bytes of scratch memory, and returns where they begin.
    pub(super) fn scratch(&mut self, bytes: usize) -> Argument {
        self.scratch_bytes = self.scratch_bytes.max(bytes);
        Argument { region: Region::Scratch, offset: 0, stride: 0 }
    }

    /// Adds a stage that computes `id`.
    pub(super) fn stage(&mut self, id: NodeId, touches: &[Region], build: impl Build<'a>) {
        self.add_stage(&[id], Effort::Layers, touches, build);
    }

    /// Adds a stage that computes `id` with one kernel, whose items are blocks of channels.
    pub(super) fn stage_by_block(
        &mut self,
        id: NodeId,
        [input, output]: [Placed; 2],
        program: impl Fn(Width) -> Result<Program, TooManyRegisters> + 'a,
    ) {
        self.stage(id, &[input.region, output.region], move |kernels: &mut Kernels| {
            let arguments = vec![input.argument(input.strides.block), output.argument(output.strides.block)];
            let items = input.channels.div_ceil(kernels.width.lanes);
            kernels.items(program(kernels.width), arguments, items)
        });
    }

    /// Adds a stage beside the one that computes `id`: a pass over so many `bytes`.
    pub(super) fn pass(&mut self, id: NodeId, bytes: usize, touches: &[Region], build: impl Build<'a>) {
        self.add_stage(&[id], Effort::Pass(bytes), touches, build);
    }

    /// Adds a stage that computes `nodes`, the last of which it has its name of; the tensors that it `touches` stay alive
    /// until its end.
    pub(super) fn add_stage(
        &mut self,
        nodes: &[NodeId],
        effort: Effort,
        touches: &[Region],
        build: impl Build<'a>,
    ) {
        let index = self.stages.len();
        for region in touches {
            if let &Region::Tensor(tensor) = region {
                self.tensors[tensor].last = index;
            }
        }
        self.stages.push(Stage { nodes: nodes.to_vec(), effort, build: Box::new(build) });
    }
}
