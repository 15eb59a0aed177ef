//! Concatenation along the channels, and its reverse.
//!
//! Layers write their results straight into the tensor that they are joined to, wherever their first channel begins a block
//! there; a tensor is in one concatenation at most, once, and what else there is is copied. A slice is a view of the tensor
//! wherever its first channel begins a block and its rows are whole and follow one another.

use std::collections::BTreeMap;

use frit_ir::diagnostic::Diagnostic;
use frit_ir::ops::{Concat, Slice, Span};
use frit_ir::{Graph, NodeId, Op, Shape};

use super::Scheduler;
use super::placement::Placed;
use crate::kernels::join::{self, Shift};
use crate::kernels::window::Axis;
use crate::kernels::window_pool::{Reduction, WindowPool};
use crate::kernels::{Strides, copy};
use crate::plan::Call;

/// Where a tensor lies inside a concatenation that is in no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// The concatenation.
    pub(super) whole: NodeId,
    /// The tensor's first channel there; it begins a block.
    pub(super) channel: usize,
}

/// Each tensor that is a part of another, where its layer can write it there.
pub(super) fn parts(graph: &Graph, shapes: &BTreeMap<NodeId, Shape>, lanes: usize) -> BTreeMap<NodeId, Part> {
    let mut parts: BTreeMap<NodeId, Part> = BTreeMap::new();
    // Users first: a concatenation that is itself a part hands its place on.
    for id in graph.topological().into_iter().rev() {
        let Op::Concat(concat) = &graph.node(id).op else { continue };
        if !is_along_channels(concat, &shapes[&id]) {
            continue;
        }
        let Part { whole, mut channel } = parts.get(&id).copied().unwrap_or(Part { whole: id, channel: 0 });
        for operand in graph.operands(id) {
            if channel.is_multiple_of(lanes) {
                parts.entry(operand).or_insert(Part { whole, channel });
            }
            channel += shapes[&operand].channels();
        }
    }
    parts
}

fn is_along_channels(concat: &Concat, shape: &Shape) -> bool {
    concat.axis + 1 == shape.rank()
}

impl Scheduler<'_> {
    /// The place of `id` inside the concatenation that it is a part of, or that it is.
    pub(super) fn place_joined(&mut self, id: NodeId) -> Option<Placed> {
        let is_whole = matches!(&self.graph.node(id).op, Op::Concat(concat) if is_along_channels(concat, &self.shapes[&id]));
        let part = match self.parts.get(&id) {
            Some(&part) => part,
            None if is_whole => Part { whole: id, channel: 0 },
            None => return None,
        };
        let whole = match self.wholes.get(&part.whole) {
            Some(&whole) => whole,
            None => {
                let whole = self.place_in_blocks(&self.shapes[&part.whole].clone());
                self.wholes.insert(part.whole, whole);
                whole
            }
        };
        let lanes = self.width.lanes;
        Some(whole.channels_from(part.channel / lanes, self.shapes[&id].channels()))
    }

    /// Copies what does not lie in its place yet.
    pub(super) fn concat(&mut self, id: NodeId, concat: &Concat) -> Result<(), Diagnostic> {
        if !is_along_channels(concat, &self.shapes[&id]) {
            return self.concat_by_copies(id, concat);
        }
        let whole = self.place(id);
        let lanes = self.width.lanes;
        let (mut channel, mut calls) = (0, Vec::new());
        let operands = self.graph.operands(id);
        for (index, &operand) in operands.iter().enumerate() {
            let from = self.tensor(operand);
            let to = whole.channels_from(channel / lanes, from.channels);
            let shift = channel % lanes;
            if shift != 0 || (from.region, from.offset) != (to.region, to.offset) {
                calls.push(self.copy_channels(
                    [from, to],
                    Shift::Output(shift),
                    index + 1 == operands.len(),
                )?);
            }
            channel += from.channels;
        }
        if !calls.is_empty() {
            self.step(id, calls);
        }
        Ok(())
    }

    /// The copy of all channels of `from` to as many of `to`, one of which begins `shift` lanes further on. With `fills`, what
    /// will stand behind them in their last block, if anything, is written later.
    fn copy_channels(
        &mut self,
        [from, to]: [Placed; 2],
        shift: Shift,
        fills: bool,
    ) -> Result<Call, Diagnostic> {
        let strides = [from.strides, to.strides];
        let program = match shift {
            Shift::Input(0) | Shift::Output(0) => {
                copy::build(self.width, to.channels, strides[0], strides[1])
            }
            _ => join::build(self.width, to.channels, shift, strides, fills),
        };
        let arguments = vec![from.reach(from.strides.pixel), to.reach(to.strides.pixel)];
        Ok(Call { kernel: self.kernel(program)?, arguments, items: from.pixels() })
    }

    /// A view where the kept elements lie as a tensor of their own would, else a copy.
    pub(super) fn slice(&mut self, id: NodeId, slice: &Slice) -> Result<(), Diagnostic> {
        let operand = self.graph.operands(id)[0];
        let spans = spans(slice, &self.shapes[&operand])
            .filter(|[.., channels]| channels.step == 1 || channels.count == 1);
        let Some([rows, columns, channels]) = spans else { return self.slice_by_copy(id, slice) };
        let lanes = self.width.lanes;
        let mut from = self.tensor_in_blocks(operand)?;
        let shift = channels.start % lanes;
        from = Placed { is_dense: false, ..from.channels_from(channels.start / lanes, channels.count) };
        if shift != 0 {
            let shape = Shape::new(&[from.rows, from.columns, channels.count]);
            let is_all = [rows, columns] == [Span::all(from.rows), Span::all(from.columns)];
            let to = if is_all { self.place(id) } else { self.place_in_blocks(&shape) };
            let call = self.copy_channels([from, to], Shift::Input(shift), true)?;
            self.step(id, vec![call]);
            from = to;
        }
        if columns == Span::all(from.columns) && (rows.step == 1 || rows.count == 1) {
            let offset = from.offset + rows.start * from.strides.row;
            self.placed.insert(id, Placed { rows: rows.count, offset, ..from });
            return Ok(());
        }
        let offset = from.offset + rows.start * from.strides.row + columns.start * from.strides.pixel;
        let from = Placed { offset, ..from };
        self.sample(id, [rows, columns], from)
    }

    /// Copies every so manyth pixel from the begin of `from` on: a pool over windows of one pixel.
    fn sample(&mut self, id: NodeId, [rows, columns]: [Span; 2], from: Placed) -> Result<(), Diagnostic> {
        let output = self.place(id);
        let axis = |span: Span| Axis {
            input: (span.count - 1) * span.step + 1,
            output: span.count,
            kernel: 1,
            stride: span.step,
            dilation: 1,
            before: 0,
        };
        let Placed { strides, .. } = output;
        let row = columns.count * strides.pixel;
        let pool = WindowPool {
            reduction: Reduction::Largest,
            rows: axis(rows),
            columns: axis(columns),
            input: from.strides,
            output: Strides { row, ..strides },
        };
        self.window_pool(id, &pool, ([from, output], None))
    }
}

/// What is kept of rows, columns and channels, as tensors lie; `None` where leading axes of more than three are cut.
fn spans(slice: &Slice, shape: &Shape) -> Option<[Span; 3]> {
    let one = Span::all(1);
    match slice.spans[..] {
        [] => Some([one; 3]),
        [channels] => Some([one, one, channels]),
        [columns, channels] => Some([one, columns, channels]),
        [rows, columns, channels] => Some([rows, columns, channels]),
        [ref pixels @ .., channels] => {
            let lengths = &shape.axes()[..pixels.len()];
            let is_whole = pixels.iter().zip(lengths).all(|(&span, &length)| span == Span::all(length));
            is_whole.then(|| [one, Span::all(lengths.iter().product()), channels])
        }
    }
}

#[cfg(test)]
mod tests {
    use frit_ir::text::parse;

    use super::*;

    /// The parts of a graph in text at 8 lanes: the name of each, of its whole, and its first channel.
    fn found(text: &str) -> Vec<(String, String, usize)> {
        let graph = parse(text).unwrap();
        let shapes = graph.shapes().unwrap();
        let name = |id: NodeId| graph.node(id).name.clone();
        let part = |(id, part): (NodeId, Part)| (name(id), name(part.whole), part.channel);
        parts(&graph, &shapes, 8).into_iter().map(part).collect()
    }

    fn layers(channels: &[usize], rest: &str) -> String {
        let mut text = "model m\n%x = input {shape=4x4x8}\n".to_owned();
        for (index, filters) in channels.iter().enumerate() {
            text = text.replacen("%x", &format!("@k{index} : 1x1x8x{filters} seeded(1)\n%x"), 1);
            text += &format!("%c{index} = conv2d %x, @k{index} {{filters={filters}, kernel=1x1}}\n");
        }
        text + rest
    }

    #[test]
    fn what_begins_a_block_is_written_in_place() {
        let text = layers(&[16, 12, 8], "%y = concat %c0, %c1, %c2 {axis=2}\noutput %y\n");
        let part = |name: &str, channel: usize| (name.to_owned(), "y".to_owned(), channel);
        assert_eq!(found(&text), [part("c0", 0), part("c1", 16)]);
    }

    #[test]
    fn a_tensor_is_in_one_place_and_nested_ones_are_in_the_outermost() {
        let text =
            layers(&[8, 8], "%y = concat %c0, %c0 {axis=2}\n%z = concat %c1, %y {axis=2}\noutput %z\n");
        let part = |name: &str, channel: usize| (name.to_owned(), "z".to_owned(), channel);
        assert_eq!(found(&text), [part("c0", 8), part("c1", 0), part("y", 8)]);
    }

    #[test]
    fn only_channels_are_joined_in_place() {
        let text = layers(&[8, 8], "%y = concat %c0, %c1 {axis=1}\noutput %y\n");
        assert_eq!(found(&text), []);
    }
}
