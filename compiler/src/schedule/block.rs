//! Whole blocks: expansion, depthwise convolution and projection in one or two steps instead of three.
//!
//! **Groups.** A panel of expanded channels goes through expansion and depthwise convolution at once, on memory of its
//! worker; the panels are shared out. Then the projection.
//!
//! **Bands.** A band of output rows goes through all three. The expanded rows lie in a ring of the worker's (see `ring`), so
//! that rows which two bands need are expanded once; only where a worker begins, it expands what the band before would
//! have left it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use frit_ir::diagnostic::Diagnostic;
use frit_ir::ops::Conv2d;
use frit_ir::{Graph, NodeId, Op, Shape};

use super::Scheduler;
use super::convolution::{Base, is_pointwise};
use super::placement::Placed;
use super::prologue;
use super::ring::Turns;
use super::tiles::{self, Columns};
use crate::kernels::conv::{self, Conv, Nest, Panels, Walk};
use crate::kernels::depthwise::{self, Depthwise, Ring, RowSums};
use crate::kernels::pair::{self, Pair, Third};
use crate::kernels::window::{self, Axis};
use crate::kernels::{F32, Strides};
use crate::plan::{Argument, Call, Region, Section, Work};

/// The layers of a block, by node: at least two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    /// The convolution before the depthwise one, where only that one reads it.
    pub(super) expand: Option<NodeId>,
    /// The depthwise convolution.
    pub(super) depthwise: NodeId,
    /// The pointwise convolution behind it, where it alone reads it. Squeeze and excite stands in between: its average is
    /// known when the depthwise convolution is done.
    pub(super) project: Option<NodeId>,
}

impl Block {
    /// The block's layers in order.
    pub(super) fn layers(&self) -> Vec<NodeId> {
        self.expand.into_iter().chain([self.depthwise]).chain(self.project).collect()
    }

    /// The layer whose result is read by others.
    pub(super) fn last(&self) -> NodeId {
        self.project.unwrap_or(self.depthwise)
    }
}

/// The blocks of `graph`, in its order. What lies inside a block is read by nothing else, and no layer is in two.
///
/// The pointwise convolution of one block may stand before the depthwise one of the next, as in MobileNet: the earlier
/// block has it.
pub(super) fn find(graph: &Graph, shapes: &BTreeMap<NodeId, Shape>) -> Vec<Block> {
    let mut taken = BTreeSet::new();
    let mut blocks = Vec::new();
    for depthwise in graph.topological() {
        let Some(conv) = convolution(graph, depthwise) else { continue };
        let channels = shapes[&graph.operands(depthwise)[0]].channels();
        // In a block it adds nothing to its sum, and meets the borders without a copy of its map.
        let is_plain = !conv.epilogue.residual && !window::is_large(conv.kernel);
        if !prologue::has_depthwise_kernel(conv, channels) || !is_plain {
            continue;
        }
        let expand = expansion(graph, depthwise).filter(|expand| !taken.contains(expand));
        let block = Block { expand, depthwise, project: projection(graph, depthwise) };
        if block.layers().len() > 1 {
            taken.extend(block.layers());
            blocks.push(block);
        }
    }
    blocks
}

fn expansion(graph: &Graph, depthwise: NodeId) -> Option<NodeId> {
    let input = graph.operands(depthwise)[0];
    let conv = convolution(graph, input)?;
    let fits = conv.groups == 1 && conv.prologue.is_none() && !conv.gate && !conv.epilogue.residual;
    let fits = fits && !window::is_large(conv.kernel);
    (fits && only_reader(graph, input) == Some(depthwise)).then_some(input)
}

fn projection(graph: &Graph, depthwise: NodeId) -> Option<NodeId> {
    let project = only_reader(graph, depthwise)?;
    let conv = convolution(graph, project)?;
    let is_plain = conv.stride == [1, 1] && conv.groups == 1 && conv.padding == Default::default();
    let is_plain = is_plain && conv.prologue.is_none() && !conv.gate;
    (conv.kernel == [1, 1] && is_plain).then_some(project)
}

/// The layer that reads `id` as its first operand, where nothing else is made of it.
fn only_reader(graph: &Graph, id: NodeId) -> Option<NodeId> {
    let [reader] = graph.users(id)[..] else { return None };
    let operands = graph.operands(reader);
    let once = operands.iter().filter(|&&operand| operand == id).count() == 1;
    (once && operands[0] == id && !graph.outputs().contains(&id)).then_some(reader)
}

fn convolution(graph: &Graph, id: NodeId) -> Option<&Conv2d> {
    let Op::Conv2d(conv) = &graph.node(id).op else { return None };
    Some(conv)
}

/// A convolution with its packed weights, to be computed a few rows at a time.
struct Layer {
    conv: Conv,
    columns: Vec<Columns>,
    weights: usize,
    /// Whether it has no window, so that any number of its rows is as good as one.
    is_flat: bool,
    prefetches: bool,
}

impl Layer {
    /// What computes the output's rows of `span`, and the bytes from the input's begin to what it reads first.
    fn nest(&self, span: &Range<usize>, columns: &Columns) -> (Conv, Nest, usize) {
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
        let (walk, panels, prefetches) = (Walk::Panels, columns.panels, self.prefetches);
        let columns = columns.across(&conv.columns, self.is_flat);
        let nest = Nest { walk, panels, rows, columns, prefetches };
        (conv, nest, begin)
    }
}

/// The layers of a block with their packed weights, and what it reads and writes.
struct Prepared {
    expand: Option<Layer>,
    depthwise: Depthwise,
    depthwise_weights: usize,
    project: Option<Layer>,
    input: Placed,
    output: Placed,
    residual: Placed,
    /// How the ring lies, behind what the depthwise convolution makes, in scratch memory.
    ring: Strides,
    ring_offset: usize,
    turns: Turns,
}

impl Prepared {
    /// Bytes of the input from one turn to the next.
    fn input_advance(&self) -> usize {
        let rows = self.expand.as_ref().map_or(1, |expand| expand.conv.rows.stride);
        self.turns.advance() * rows * self.input.strides.row
    }

    fn ring(&self, rows: &Range<usize>) -> Argument {
        let place = if rows.is_empty() { 0 } else { self.turns.ring.place(rows.start) };
        scratch(self.ring_offset + place * self.ring.row)
    }
}

fn scratch(offset: usize) -> Argument {
    Argument { region: Region::Scratch, offset, stride: 0 }
}

fn weights(offset: usize) -> Argument {
    Argument { region: Region::Weights, offset, stride: 0 }
}

/// Where the tensors of a pair begin.
struct Bases {
    /// Input, weights of the expansion and of the depthwise convolution, ring, output.
    tensors: [Argument; 5],
    /// The row sums, where they lie elsewhere than behind the output.
    row_sums: Option<Argument>,
}

/// Whether the arguments of a pair step from panel to panel, or all panels are computed by one call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Split {
    Panels,
    Nothing,
}

impl Scheduler<'_> {
    /// A step for expansion and depthwise convolution, and one for the projection.
    pub(super) fn groups(&mut self, block: &Block, expand: NodeId) -> Result<(), Diagnostic> {
        let input = self.tensor(self.graph.operands(expand)[0]);
        let [rows, columns, channels] = self.map(expand);
        let (ring, bytes) = self.in_scratch([rows, columns, channels]);
        let mut layer = self.layer(expand, input.strides, rows * columns)?;
        layer.prefetches = tiles::prefetches(rows * columns);
        (layer.conv.output, layer.conv.residual) = (ring, ring);
        let (depthwise, depthwise_weights) = self.depthwise_of(block, ring)?;
        let output = self.place(block.depthwise);
        let row_sums = self.row_sums_of(block, &output);
        let depthwise = Depthwise { output: output.strides, residual: output.strides, row_sums, ..depthwise };
        let tensors =
            [input.reach(0), weights(layer.weights), weights(depthwise_weights), scratch(0), output.reach(0)];
        let bases = Bases { tensors, row_sums: None };
        let calls = self.pair_calls((&layer, &(0..rows)), (&depthwise, 0), bases, Split::Panels)?;
        let widest = layer.columns.iter().map(|columns| columns.panels.vectors).max().unwrap_or(0);
        let a_block = bytes / channels.div_ceil(self.width.lanes);
        self.scratch_bytes = self.scratch_bytes.max(widest * a_block);
        self.step_of(&[expand, block.depthwise], Work::Items(calls));
        match block.project {
            Some(project) => self.conv2d(project, &self.convolution(project)),
            None => Ok(()),
        }
    }

    /// One step for the whole block, in bands of `height` output rows.
    pub(super) fn bands(&mut self, block: &Block, height: usize) -> Result<(), Diagnostic> {
        let prepared = self.prepare(block, height)?;
        let window = prepared.expand.as_ref().filter(|layer| !layer.is_flat).map(|layer| layer.conv.rows);
        let mut sections = Vec::new();
        for (first, bands) in prepared.turns.sections(window) {
            let halo = self.halo(&prepared, first)?;
            let mut calls = Vec::new();
            for span in prepared.turns.bands(first) {
                calls.extend(self.band(&prepared, &span)?);
            }
            sections.push(Section { bands, halo, calls });
        }
        self.step_of(&block.layers(), Work::Bands(sections));
        Ok(())
    }

    fn prepare(&mut self, block: &Block, height: usize) -> Result<Prepared, Diagnostic> {
        let first = block.expand.unwrap_or(block.depthwise);
        let operand = self.graph.operands(first)[0];
        let input =
            if block.expand.is_some() { self.tensor(operand) } else { self.tensor_in_blocks(operand)? };
        let residual = self.graph.node(block.last()).op.residual();
        let residual = residual.map(|index| self.graph.operands(block.last())[index]);
        let residual = residual.map(|residual| self.tensor_in_blocks(residual)).transpose()?;
        let [rows, columns, channels] = self.map(first);
        let mut expand = block.expand.map(|id| self.layer(id, input.strides, rows * columns)).transpose()?;
        let (mut depthwise, depthwise_weights) = self.depthwise_of(block, input.strides)?;
        let turns = Turns::new(depthwise.rows, height, expand.is_some());
        let [rows_out, columns_out, channels_out] = self.map(block.depthwise);
        let band_rows = if block.project.is_some() { height } else { 0 };
        let (band, band_bytes) = self.in_scratch([band_rows, columns_out, channels_out]);
        let (ring, ring_bytes) = self.in_scratch([turns.ring.rows, columns, channels]);
        let ring_offset = band_bytes.next_multiple_of(64);
        let mut project = block.project.map(|id| self.layer(id, band, rows_out * columns_out)).transpose()?;
        let output = self.place(block.last());
        let residual = residual.unwrap_or(output);
        (depthwise.output, depthwise.residual) = (output.strides, output.strides);
        depthwise.row_sums = self.row_sums_of(block, &output);
        if let Some(project) = &mut project {
            (project.conv.output, project.conv.residual) = (output.strides, residual.strides);
            (depthwise.output, depthwise.residual) = (band, band);
        }
        self.scratch_bytes = self.scratch_bytes.max(ring_offset);
        if let Some(expand) = &mut expand {
            (expand.conv.output, expand.conv.residual) = (ring, ring);
            (depthwise.input, depthwise.ring) = (ring, turns.ring);
            self.scratch_bytes = self.scratch_bytes.max(ring_offset + ring_bytes);
        }
        let prepared = Prepared {
            expand,
            depthwise,
            depthwise_weights,
            project,
            input,
            output,
            residual,
            ring,
            ring_offset,
            turns,
        };
        Ok(prepared)
    }

    /// What a worker runs before `turn` where it begins there.
    fn halo(&mut self, prepared: &Prepared, turn: usize) -> Result<Vec<Call>, Diagnostic> {
        let rows = prepared.turns.halo(turn);
        match &prepared.expand {
            Some(expand) if !rows.is_empty() => {
                let input = prepared.input.reach(prepared.input_advance());
                let ring = prepared.ring(&rows);
                self.layer_calls(expand, &rows, [input, ring, ring])
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The calls of a band of output rows.
    fn band(&mut self, prepared: &Prepared, span: &Range<usize>) -> Result<Vec<Call>, Diagnostic> {
        let turns = &prepared.turns;
        let depthwise = Depthwise { span: span.clone(), ..prepared.depthwise.clone() };
        let input = prepared.input.reach(prepared.input_advance());
        let by_row = |placed: &Placed| {
            let row = placed.strides.row;
            placed.reach_from(span.start * row, turns.height() * row)
        };
        let own = weights(prepared.depthwise_weights);
        let row_sums = depthwise.row_sums.map(|sums| {
            let (_, begin) = prepared.output.row_sums(self.width.lanes);
            prepared.output.reach_from(begin + span.start * sums.row, turns.height() * sums.row)
        });
        let band = if prepared.project.is_some() { scratch(0) } else { by_row(&prepared.output) };
        let mut calls = match &prepared.expand {
            Some(expand) => {
                let rows = turns.fresh(span);
                let offset = prepared.ring(&rows).offset - prepared.ring_offset;
                let tensors = [input, weights(expand.weights), own, scratch(prepared.ring_offset), band];
                let bases = Bases { tensors, row_sums };
                self.pair_calls((expand, &rows), (&depthwise, offset), bases, Split::Nothing)?
            }
            None => {
                let pixels = tiles::depthwise(self.width, &depthwise);
                let kernel = self.kernel(depthwise::build(self.width, &depthwise, pixels))?;
                let items = prepared.input.channels.div_ceil(self.width.lanes);
                let arguments = [input, own, band, band].into_iter().chain(row_sums).collect();
                vec![Call { kernel, arguments, items }]
            }
        };
        if let Some(project) = &prepared.project {
            let reaches = [band, by_row(&prepared.output), by_row(&prepared.residual)];
            calls.extend(self.layer_calls(project, &(0..span.len()), reaches)?);
        }
        Ok(calls)
    }

    /// The calls that compute `rows` of an expansion, the first of them `offset` bytes behind the ring's begin, and the
    /// depthwise convolution of them.
    fn pair_calls(
        &mut self,
        (layer, rows): (&Layer, &Range<usize>),
        (depthwise, expand_offset): (&Depthwise, usize),
        Bases { tensors: mut bases, mut row_sums }: Bases,
        split: Split,
    ) -> Result<Vec<Call>, Diagnostic> {
        let lanes = self.width.lanes;
        let pixels = tiles::depthwise(self.width, depthwise);
        let taps = depthwise.rows.kernel * depthwise.columns.kernel;
        let keeps = split == Split::Nothing;
        let mut calls = Vec::new();
        for columns in &layer.columns {
            let (conv, nest, begin) = layer.nest(rows, columns);
            let Panels { vectors, count } = columns.panels;
            let ring = if keeps { vectors * conv.output.block } else { 0 };
            let output = vectors * depthwise.output.block;
            let steps =
                [0, conv.panel_bytes(vectors, lanes), vectors * (1 + taps) * lanes * F32, ring, output];
            let mut arguments = bases.to_vec();
            arguments[0].offset += begin;
            let mut third = Third::Weights { row_sums: depthwise.rows.output * depthwise.output.row };
            if let (Some(reach), Some(sums)) = (&mut row_sums, depthwise.row_sums) {
                third = Third::RowSums { weights: bases[2].offset as i64 - bases[1].offset as i64 };
                arguments[2] = *reach;
                reach.offset += vectors * count * sums.block;
            }
            if split == Split::Panels {
                arguments.iter_mut().zip(steps).for_each(|(argument, bytes)| argument.stride = bytes);
            }
            let pair = Pair {
                expand: conv,
                nest,
                expand_offset,
                depthwise: depthwise.clone(),
                pixels,
                keeps,
                third,
            };
            let kernel = self.kernel(pair::build(self.width, &pair))?;
            calls.push(Call { kernel, arguments, items: count });
            bases.iter_mut().zip(steps).for_each(|(base, bytes)| base.offset += bytes * count);
        }
        Ok(calls)
    }

    /// The calls that compute the rows of `span` of `layer` on input, output and residual.
    fn layer_calls(
        &mut self,
        layer: &Layer,
        span: &Range<usize>,
        [input, output, residual]: [Argument; 3],
    ) -> Result<Vec<Call>, Diagnostic> {
        let mut base = Base { input, weights: weights(layer.weights), output, residual };
        let mut calls = Vec::new();
        for columns in &layer.columns {
            let (conv, nest, begin) = layer.nest(span, columns);
            let input = Argument { offset: base.input.offset + begin, ..base.input };
            let arguments = vec![input, base.weights, base.output, base.residual];
            let kernel = self.kernel(conv::build(self.width, &conv, &nest))?;
            calls.push(Call { kernel, arguments, items: columns.panels.count });
            base.pass(&conv, columns.panels, self.width.lanes);
        }
        Ok(calls)
    }

    /// The convolution of `id`, with one group, its weights packed for a map of `pixels`; the strides of its output and
    /// residual are still those of its input.
    fn layer(&mut self, id: NodeId, input: Strides, pixels: usize) -> Result<Layer, Diagnostic> {
        let layer = self.convolution(id);
        let [rows, columns] = self.axes(id, &layer)?;
        let panels = tiles::conv(self.width, pixels, layer.filters.div_ceil(self.width.lanes));
        let weights = self.pack_whole(id, &layer, &panels)?;
        let channels = self.shapes[&self.graph.operands(id)[0]].channels();
        let is_flat = is_pointwise(&rows) && is_pointwise(&columns);
        let epilogue = layer.epilogue;
        let conv = Conv { rows, columns, channels, input, output: input, residual: input, epilogue };
        Ok(Layer { conv, columns: panels, weights, is_flat, prefetches: false })
    }

    /// The depthwise convolution of `block` over its whole map, all strides those of its input, and its packed weights.
    fn depthwise_of(&mut self, block: &Block, input: Strides) -> Result<(Depthwise, usize), Diagnostic> {
        let conv = self.convolution(block.depthwise);
        let [rows, columns] = self.axes(block.depthwise, &conv)?;
        let weights = self.pack_depthwise(block.depthwise, &conv)?;
        let (span, ring) = (0..rows.output, Ring::whole(rows.input));
        let (prologue, epilogue) = (conv.prologue, conv.epilogue);
        let depthwise = Depthwise {
            rows,
            columns,
            span,
            ring,
            input,
            output: input,
            residual: input,
            prologue,
            epilogue,
            row_sums: None,
        };
        Ok((depthwise, weights))
    }

    /// How the row sums of the block's depthwise convolution lie, where its result is placed with them.
    fn row_sums_of(&self, block: &Block, output: &Placed) -> Option<RowSums> {
        self.leaves_row_sums(block.depthwise).then(|| output.row_sums(self.width.lanes).0)
    }

    fn convolution(&self, id: NodeId) -> Conv2d {
        convolution(self.graph, id).cloned().expect("a block is made of convolutions")
    }

    /// Height, width and channels of what `id`, a convolution, makes.
    fn map(&self, id: NodeId) -> [usize; 3] {
        self.shapes[&id].map().expect("a convolution makes a map")
    }

    /// How a map lies in blocks of channels in scratch memory, and its bytes.
    fn in_scratch(&self, map: [usize; 3]) -> (Strides, usize) {
        let (placed, bytes) = Placed::in_blocks(&Shape::new(&map), self.width.lanes, Region::Scratch);
        (placed.strides, bytes)
    }
}

#[cfg(test)]
mod tests {
    use frit_ir::text::parse;

    use super::*;

    /// The blocks of a graph by the names of their layers.
    fn blocks(text: &str) -> Vec<Vec<String>> {
        let graph = parse(text).unwrap();
        let names = |block: Block| block.layers().iter().map(|&id| graph.node(id).name.clone()).collect();
        find(&graph, &graph.shapes().unwrap()).into_iter().map(names).collect()
    }

    const POINTWISE: &str = "1x1x8x8 {filters=8, kernel=1x1}";
    const DEPTHWISE: &str = "3x3x1x8 {filters=8, kernel=3x3, pad=1:1:1:1, groups=8}";

    /// Convolutions one behind the other.
    fn graph(layers: &[(&str, &str)]) -> String {
        let (mut weights, mut nodes, mut before) = (String::new(), String::new(), "x");
        for (name, layer) in layers {
            let (shape, attributes) = layer.split_once(' ').unwrap();
            weights += &format!("@{name}.kernel : {shape} seeded(7)\n");
            nodes += &format!("%{name} = conv2d %{before}, @{name}.kernel {attributes}\n");
            before = name;
        }
        format!("model m\n{weights}%x = input {{shape=8x8x8}}\n{nodes}output %{before}\n")
    }

    #[test]
    fn a_layer_between_two_blocks_belongs_to_the_earlier_one() {
        let text = graph(&[
            ("a", POINTWISE),
            ("b", DEPTHWISE),
            ("c", POINTWISE),
            ("d", DEPTHWISE),
            ("e", POINTWISE),
        ]);
        assert_eq!(blocks(&text), [vec!["a", "b", "c"], vec!["d", "e"]]);
    }

    #[test]
    fn what_is_read_twice_is_not_inside_a_block() {
        let text = graph(&[("a", POINTWISE), ("b", DEPTHWISE), ("c", POINTWISE)]);
        assert_eq!(blocks(&text), [["a", "b", "c"]]);
        let twice = text.replace("%c = conv2d %b, @c.kernel {", "%c = conv2d %b, %b, @c.kernel {add, ");
        assert_eq!(blocks(&twice), [["a", "b"]]);
        let output = text.replace("output %c", "output %c, %a");
        assert_eq!(blocks(&output), [["b", "c"]]);
    }

    #[test]
    fn a_depthwise_convolution_alone_is_no_block() {
        assert!(blocks(&graph(&[("a", DEPTHWISE), ("b", DEPTHWISE)])).is_empty());
    }
}
