//! What bands and groups share: a layer of a block with its packed weights, and the kernels of two layers at once.

use std::ops::Range;

use frit_ir::diagnostic::Diagnostic;
use frit_ir::{NodeId, Shape};

use crate::kernels::conv::{self, Conv, Item, Nest, Panels};
use crate::kernels::depthwise::{Depthwise, Ring, RowSums};
use crate::kernels::pair::{self, Pair};
use crate::kernels::window::Axis;
use crate::kernels::{F32, Strides};
use crate::pack::Source;
use crate::plan::{Argument, Call, Region};
use crate::schedule::block::Block;
use crate::schedule::layers::convolution::{self, Base};
use crate::schedule::layers::depthwise as layer;
use crate::schedule::network::Network;
use crate::schedule::placed::Placed;
use crate::schedule::placement::Placement;
use crate::schedule::stage::Kernels;
use crate::schedule::tiles::{self, Columns};
use crate::schedule::windows::{self, is_pointwise};

/// A convolution with its packed weights, to be computed a few rows at a time.
pub(super) struct Convolution {
    pub(super) conv: Conv,
    pub(super) columns: Vec<Columns>,
    pub(super) weights: Argument,
    /// Whether it has no window, so that any number of its rows is as good as one.
    pub(super) is_flat: bool,
    /// Whether each panel is read once, and asks for the next.
    pub(super) prefetches: bool,
}

impl Convolution {
    /// The convolution `id`, which has one group, its weights packed for a map of `pixels`; the strides of its output and
    /// residual are still those of its input.
    pub(super) fn new(
        placement: &mut Placement<'_>,
        id: NodeId,
        input: Strides,
        pixels: usize,
    ) -> Result<Convolution, Diagnostic> {
        let net = placement.net;
        let conv = net.convolution(id).expect("a block is made of convolutions");
        let [rows, columns] = windows::axes(net, id, conv.window())?;
        let is_flat = is_pointwise(&rows) && is_pointwise(&columns);
        let (channels, epilogue) = (net.input_channels(id), conv.epilogue);
        let sums = tiles::Sums {
            pixels,
            row: if is_flat { pixels } else { columns.output },
            vectors: net.blocks(conv.filters),
            taps: rows.kernel * columns.kernel,
            channels,
        };
        let panels = tiles::conv(net.width, sums);
        let weights = convolution::pack(placement, &convolution::source(net, id, conv)?, &panels);
        let conv = Conv { rows, columns, channels, input, output: input, residual: input, epilogue };
        Ok(Convolution { conv, columns: panels, weights, is_flat, prefetches: false })
    }

    /// What computes the output's rows of `span`, and the bytes from the input's begin to what it reads first.
    fn nest(&self, lanes: usize, span: &Range<usize>, columns: &Columns) -> (Conv, Nest, usize) {
        let (conv, rows) = if self.is_flat {
            let pixels = (span.len() * self.conv.columns.output).max(1);
            let conv = Conv { rows: Axis::plain(1), columns: Axis::plain(pixels), ..self.conv };
            (conv, conv.rows.runs_of(0..span.len().min(1), 1))
        } else {
            (self.conv, self.conv.rows.runs_of(span.clone(), 1))
        };
        let begin = if self.is_flat {
            span.start * conv.input.row
        } else {
            rows.first().map_or(0, |run| conv.input_row(run))
        };
        let panels = columns.panels;
        let columns = columns.across(&conv.columns, self.is_flat);
        let mut nest = Nest { item: Item::Panels, panels, rows, columns, ahead: 0 };
        if self.prefetches {
            nest.ahead = nest.lines_ahead(lanes);
        }
        (conv, nest, begin)
    }

    /// The calls that compute the rows of `span` on input, output and residual.
    pub(super) fn calls(
        &self,
        kernels: &mut Kernels,
        span: &Range<usize>,
        [input, output, residual]: [Argument; 3],
    ) -> Result<Vec<Call>, Diagnostic> {
        let mut base = Base { input, weights: self.weights, output, residual };
        let mut calls = Vec::new();
        for columns in &self.columns {
            let (conv, nest, begin) = self.nest(kernels.width.lanes, span, columns);
            let input = Argument { offset: base.input.offset + begin, ..base.input };
            let arguments = vec![input, base.weights, base.output, base.residual];
            let program = conv::build(kernels.width, &conv, &nest);
            calls.push(kernels.call(program, arguments, columns.panels.count)?);
            base.pass(&conv, columns.panels, kernels.width.lanes);
        }
        Ok(calls)
    }
}

/// The depthwise convolution of `block` over its whole map, all strides those of its input, and its packed weights.
pub(super) fn depthwise(
    placement: &mut Placement<'_>,
    block: &Block,
    input: Strides,
) -> Result<(Depthwise, Argument), Diagnostic> {
    let net = placement.net;
    let conv = net.convolution(block.depthwise).expect("a block is made of convolutions");
    let [rows, columns] = windows::axes(net, block.depthwise, conv.window())?;
    let weights = layer::weights(net, block.depthwise, conv)?;
    let weights = placement.pack(Source::Depthwise(weights));
    let depthwise = Depthwise {
        rows,
        columns,
        span: 0..rows.output,
        ring: Ring::whole(rows.input),
        input,
        output: input,
        residual: input,
        prologue: conv.prologue,
        epilogue: conv.epilogue,
        row_sums: None,
    };
    Ok((depthwise, weights))
}

/// How the row sums of the block's depthwise convolution lie, where its result is placed with them.
pub(super) fn row_sums(net: &Network<'_>, block: &Block, output: &Placed) -> Option<RowSums> {
    net.leaves_row_sums(block.depthwise).then(|| output.row_sums(net.width.lanes).0)
}

/// How a map lies in blocks of channels in scratch memory, and its bytes.
pub(super) fn in_scratch(net: &Network<'_>, map: [usize; 3]) -> (Strides, usize) {
    let (placed, bytes) = Placed::in_blocks(&Shape::new(&map), net.width.lanes, Region::Scratch);
    (placed.strides, bytes)
}

/// The place `offset` bytes behind the begin of scratch memory.
pub(super) fn scratch(offset: usize) -> Argument {
    Argument { region: Region::Scratch, offset, stride: 0 }
}

/// Where the tensors of a pair begin.
pub(super) struct Bases {
    /// Input, weights of the expansion and of the depthwise convolution, ring, output.
    pub(super) tensors: [Argument; 5],
    /// The row sums, where the depthwise convolution leaves them.
    pub(super) row_sums: Option<Argument>,
}

/// Whether the arguments of a pair step from panel to panel, or all panels are computed by one call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Split {
    Panels,
    Nothing,
}

/// The calls that compute `rows` of an expansion, the first of them `offset` bytes behind the ring's begin, and the
/// depthwise convolution of them.
pub(super) fn calls(
    kernels: &mut Kernels,
    (layer, rows): (&Convolution, &Range<usize>),
    (depthwise, expand_offset): (&Depthwise, usize),
    Bases { tensors: mut bases, mut row_sums }: Bases,
    split: Split,
) -> Result<Vec<Call>, Diagnostic> {
    let lanes = kernels.width.lanes;
    let pixels = tiles::depthwise(kernels.width, depthwise);
    let taps = depthwise.rows.kernel * depthwise.columns.kernel;
    let keeps = split == Split::Nothing;
    let mut calls = Vec::new();
    for columns in &layer.columns {
        let (conv, nest, begin) = layer.nest(lanes, rows, columns);
        let Panels { vectors, count } = columns.panels;
        let ring = if keeps { vectors * conv.output.block } else { 0 };
        let output = vectors * depthwise.output.block;
        let steps = [0, conv.panel_bytes(vectors, lanes), vectors * (1 + taps) * lanes * F32, ring, output];
        let mut arguments = bases.to_vec();
        arguments[0].offset += begin;
        if split == Split::Panels {
            arguments.iter_mut().zip(steps).for_each(|(argument, bytes)| argument.stride = bytes);
        }
        if let (Some(reach), Some(sums)) = (&mut row_sums, depthwise.row_sums) {
            let stride = if split == Split::Panels { vectors * sums.block } else { reach.stride };
            arguments.push(Argument { stride, ..*reach });
            reach.offset += vectors * count * sums.block;
        }
        let pair = Pair { expand: conv, nest, expand_offset, depthwise: depthwise.clone(), pixels, keeps };
        calls.push(kernels.call(pair::build(kernels.width, &pair), arguments, count)?);
        bases.iter_mut().zip(steps).for_each(|(base, bytes)| base.offset += bytes * count);
    }
    Ok(calls)
}
