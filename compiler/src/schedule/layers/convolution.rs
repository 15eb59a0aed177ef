//! Convolutions and fully connected layers by themselves.

use frit_ir::NodeId;
use frit_ir::diagnostic::Diagnostic;
use frit_ir::ops::{Conv2d, Dense, Epilogue, Scalar};

use super::{elementwise, gate, large_window};
use crate::kernels::conv::{self, Conv, Item, Nest, Panels};
use crate::kernels::window::{self, Axis, Run};
use crate::kernels::{F32, Strides};
use crate::pack::{self, Source};
use crate::plan::{Argument, Call, Region, Work};
use crate::schedule::network::Network;
use crate::schedule::placed::Placed;
use crate::schedule::placement::Placement;
use crate::schedule::stage::Kernels;
use crate::schedule::tiles;
use crate::schedule::windows::{self, is_pointwise};

/// Fewer rows than this are not worth splitting over workers.
const FEW_ROWS: usize = 8;

/// What a convolution reads and writes.
#[derive(Clone, Copy)]
pub(in crate::schedule) struct Operands {
    pub(in crate::schedule) input: Placed,
    pub(in crate::schedule) output: Placed,
    pub(in crate::schedule) residual: Placed,
    /// What the channels of the input are multiplied by.
    pub(super) gate: Option<Placed>,
}

impl Operands {
    /// What `id` reads, its residual and gate in blocks, and a place for its result.
    pub(super) fn place(placement: &mut Placement<'_>, id: NodeId) -> Result<Operands, Diagnostic> {
        let (op, operands) = (placement.net.op(id), placement.net.graph.operands(id));
        let residual = op.residual().map(|index| placement.tensor_in_blocks(operands[index])).transpose()?;
        let gate = op.gate().map(|index| placement.tensor_in_blocks(operands[index])).transpose()?;
        let input = placement.home(operands[0]);
        let output = placement.place(id);
        Ok(Operands { input, output, residual: residual.unwrap_or(output), gate })
    }

    /// The same where the input must lie in blocks, too.
    pub(in crate::schedule) fn place_in_blocks(
        placement: &mut Placement<'_>,
        id: NodeId,
    ) -> Result<Operands, Diagnostic> {
        let input = placement.tensor_in_blocks(placement.net.operand(id, 0))?;
        Ok(Operands { input, ..Operands::place(placement, id)? })
    }

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

/// Groups of a convolution that are computed as one without groups.
pub(super) struct Part {
    conv: Conv,
    tiles: Vec<tiles::Columns>,
    is_flat: bool,
    base: Base,
    /// Bytes that stay near a core between two uses.
    near: usize,
}

/// A convolution that is not depthwise.
pub(super) fn place(placement: &mut Placement<'_>, id: NodeId, conv: &Conv2d) -> Result<(), Diagnostic> {
    let net = placement.net;
    let axes = windows::axes(net, id, conv.window())?;
    let mut source = source(net, id, conv)?;
    let mut operands = Operands::place(placement, id)?;
    if let Some(prologue) = conv.prologue {
        operands.input = elementwise::place_before(placement, id, prologue)?;
    }
    let mut work = Weighted { id, axes, epilogue: conv.epilogue };
    if window::is_large(conv.kernel) {
        if conv.prologue.is_none() {
            operands.input = placement.tensor_in_blocks(net.operand(id, 0))?;
        }
        source.kernel = large_window::kernel(&source.kernel, &axes);
        (operands.input, work.axes) =
            large_window::place(placement, id, operands.input, axes, Scalar::default())?;
        source.taps = work.axes[0].kernel * work.axes[1].kernel;
    }
    let parts = parts(placement, &operands, work, &source);
    stage(placement, id, parts);
    Ok(())
}

/// A fully connected layer.
pub(super) fn place_dense(
    placement: &mut Placement<'_>,
    id: NodeId,
    dense: &Dense,
) -> Result<(), Diagnostic> {
    let net = placement.net;
    let source = weights(net, id, dense.epilogue, [1, net.input_channels(id), dense.units, 1])?;
    let operands = Operands::place(placement, id)?;
    let work = Weighted { id, axes: [Axis::plain(1); 2], epilogue: dense.epilogue };
    let parts = parts(placement, &operands, work, &source);
    stage(placement, id, parts);
    Ok(())
}

/// The stage of `id` that computes `parts`.
pub(super) fn stage(placement: &mut Placement<'_>, id: NodeId, parts: Vec<Part>) {
    let touched: Vec<Region> = parts
        .iter()
        .flat_map(|Part { base, .. }| [base.input, base.weights, base.output, base.residual])
        .map(|argument| argument.region)
        .collect();
    placement.stage(id, &touched, move |kernels| {
        let mut calls = Vec::new();
        for part in &parts {
            calls.extend(part.calls(kernels)?);
        }
        Ok(Work::Items(calls))
    });
}

/// The weights of `id`, which is `conv`.
pub(in crate::schedule) fn source(
    net: &Network<'_>,
    id: NodeId,
    conv: &Conv2d,
) -> Result<pack::Conv, Diagnostic> {
    let taps = conv.kernel[0] * conv.kernel[1];
    weights(net, id, conv.epilogue, [taps, net.input_channels(id), conv.filters, conv.groups])
}

/// The weights of `id`, a kernel of so many taps over so many input channels to so many filters in groups: all groups,
/// no panels yet.
fn weights(
    net: &Network<'_>,
    id: NodeId,
    epilogue: Epilogue,
    sizes: [usize; 4],
) -> Result<pack::Conv, Diagnostic> {
    let (kernel, bias) = net.kernel_and_bias(id, epilogue)?;
    Ok(pack::Conv::new(kernel, bias, sizes, net.width.lanes))
}

/// Packs the part of a convolution that `source` names.
pub(in crate::schedule) fn pack(
    placement: &mut Placement<'_>,
    source: &pack::Conv,
    columns: &[tiles::Columns],
) -> Argument {
    let panels = columns.iter().map(|columns| columns.panels).collect();
    placement.pack(Source::Conv(pack::Conv { panels, ..source.clone() }))
}

/// All groups. They are merged until each part begins and ends at a block of channels on both sides, so that one part is one
/// plain convolution (with zeros where its groups don't meet).
pub(super) fn parts(
    placement: &mut Placement<'_>,
    operands: &Operands,
    work: Weighted,
    source: &pack::Conv,
) -> Vec<Part> {
    let lanes = placement.net.width.lanes;
    let filters_per_group = source.filters / source.groups;
    let whole = |merged: usize| {
        source.groups.is_multiple_of(merged)
            && (merged * source.inputs_per_group).is_multiple_of(lanes)
            && (merged * filters_per_group).is_multiple_of(lanes)
    };
    let merged = (1..source.groups).find(|&merged| whole(merged)).unwrap_or(source.groups);
    let part = |first: usize| {
        let range = |per_group: usize| first * per_group..(first + merged) * per_group;
        let (inputs, outputs) = (range(source.inputs_per_group), range(filters_per_group));
        Part::place(placement, operands, work, &pack::Conv { inputs, outputs, ..source.clone() })
    };
    (0..source.groups).step_by(merged).map(part).collect()
}

impl Part {
    fn place(
        placement: &mut Placement<'_>,
        operands: &Operands,
        Weighted { id, axes: [rows, columns], epilogue }: Weighted,
        source: &pack::Conv,
    ) -> Part {
        let width = placement.net.width;
        let pixels = operands.output.pixels();
        let is_flat = is_pointwise(&rows) && is_pointwise(&columns) && operands.lie_as_one_row();
        let (rows, columns) = if is_flat { (Axis::plain(1), Axis::plain(pixels)) } else { (rows, columns) };
        let sums = tiles::Sums {
            pixels,
            row: columns.output,
            vectors: source.outputs.len().div_ceil(width.lanes),
            taps: rows.kernel * columns.kernel,
            channels: source.inputs.len(),
        };
        // Weights that several layers read lie in the panels of the first.
        let tiles = match placement.weights.panels(source) {
            Some(panels) => tiles::down(width, pixels, panels),
            None => tiles::conv(width, sums),
        };
        let conv = Conv {
            rows,
            columns,
            channels: source.inputs.len(),
            input: operands.input.strides,
            output: operands.output.strides,
            residual: operands.residual.strides,
            epilogue,
        };
        let mut weights = pack(placement, source, &tiles);
        if let Some(gate) = operands.gate {
            let panels = tiles.iter().map(|columns| columns.panels).collect();
            weights = gate::place(placement, id, gate, (source, panels), weights);
        }
        let from = |tensor: &Placed, channel: usize| {
            tensor.argument_from(channel / width.lanes * tensor.strides.block, 0)
        };
        let base = Base {
            input: from(&operands.input, source.inputs.start),
            weights,
            output: from(&operands.output, source.outputs.start),
            residual: from(&operands.residual, source.outputs.start),
        };
        Part { conv, tiles, is_flat, base, near: placement.net.machine.near() }
    }

    fn calls(&self, kernels: &mut Kernels) -> Result<Vec<Call>, Diagnostic> {
        let mut base = self.base;
        let mut calls = Vec::new();
        for tile in &self.tiles {
            calls.extend(self.calls_of(kernels, tile, base)?);
            base.pass(&self.conv, tile.panels, kernels.width.lanes);
        }
        Ok(calls)
    }

    /// The calls of panels of one width: by panels where the map is small, else by tiles or rows. What is called by runs of
    /// tiles or rows reads all weights once for each, and by panels the whole input once for each: where that stays near,
    /// panels are fewer bytes, and a flat map is cut into blocks until it does.
    fn calls_of(
        &self,
        kernels: &mut Kernels,
        tile: &tiles::Columns,
        base: Base,
    ) -> Result<Vec<Call>, Diagnostic> {
        let (conv, is_flat) = (&self.conv, self.is_flat);
        let whole = Nest {
            item: Item::Panels,
            panels: tile.panels,
            rows: conv.rows.runs(1),
            columns: tile.across(&conv.columns, is_flat),
            ahead: 0,
        };
        let is_large = if is_flat { whole.tiles() >= tiles::FEW_TILES } else { conv.rows.output >= FEW_ROWS };
        let is_near = conv.input_bytes() <= self.near;
        let runs = if is_flat { whole.columns.len() } else { whole.rows.len() };
        let many = tile.panels.count >= tiles::MANY_PANELS;
        let mut cut = Cut { kernels, conv, whole, base };
        match is_flat {
            _ if !is_large || (many && is_near && runs > 1) => Ok(vec![cut.panels()?]),
            true if many && !is_near => cut.blocks(self.near / 2, tile.pixels),
            true => cut.tiles(),
            false => cut.rows(),
        }
    }
}

/// The call of `conv`, whose map lies as one row, by panels.
pub(in crate::schedule) fn by_panels(
    kernels: &mut Kernels,
    conv: &Conv,
    tile: &tiles::Columns,
    base: Base,
) -> Result<Call, Diagnostic> {
    let (rows, columns) = (conv.rows.runs(1), tile.across(&conv.columns, true));
    let whole = Nest { item: Item::Panels, panels: tile.panels, rows, columns, ahead: 0 };
    Cut { kernels, conv, whole, base }.panels()
}

/// A convolution of panels of one width, to be cut into calls.
struct Cut<'a> {
    kernels: &'a mut Kernels,
    conv: &'a Conv,
    whole: Nest,
    base: Base,
}

impl Cut<'_> {
    /// An item is a panel.
    fn panels(&mut self) -> Result<Call, Diagnostic> {
        let Panels { vectors, count } = self.whole.panels;
        let (conv, lanes) = (self.conv, self.kernels.width.lanes);
        let place = |strides: Strides| (0, vectors * strides.block);
        let arguments = self.base.arguments(
            (conv.input_row(&self.whole.rows[0]), 0),
            conv.panel_bytes(vectors, lanes),
            place(conv.output),
            place(conv.residual),
        );
        self.call(self.whole.clone(), arguments, count)
    }

    /// An item is a panel of one of the blocks of pixels whose input takes at most so many bytes, which go through all panels
    /// one after the other.
    fn blocks(&mut self, bytes: usize, tile: usize) -> Result<Vec<Call>, Diagnostic> {
        let tiles = bytes / (tile * self.conv.channels * F32);
        let mut calls = Vec::new();
        for run in self.conv.columns.runs(tile * tiles.max(1)) {
            let conv = Conv { columns: Axis::plain(run.width), ..*self.conv };
            let whole = Nest { columns: conv.columns.runs(tile), ..self.whole.clone() };
            for index in 0..run.count {
                let base = self.base.behind(&conv, run.start + index * run.width);
                let mut block = Cut { kernels: self.kernels, conv: &conv, whole: whole.clone(), base };
                calls.push(block.panels()?);
            }
        }
        Ok(calls)
    }

    /// An item is a tile.
    fn tiles(&mut self) -> Result<Vec<Call>, Diagnostic> {
        let (conv, whole) = (self.conv, self.whole.clone());
        let call = |run: &Run| {
            let place = |strides: Strides| (run.start * strides.pixel, run.width * strides.pixel);
            let arguments =
                self.base.arguments(place(conv.input), 0, place(conv.output), place(conv.residual));
            let nest = Nest { item: Item::Tiles, columns: vec![run.clone()], ..whole.clone() };
            self.call(nest, arguments, run.count)
        };
        whole.columns.iter().map(call).collect()
    }

    /// An item is a row.
    fn rows(&mut self) -> Result<Vec<Call>, Diagnostic> {
        let (conv, whole) = (self.conv, self.whole.clone());
        let call = |run: &Run| {
            let place = |strides: Strides| (run.start * strides.row, strides.row);
            let input = (conv.input_row(run), conv.input_step(run));
            let arguments = self.base.arguments(input, 0, place(conv.output), place(conv.residual));
            let nest = Nest { item: Item::Rows, rows: vec![run.clone()], ..whole.clone() };
            self.call(nest, arguments, run.count)
        };
        whole.rows.iter().map(call).collect()
    }

    /// The call of `nest`, whose tiles ask for the next panel where the map is small enough.
    fn call(&mut self, nest: Nest, arguments: Vec<Argument>, items: usize) -> Result<Call, Diagnostic> {
        let (conv, width) = (self.conv, self.kernels.width);
        let prefetches = tiles::prefetches(conv.rows.output * conv.columns.output);
        let ahead = if prefetches { nest.lines_ahead(width.lanes) } else { 0 };
        self.kernels.call(conv::build(width, conv, &Nest { ahead, ..nest }), arguments, items)
    }
}

/// Where the tensors of a convolution begin, as far as its panels are not yet computed.
#[derive(Clone, Copy)]
pub(in crate::schedule) struct Base {
    pub(in crate::schedule) input: Argument,
    pub(in crate::schedule) weights: Argument,
    pub(in crate::schedule) output: Argument,
    pub(in crate::schedule) residual: Argument,
}

impl Base {
    /// Moves on behind `panels`.
    pub(in crate::schedule) fn pass(&mut self, conv: &Conv, panels: Panels, lanes: usize) {
        let Panels { vectors, count } = panels;
        self.weights.offset += conv.panel_bytes(vectors, lanes) * count;
        self.output.offset += vectors * count * conv.output.block;
        self.residual.offset += vectors * count * conv.residual.block;
    }

    /// The same for what begins so many pixels further on.
    fn behind(mut self, conv: &Conv, pixels: usize) -> Base {
        self.input.offset += pixels * conv.input.pixel;
        self.output.offset += pixels * conv.output.pixel;
        self.residual.offset += pixels * conv.residual.pixel;
        self
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
