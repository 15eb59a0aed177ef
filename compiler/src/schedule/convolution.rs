//! Steps of convolutions and fully connected layers.

use frit_ir::NodeId;
use frit_ir::diagnostic::{Diagnostic, codes};
use frit_ir::ops::{Conv2d, Dense, Epilogue, Padding, Scalar};

use super::placement::Placed;
use super::{LARGEST, Scheduler, large_window, prologue, tiles};
use crate::kernels::conv::{self, Conv, Nest, Panels, Walk};
use crate::kernels::depthwise::{self, Depthwise, Ring};
use crate::kernels::window::{self, Axis};
use crate::kernels::{F32, Strides};
use crate::pack::{self, Source};
use crate::plan::{Argument, Call, Region};

/// Fewer rows than this are not worth splitting over workers.
const FEW_ROWS: usize = 8;

/// A window that slides over a map.
pub(super) struct Window {
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    pub(super) padding: Padding,
    pub(super) dilation: [usize; 2],
}

/// What a convolution reads and writes.
pub(super) struct Operands {
    pub(super) input: Placed,
    pub(super) output: Placed,
    pub(super) residual: Placed,
    /// What the channels of the input are multiplied by.
    pub(super) gate: Option<Placed>,
}

impl Operands {
    /// Whether there is nothing between the rows of any of them.
    fn lie_as_one_row(&self) -> bool {
        let all = [self.input, self.output, self.residual];
        all.iter()
            .all(|placed| placed.rows == 1 || placed.strides.row == placed.columns * placed.strides.pixel)
    }
}

/// A layer with weights, as far as all of its groups agree.
#[derive(Clone, Copy)]
pub(super) struct Weighted {
    pub(super) id: NodeId,
    pub(super) axes: [Axis; 2],
    pub(super) epilogue: Epilogue,
}

impl Scheduler<'_> {
    pub(super) fn conv2d(&mut self, id: NodeId, conv: &Conv2d) -> Result<(), Diagnostic> {
        let axes = self.axes(id, conv)?;
        let channels = self.shapes[&self.graph.operands(id)[0]].channels();
        if prologue::has_depthwise_kernel(conv, channels) {
            return self.depthwise(id, axes, conv);
        }
        let mut source = self.source_of(id, conv, channels)?;
        let mut operands = self.operands(id)?;
        if let Some(prologue) = conv.prologue {
            operands.input = self.before(id, prologue)?;
        }
        let mut work = Weighted { id, axes, epilogue: conv.epilogue };
        if window::is_large(conv.kernel) {
            if conv.prologue.is_none() {
                operands.input = self.tensor_in_blocks(self.graph.operands(id)[0])?;
            }
            source.kernel = large_window::kernel(&source.kernel, &axes);
            (operands.input, work.axes) = self.large_window(id, operands.input, axes, Scalar::default())?;
            source.taps = work.axes[0].kernel * work.axes[1].kernel;
        }
        let calls = self.all_groups(&operands, work, &source)?;
        self.step(id, calls);
        Ok(())
    }

    /// The window of `conv`, which is node `id`: rows, columns.
    pub(super) fn axes(&self, id: NodeId, conv: &Conv2d) -> Result<[Axis; 2], Diagnostic> {
        let Conv2d { kernel, stride, padding, dilation, .. } = *conv;
        self.window_axes(id, &Window { kernel, stride, padding, dilation })
    }

    /// The axes of the window that node `id` slides over its map: rows, columns.
    pub(super) fn window_axes(&self, id: NodeId, window: &Window) -> Result<[Axis; 2], Diagnostic> {
        let operand = self.graph.operands(id)[0];
        let [height, width, channels] = self.shapes[&operand].map().expect("inference took a map");
        let [rows_out, columns_out, _] = self.shapes[&id].map().expect("inference made a map");
        let axis = |index: usize, input: usize, output: usize, before: usize| Axis {
            input,
            output,
            kernel: window.kernel[index],
            stride: window.stride[index],
            dilation: window.dilation[index],
            before,
        };
        let rows = axis(0, height, rows_out, window.padding.top);
        let columns = axis(1, width, columns_out, window.padding.left);
        check_window(&columns, channels)?;
        Ok([rows, columns])
    }

    /// Packs the weights of `conv`, which has one group, and returns where they begin.
    pub(super) fn pack_whole(
        &mut self,
        id: NodeId,
        conv: &Conv2d,
        columns: &[tiles::Columns],
    ) -> Result<usize, Diagnostic> {
        let channels = self.shapes[&self.graph.operands(id)[0]].channels();
        let source = self.source_of(id, conv, channels)?;
        Ok(self.pack(&source, columns))
    }

    /// Packs the part of a convolution that `source` names, and returns where it begins.
    fn pack(&mut self, source: &pack::Conv, columns: &[tiles::Columns]) -> usize {
        let panels = columns.iter().map(|columns| columns.panels).collect();
        self.weights.add(Source::Conv(pack::Conv { panels, ..source.clone() }))
    }

    /// Packs the weights of `conv`, which is depthwise, and returns where they begin.
    pub(super) fn pack_depthwise(&mut self, id: NodeId, conv: &Conv2d) -> Result<usize, Diagnostic> {
        let weights = self.depthwise_weights(id, conv)?;
        Ok(self.weights.add(Source::Depthwise(weights)))
    }

    /// The weights of `conv`, which is depthwise.
    fn depthwise_weights(&self, id: NodeId, conv: &Conv2d) -> Result<pack::Depthwise, Diagnostic> {
        let (kernel, bias) = self.values(id, conv.epilogue)?;
        let (channels, lanes) = (conv.filters, self.width.lanes);
        Ok(pack::Depthwise { kernel, bias, channels, lanes })
    }

    /// The weights of `conv` over `channels` input channels.
    fn source_of(&self, id: NodeId, conv: &Conv2d, channels: usize) -> Result<pack::Conv, Diagnostic> {
        let taps = conv.kernel[0] * conv.kernel[1];
        self.source(id, conv.epilogue, [taps, channels, conv.filters, conv.groups])
    }

    /// The weights of `id`, a kernel of so many taps over so many input channels to so many filters in groups: all groups,
    /// no panels yet.
    fn source(
        &self,
        id: NodeId,
        epilogue: Epilogue,
        [taps, channels, filters, groups]: [usize; 4],
    ) -> Result<pack::Conv, Diagnostic> {
        let (kernel, bias) = self.values(id, epilogue)?;
        let (inputs, outputs, panels) = (0..channels, 0..filters, Vec::new());
        let (inputs_per_group, lanes) = (channels / groups, self.width.lanes);
        Ok(pack::Conv {
            kernel,
            bias,
            taps,
            inputs_per_group,
            filters,
            groups,
            inputs,
            outputs,
            panels,
            lanes,
        })
    }

    pub(super) fn dense(&mut self, id: NodeId, dense: &Dense) -> Result<(), Diagnostic> {
        let inputs = self.shapes[&self.graph.operands(id)[0]].channels();
        let source = self.source(id, dense.epilogue, [1, inputs, dense.units, 1])?;
        let operands = self.operands(id)?;
        let work = Weighted { id, axes: [Axis::plain(1); 2], epilogue: dense.epilogue };
        let calls = self.all_groups(&operands, work, &source)?;
        self.step(id, calls);
        Ok(())
    }

    /// Kernel and bias of `id`.
    pub(super) fn values(
        &self,
        id: NodeId,
        epilogue: Epilogue,
    ) -> Result<(pack::Values, Option<pack::Values>), Diagnostic> {
        let names = &self.graph.node(id).weights;
        let kernel = self.graph.weights.values(&names[0])?;
        let bias = if epilogue.bias { Some(self.graph.weights.values(&names[1])?) } else { None };
        Ok((kernel, bias))
    }

    pub(super) fn operands(&mut self, id: NodeId) -> Result<Operands, Diagnostic> {
        let (op, operands) = (&self.graph.node(id).op, self.graph.operands(id));
        let residual = op.residual().map(|index| self.tensor_in_blocks(operands[index])).transpose()?;
        let gate = op.gate().map(|index| self.tensor_in_blocks(operands[index])).transpose()?;
        let input = self.tensor(operands[0]);
        let output = self.place(id);
        Ok(Operands { input, output, residual: residual.unwrap_or(output), gate })
    }

    fn depthwise(&mut self, id: NodeId, [rows, columns]: [Axis; 2], conv: &Conv2d) -> Result<(), Diagnostic> {
        let operand = self.graph.operands(id)[0];
        let (mut input, mut axes) = (self.tensor_in_blocks(operand)?, [rows, columns]);
        let Operands { output, residual, .. } = self.operands(id)?;
        let lanes = self.width.lanes;
        let mut weights = self.depthwise_weights(id, conv)?;
        let mut prologue = conv.prologue;
        if window::is_large(conv.kernel) {
            // What is written out around the map is zeros behind the clamp.
            if let Some(clamp) = prologue.take() {
                input = self.before(id, clamp)?;
            }
            weights.kernel = large_window::kernel(&weights.kernel, &axes);
            (input, axes) = self.large_window(id, input, axes, Scalar::default())?;
        }
        let [rows, columns] = axes;
        let offset = self.weights.add(Source::Depthwise(weights));
        let row_sums = self.leaves_row_sums(id).then(|| output.row_sums(lanes));
        let spec = Depthwise {
            rows,
            columns,
            span: 0..rows.output,
            ring: Ring::whole(rows.input),
            input: input.strides,
            output: output.strides,
            residual: residual.strides,
            prologue,
            epilogue: conv.epilogue,
            row_sums: row_sums.map(|(sums, _)| sums),
        };
        let program = depthwise::build(self.width, &spec, tiles::depthwise(self.width, &spec));
        let taps = rows.kernel * columns.kernel;
        let weights = Argument { region: Region::Weights, offset, stride: (1 + taps) * lanes * F32 };
        let by_block = |tensor: &Placed| tensor.reach(tensor.strides.block);
        let mut arguments = vec![by_block(&input), weights, by_block(&output), by_block(&residual)];
        arguments.extend(row_sums.map(|(sums, begin)| output.reach_from(begin, sums.block)));
        let call = Call { kernel: self.kernel(program)?, arguments, items: input.channels.div_ceil(lanes) };
        self.step(id, vec![call]);
        Ok(())
    }

    /// The calls of all groups. Groups are merged until each part begins and ends at a block of channels on both sides,
    /// so that one part is one plain convolution (with zeros where its groups don't meet).
    pub(super) fn all_groups(
        &mut self,
        operands: &Operands,
        work: Weighted,
        source: &pack::Conv,
    ) -> Result<Vec<Call>, Diagnostic> {
        let lanes = self.width.lanes;
        let filters_per_group = source.filters / source.groups;
        let whole = |merged: usize| {
            source.groups.is_multiple_of(merged)
                && (merged * source.inputs_per_group).is_multiple_of(lanes)
                && (merged * filters_per_group).is_multiple_of(lanes)
        };
        let merged = (1..source.groups).find(|&merged| whole(merged)).unwrap_or(source.groups);
        let mut calls = Vec::new();
        for first in (0..source.groups).step_by(merged) {
            let range = |per_group: usize| first * per_group..(first + merged) * per_group;
            let (inputs, outputs) = (range(source.inputs_per_group), range(filters_per_group));
            let part = pack::Conv { inputs, outputs, ..source.clone() };
            calls.extend(self.part(operands, work, &part)?);
        }
        Ok(calls)
    }

    fn part(
        &mut self,
        operands: &Operands,
        Weighted { id, axes: [rows, columns], epilogue }: Weighted,
        part: &pack::Conv,
    ) -> Result<Vec<Call>, Diagnostic> {
        let lanes = self.width.lanes;
        let pixels = operands.output.pixels();
        // Weights that several layers read lie in the panels of the first.
        let tiles = match self.weights.panels(part) {
            Some(panels) => tiles::down(self.width, pixels, panels),
            None => tiles::conv(self.width, pixels, part.outputs.len().div_ceil(lanes)),
        };
        let is_flat = is_pointwise(&rows) && is_pointwise(&columns) && operands.lie_as_one_row();
        let (rows, columns) = if is_flat { (Axis::plain(1), Axis::plain(pixels)) } else { (rows, columns) };
        let conv = Conv {
            rows,
            columns,
            channels: part.inputs.len(),
            input: operands.input.strides,
            output: operands.output.strides,
            residual: operands.residual.strides,
            epilogue,
        };
        let offset = self.pack(part, &tiles);
        let mut weights = Argument { region: Region::Weights, offset, stride: 0 };
        if let Some(gate) = operands.gate {
            let panels = tiles.iter().map(|columns| columns.panels).collect();
            weights = self.gated(id, gate, &pack::Conv { panels, ..part.clone() }, weights)?;
        }
        let block = |tensor: &Placed, channel: usize| channel / lanes * tensor.strides.block;
        let mut base = Base {
            input: operands.input.reach_from(block(&operands.input, part.inputs.start), 0),
            weights,
            output: operands.output.reach_from(block(&operands.output, part.outputs.start), 0),
            residual: operands.residual.reach_from(block(&operands.residual, part.outputs.start), 0),
        };
        let mut calls = Vec::new();
        for tile in &tiles {
            calls.extend(self.walk(&conv, tile, is_flat, base)?);
            base.pass(&conv, tile.panels, lanes);
        }
        Ok(calls)
    }

    /// The calls of panels of one width: split by panels where the map is small, else by tiles or rows.
    fn walk(
        &mut self,
        conv: &Conv,
        tile: &tiles::Columns,
        is_flat: bool,
        base: Base,
    ) -> Result<Vec<Call>, Diagnostic> {
        let (rows, columns) = (conv.rows.runs(1), tile.across(&conv.columns, is_flat));
        let nest = |walk: Walk| Nest {
            walk,
            panels: tile.panels,
            rows: rows.clone(),
            columns: columns.clone(),
            prefetches: tiles::prefetches(conv.rows.output * conv.columns.output),
        };
        let tiles_across: usize = columns.iter().map(|run| run.count).sum();
        let mut calls = Vec::new();
        if is_flat && tiles_across >= tiles::FEW_TILES {
            for run in &columns {
                let place = |strides: Strides| (run.start * strides.pixel, run.width * strides.pixel);
                let arguments =
                    base.arguments(place(conv.input), 0, place(conv.output), place(conv.residual));
                let nest = Nest { columns: vec![run.clone()], ..nest(Walk::Tiles) };
                calls.push(self.call(conv, &nest, arguments, run.count)?);
            }
        } else if !is_flat && conv.rows.output >= FEW_ROWS {
            for run in &rows {
                let place = |strides: Strides| (run.start * strides.row, strides.row);
                let input = (conv.input_row(run), conv.input_step(run));
                let arguments = base.arguments(input, 0, place(conv.output), place(conv.residual));
                let nest = Nest { rows: vec![run.clone()], ..nest(Walk::Rows) };
                calls.push(self.call(conv, &nest, arguments, run.count)?);
            }
        } else {
            let Panels { vectors, count } = tile.panels;
            let place = |strides: Strides| (0, vectors * strides.block);
            let bytes = conv.panel_bytes(vectors, self.width.lanes);
            let input = (conv.input_row(&rows[0]), 0);
            let arguments = base.arguments(input, bytes, place(conv.output), place(conv.residual));
            calls.push(self.call(conv, &nest(Walk::Panels), arguments, count)?);
        }
        Ok(calls)
    }

    fn call(
        &mut self,
        conv: &Conv,
        nest: &Nest,
        arguments: Vec<Argument>,
        items: usize,
    ) -> Result<Call, Diagnostic> {
        Ok(Call { kernel: self.kernel(conv::build(self.width, conv, nest))?, arguments, items })
    }
}

/// Where the tensors of a convolution begin, as far as its panels are not yet computed.
#[derive(Clone, Copy)]
pub(super) struct Base {
    pub(super) input: Argument,
    pub(super) weights: Argument,
    pub(super) output: Argument,
    pub(super) residual: Argument,
}

impl Base {
    /// Moves on behind `panels`.
    pub(super) fn pass(&mut self, conv: &Conv, panels: Panels, lanes: usize) {
        let Panels { vectors, count } = panels;
        self.weights.offset += conv.panel_bytes(vectors, lanes) * count;
        self.output.offset += vectors * count * conv.output.block;
        self.residual.offset += vectors * count * conv.residual.block;
    }

    /// The four arguments: offsets and strides of input, output and residual, and the stride of the weights.
    fn arguments(
        &self,
        input: (usize, usize),
        weights_stride: usize,
        output: (usize, usize),
        residual: (usize, usize),
    ) -> Vec<Argument> {
        let moved = |reach: Argument, (offset, stride): (usize, usize)| Argument {
            offset: reach.offset + offset,
            stride,
            ..reach
        };
        let weights = moved(self.weights, (0, weights_stride));
        vec![moved(self.input, input), weights, moved(self.output, output), moved(self.residual, residual)]
    }
}

/// Whether the axis passes every position once, without a window.
pub(super) fn is_pointwise(axis: &Axis) -> bool {
    axis.kernel == 1 && axis.stride == 1 && axis.before == 0 && axis.input == axis.output
}

/// Refuses windows whose distances would pass what the kernels can address: along a row they also begin before the map and
/// end behind it; down, no row outside it is touched.
pub(super) fn check_window(columns: &Axis, channels: usize) -> Result<(), Diagnostic> {
    let pixel = channels.next_multiple_of(16) * F32;
    let Axis { input, kernel, dilation, before, .. } = columns.cut();
    let reach = kernel.checked_mul(dilation).and_then(|reach| reach.checked_add(before)?.checked_add(input));
    match reach.and_then(|reach| reach.checked_mul(pixel)) {
        Some(bytes) if bytes <= LARGEST => Ok(()),
        _ => Err(Diagnostic::error(
            codes::LIMIT,
            format!(
                "a padded row of the window's map takes more than {LARGEST} bytes, the most that a kernel can address"
            ),
        )),
    }
}
