//! Concatenation: along the channels in place where that can be, else by copies.
//!
//! Layers write their results straight into the tensor that they are joined to, wherever their first channel begins a block
//! there; a tensor is in one concatenation at most, once, and what else there is is copied.

use std::collections::BTreeMap;

use frit_ir::diagnostic::Diagnostic;
use frit_ir::ops::Concat;
use frit_ir::{Graph, NodeId, Op, Shape};

use super::rearrange;
use crate::kernels::copy;
use crate::kernels::join::{self, Shift};
use crate::plan::{Call, Region, Work};
use crate::schedule::placed::Placed;
use crate::schedule::placement::Placement;
use crate::schedule::steps::Kernels;

/// Where a tensor lies inside a concatenation that is in no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::schedule) struct Part {
    /// The concatenation.
    pub(in crate::schedule) whole: NodeId,
    /// The tensor's first channel there; it begins a block.
    pub(in crate::schedule) channel: usize,
}

/// Each tensor that is a part of another, where its layer can write it there.
pub(in crate::schedule) fn parts(
    graph: &Graph,
    shapes: &BTreeMap<NodeId, Shape>,
    lanes: usize,
) -> BTreeMap<NodeId, Part> {
    let mut parts: BTreeMap<NodeId, Part> = BTreeMap::new();
    // Users first: a concatenation that is itself a part hands its place on.
    for id in graph.topological().into_iter().rev() {
        if !joins_channels(&graph.node(id).op, &shapes[&id]) {
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

/// Whether `op`, whose result is `shape`, joins tensors along their channels.
pub(in crate::schedule) fn joins_channels(op: &Op, shape: &Shape) -> bool {
    matches!(op, Op::Concat(concat) if concat.axis + 1 == shape.rank())
}

/// Copies what does not lie in its place yet.
pub(super) fn place(placement: &mut Placement<'_>, id: NodeId, concat: &Concat) -> Result<(), Diagnostic> {
    let net = placement.net;
    if !joins_channels(net.op(id), net.shape(id)) {
        return rearrange::place_concat(placement, id, concat);
    }
    let whole = placement.place(id);
    let lanes = net.width.lanes;
    let (mut channel, mut copies) = (0, Vec::new());
    let operands = net.graph.operands(id);
    for (index, &operand) in operands.iter().enumerate() {
        let from = placement.home(operand);
        let to = whole.channels_from(channel / lanes, from.channels);
        let shift = channel % lanes;
        if shift != 0 || (from.region, from.offset) != (to.region, to.offset) {
            copies.push(Copied { from, to, shift: Shift::Output(shift), fills: index + 1 == operands.len() });
        }
        channel += from.channels;
    }
    if !copies.is_empty() {
        stage(placement, id, copies);
    }
    Ok(())
}

/// A copy of all channels of a tensor to as many of another, one of which begins so many lanes further on.
pub(super) struct Copied {
    pub(super) from: Placed,
    pub(super) to: Placed,
    pub(super) shift: Shift,
    /// Whether what stands behind them in their last block, if anything, is written later.
    pub(super) fills: bool,
}

/// The stage that makes `copies`.
pub(super) fn stage(placement: &mut Placement<'_>, id: NodeId, copies: Vec<Copied>) {
    let touched: Vec<Region> =
        copies.iter().flat_map(|copied| [copied.from.region, copied.to.region]).collect();
    placement.stage(id, &touched, move |kernels| {
        let calls = copies.iter().map(|copied| copied.call(kernels)).collect::<Result<_, _>>()?;
        Ok(Work::Items(calls))
    });
}

impl Copied {
    fn call(&self, kernels: &mut Kernels) -> Result<Call, Diagnostic> {
        let Copied { from, to, shift, fills } = *self;
        let program = match shift {
            Shift::Input(0) | Shift::Output(0) => {
                copy::build(kernels.width, to.channels, from.strides, to.strides)
            }
            _ => join::build(kernels.width, to.channels, shift, [from.strides, to.strides], fills),
        };
        let arguments = vec![from.reach(from.strides.pixel), to.reach(to.strides.pixel)];
        kernels.call(program, arguments, from.pixels())
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
