//! Steps of squeeze and excite, and of the gate that it makes.
//!
//! The depthwise convolution before it leaves the sum of each row of its map (see `kernels::depthwise`), in the same place
//! whichever way its block goes through the caches. From these the two small layers make the gate, in one step where the
//! first of them takes less than a barrier, else in two. The gate then scales the map, or the weights of the convolution
//! behind, as the graph says.

use frit_ir::diagnostic::Diagnostic;
use frit_ir::ops::squeeze_excite::Small;
use frit_ir::ops::{Binary, SqueezeExcite};
use frit_ir::{NodeId, Op, Shape};

use super::placement::Placed;
use super::predict::Predictor;
use super::{Scheduler, prologue};
use crate::kernels::binary::{self, Function, Join, Side};
use crate::kernels::conv::Panels;
use crate::kernels::depthwise::RowSums;
use crate::kernels::gate::{self, Gate};
use crate::kernels::squeeze::{self, Part, Squeeze};
use crate::kernels::{F32, Strides, pool};
use crate::pack::{self, Source};
use crate::plan::{Argument, Blank, Call, Region};

/// What a gate is made of: the sums of rows, and the packed weights of the two layers.
struct Sources {
    sums: Argument,
    reduce: Argument,
    expand: Argument,
}

impl Scheduler<'_> {
    /// Whether `id` is a depthwise convolution that leaves the sums of its rows.
    pub(super) fn leaves_row_sums(&self, id: NodeId) -> bool {
        let Op::Conv2d(conv) = &self.graph.node(id).op else { return false };
        let channels = self.shapes[&self.graph.operands(id)[0]].channels();
        prologue::has_depthwise_kernel(conv, channels)
            && self.graph.users(id).iter().any(|&user| {
                matches!(self.graph.node(user).op, Op::SqueezeExcite(_))
                    && self.graph.operands(user).first() == Some(&id)
            })
    }

    pub(super) fn squeeze_excite(&mut self, id: NodeId, layers: &SqueezeExcite) -> Result<(), Diagnostic> {
        let operand = self.graph.operands(id)[0];
        let map = self.tensor_in_blocks(operand)?;
        let lanes = self.width.lanes;
        let (mut spec, sums) = if self.leaves_row_sums(operand) {
            let (sums, begin) = map.row_sums(lanes);
            self.spec(&map, sums, layers, map.reach_from(begin, 0))
        } else {
            let pooled = self.pooled(id, &map)?;
            let sums = RowSums { row: 0, block: pooled.strides.block };
            self.spec(&Placed { rows: 1, columns: 1, ..map }, sums, layers, pooled.reach(0))
        };
        spec.layers.scales = false;
        let [reduce, expand] = self.pack_layers(id, layers, map.channels)?;
        let vector = Shape::new(&[1, 1, map.channels]);
        let gate = if layers.scales { self.place_in_blocks(&vector) } else { self.place(id) };
        self.gate(id, &spec, &Sources { sums, reduce, expand }, gate)?;
        if layers.scales {
            self.scale(id, operand, map, gate)?;
        }
        Ok(())
    }

    fn spec(
        &self,
        map: &Placed,
        sums: RowSums,
        layers: &SqueezeExcite,
        begin: Argument,
    ) -> (Squeeze, Argument) {
        let spec =
            Squeeze { channels: map.channels, rows: map.rows, pixels: map.pixels(), sums, layers: *layers };
        (spec, begin)
    }

    /// The means of `map`, where nothing left its sums.
    fn pooled(&mut self, id: NodeId, map: &Placed) -> Result<Placed, Diagnostic> {
        let pooled = self.place_in_blocks(&Shape::new(&[1, 1, map.channels]));
        let program = pool::build(self.width, map.pixels(), map.strides, pooled.strides);
        let arguments = vec![map.reach(map.strides.block), pooled.reach(pooled.strides.block)];
        let items = map.channels.div_ceil(self.width.lanes);
        let call = Call { kernel: self.kernel(program)?, arguments, items };
        self.pass(id, vec![call], map.pixels() * items * self.width.lanes * F32);
        Ok(pooled)
    }

    fn pack_layers(
        &mut self,
        id: NodeId,
        layers: &SqueezeExcite,
        channels: usize,
    ) -> Result<[Argument; 2], Diagnostic> {
        let names = &self.graph.node(id).weights;
        let [reduce, expand] = layers.split(names);
        let reduce = self.pack_layer(&layers.reduce, reduce, [channels, layers.squeezed])?;
        let expand = self.pack_layer(&layers.expand, expand, [layers.squeezed, channels])?;
        Ok([reduce, expand])
    }

    /// The weights of a layer block by block: an item is one.
    fn pack_layer(
        &mut self,
        layer: &Small,
        names: &[String],
        [inputs, filters]: [usize; 2],
    ) -> Result<Argument, Diagnostic> {
        let lanes = self.width.lanes;
        let kernel = self.graph.weights.values(&names[0])?;
        let bias = if layer.bias { Some(self.graph.weights.values(&names[1])?) } else { None };
        let offset = self.weights.add(Source::Conv(pack::Conv {
            kernel,
            bias,
            taps: 1,
            inputs_per_group: inputs,
            filters,
            groups: 1,
            inputs: 0..inputs,
            outputs: 0..filters,
            panels: vec![Panels { vectors: 1, count: filters.div_ceil(lanes) }],
            lanes,
        }));
        let stride = (1 + inputs) * lanes * F32;
        Ok(Argument { region: Region::Weights, offset, stride })
    }

    /// The step or the two steps that make `gate` of the row sums.
    fn gate(
        &mut self,
        id: NodeId,
        spec: &Squeeze,
        &Sources { sums, reduce, expand }: &Sources,
        gate: Placed,
    ) -> Result<(), Diagnostic> {
        let lanes = self.width.lanes;
        let [first, last] = [spec.layers.squeezed, spec.channels].map(|channels| channels.div_ceil(lanes));
        let whole = |reach: Argument| Argument { stride: 0, ..reach };
        let scratch = Argument { region: Region::Scratch, offset: 0, stride: 0 };
        let gate = gate.reach(gate.strides.block);
        self.scratch_bytes = self.scratch_bytes.max(spec.scratch_bytes(lanes));
        if self.is_cheaper_twice(spec) {
            let arguments = vec![sums, whole(reduce), expand, gate, scratch];
            let kernel = self.kernel(squeeze::build(self.width, spec, Part::Whole))?;
            self.step(id, vec![Call { kernel, arguments, items: last }]);
            return Ok(());
        }
        let reduced = self.place_in_blocks(&Shape::new(&[1, 1, spec.layers.squeezed]));
        let arguments = vec![sums, reduce, reduced.reach(reduced.strides.block), scratch];
        let kernel = self.kernel(squeeze::build(self.width, spec, Part::Reduce))?;
        self.step(id, vec![Call { kernel, arguments, items: first }]);
        let arguments = vec![reduced.reach(0), expand, gate];
        let kernel = self.kernel(squeeze::build(self.width, spec, Part::Expand))?;
        self.step(id, vec![Call { kernel, arguments, items: last }]);
        // Each layer multiplies as often as the other.
        self.steps.iter_mut().rev().take(2).for_each(|step| step.macs /= 2);
        Ok(())
    }

    /// Whether two workers that both compute the first layer are done before they would have met.
    fn is_cheaper_twice(&self, spec: &Squeeze) -> bool {
        let lanes = self.width.lanes;
        let bytes = F32 * spec.channels * spec.layers.squeezed.next_multiple_of(lanes);
        let predictor = Predictor { machine: self.machine, workers: 2 };
        let saved = 1e-6 * (bytes / predictor.workers) as f64 / self.machine.rates.far_gb_per_s;
        saved <= predictor.barrier()
    }

    /// The step that multiplies `map`, the tensor of `operand`, by `gate`: in place where that has a place of its own and
    /// nothing else reads it.
    fn scale(&mut self, id: NodeId, operand: NodeId, map: Placed, gate: Placed) -> Result<(), Diagnostic> {
        let is_output = |id: &NodeId| self.graph.outputs().contains(id);
        let is_read = self.graph.users(operand) != [id] || is_output(&operand) || is_output(&id);
        let owns = matches!((map.region, &self.graph.node(operand).op), (Region::Tensor(_), Op::Conv2d(_)));
        let output = if owns && !is_read {
            self.placed.insert(id, map);
            map
        } else {
            self.place(id)
        };
        let one_pixel = Strides { row: 0, pixel: 0, ..gate.strides };
        let side = |strides: Strides| Side { strides, spreads: false };
        let product = Join {
            function: Function::Binary(Binary::Mul),
            size: [map.rows, map.columns],
            sides: [side(map.strides), side(one_pixel)],
            output: output.strides,
        };
        let by_block = |tensor: &Placed| tensor.reach(tensor.strides.block);
        let arguments = vec![by_block(&map), by_block(&gate), by_block(&output)];
        let kernel = self.kernel(binary::build(self.width, &product))?;
        let items = map.channels.div_ceil(self.width.lanes);
        let bytes = 2 * map.pixels() * items * self.width.lanes * F32;
        self.pass(id, vec![Call { kernel, arguments, items }], bytes);
        Ok(())
    }

    /// The weights of `part`, which are packed at `weights`, with its input channels times `gate`: a step before the one
    /// that reads them.
    pub(super) fn gated(
        &mut self,
        id: NodeId,
        gate: Placed,
        part: &pack::Conv,
        weights: Argument,
    ) -> Result<Argument, Diagnostic> {
        let lanes = self.width.lanes;
        let rows = 1 + part.taps * part.inputs.len();
        let vectors: usize = part.panels.iter().map(|panels| panels.vectors * panels.count).sum();
        let scaled = Argument { region: Region::Tensor(self.tensors.len()), offset: 0, stride: 0 };
        self.new_tensor(rows * vectors * lanes * F32, Blank::default());
        let mut calls = Vec::new();
        let mut done = 0;
        for Panels { vectors, count } in part.panels.iter().copied() {
            let spec =
                Gate { vectors, taps: part.taps, channels: part.inputs.len(), block: gate.strides.block };
            let stride = rows * vectors * lanes * F32;
            let at = |base: Argument| Argument { offset: base.offset + done, stride, ..base };
            let arguments = vec![at(weights), gate.reach(0), at(scaled)];
            let kernel = self.kernel(gate::build(self.width, &spec))?;
            calls.push(Call { kernel, arguments, items: count });
            done += count * stride;
        }
        self.pass(id, calls, 2 * done);
        Ok(scaled)
    }
}
