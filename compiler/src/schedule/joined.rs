//! Which tensors lie inside others: those that are joined along their channels.
//!
//! Layers write their results straight into the tensor that they are joined to, wherever their first channel begins a block
//! there; a tensor is in one concatenation at most, once, and what else there is is copied.

use std::collections::BTreeMap;

use frit_ir::{Graph, NodeId, Op, Shape};

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
pub(super) fn joins_channels(op: &Op, shape: &Shape) -> bool {
    matches!(op, Op::Concat(concat) if concat.axis + 1 == shape.rank())
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
